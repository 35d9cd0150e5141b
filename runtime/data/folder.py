"""A folder with a folder for each class: pictures, or signals."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from runtime.data import picture, signal
from runtime.data.faults import DataError, Fault, Faults
from runtime.data.fields import Codec, Coded, Table
from runtime.data.packed import Files
from runtime.data.picture import Pictures
from runtime.data.rows import Rows, Sets

TRAIN, TEST = "train", ("val", "valid", "validation", "test")
SIGNALS = signal.ENDINGS | {"npy"}


def read_folders(train: Path, test: Path | None, faults: Faults, channels: int = 3) -> Sets:
    """Of a folder that holds `train` and `val` (or valid, validation, test) these are the two parts."""
    train, test = _parts(train, test)
    classes = classes_in(train)
    codec = Pictures(channels)
    first, *more = (_rows(home, classes, picture.ENDINGS, codec, faults, "image") for home in (train, test) if home)
    return Sets(first, more[0] if more else None, classes)


def read_signals(train: Path, test: Path | None, faults: Faults, channels: int, rate: int | None) -> Sets:
    train, test = _parts(train, test)
    classes = classes_in(train)
    first, *more = (_rows(home, classes, SIGNALS, _signals(home, channels, rate), faults, "signal") for home in (train, test) if home)
    return Sets(first, more[0] if more else None, classes)


def _signals(home: Path, channels: int, rate: int | None) -> Codec:
    return signal.Arrays() if any(home.glob("*/*.npy")) else signal.Waves(rate, channels)


def _parts(train: Path, test: Path | None) -> tuple[Path, Path | None]:
    inside = [name for name in TEST if (train / name).is_dir()]
    if test is None and (train / TRAIN).is_dir() and inside:
        return train / TRAIN, train / inside[0]
    return train, test


def classes_in(home: Path) -> tuple[str, ...]:
    """Folders by the order of their names, as numbers follow them."""
    try:
        found = sorted(entry.name for entry in os.scandir(home) if entry.is_dir() and not entry.name.startswith("."))
    except OSError as error:
        raise DataError(f"{home} cannot be read: {error.strerror}") from None
    if not found:
        raise DataError(f"{home} has no folders: make one for each class, with its files in it")
    return tuple(found)


def _rows(home: Path, classes: Sequence[str], endings: frozenset[str], codec: Codec, faults: Faults, field: str) -> Rows:
    for name in classes_in(home):
        if name not in classes:
            raise DataError(f"{home / name} is a class that the folder to train on lacks: it has {', '.join(classes[:10])}")
    found = [(file, number) for number, name in enumerate(classes) for file in _files(home, name, endings, faults)]
    if not found:
        raise DataError(f"{home} holds no file that netc reads: {', '.join(sorted(endings))}")
    files = Files(home, [file for file, _ in found])
    labels = Table(str(home), np.array([number for _, number in found], np.int32), where=files.where)
    return Rows({field: Coded(str(home), files, codec), "label": labels})


def _files(home: Path, name: str, endings: frozenset[str], faults: Faults) -> Iterator[str]:
    """The files of a class, by the order of their names; hidden ones are nobody's."""
    some = False
    for path in sorted(_below(home, name)):
        if ending(path) in endings:
            some = True
            yield path
        else:
            faults.add(Fault(str(home / path), f"netc reads {', '.join(sorted(endings))}, and this is something else"))
    if not some:
        faults.add(Fault(str(home / name), "the class has no files that can be read"))


def _below(home: Path, name: str) -> Iterator[str]:
    for entry in os.scandir(home / name) if (home / name).is_dir() else ():
        if entry.name.startswith("."):
            continue
        path = f"{name}/{entry.name}"
        if entry.is_dir():
            yield from _below(home, path)
        else:
            yield path


def ending(name: str) -> str:
    return name.rpartition(".")[2].lower() if "." in name else ""

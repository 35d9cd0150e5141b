"""The rows of a recipe's `data`, whatever its kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from runtime.data import npz
from runtime.data.faults import DataError, Faults
from runtime.data.fields import Table
from runtime.data.fit import Array
from runtime.data.folder import read_folders, read_signals
from runtime.data.lists import read_csv, read_jsonl
from runtime.data.named import SETS, idx_rows
from runtime.data.npz import classes_in, read_npz
from runtime.data.rows import Rows, Sets
from runtime.data.shards import named, read_shards
from runtime.data.wanted import Wanted
from runtime.initial import stream

Wants = Mapping[str, Wanted]


def read(data: Any, wanted: Wants, seed: int, faults: Faults) -> Sets:
    """`data` are the options of a kind. `wanted` are the fields that a net needs; without a net it is empty, and all are read."""
    if data.kind in SETS:
        return SETS[data.kind](data.path, faults)
    return READERS[data.kind](data, wanted, seed, faults)


def verify(data: Any) -> None:
    """Compares checksums that opening leaves alone for their size."""
    for path in (path for given in (data.path, data.test) if given for path in named(given)) if data.kind == "npz" else ():
        if path.is_file():
            npz.verified(path)


def _names(data: Any, wanted: Wants) -> list[str]:
    return list(wanted) or [*data.inputs, *data.targets]


def _masks(wanted: Wants) -> set[str]:
    """Fields with a class for each position."""
    return {name for name, want in wanted.items() if want.classes and want.shape}


def _path(name: str | None) -> Path | None:
    return Path(name) if name else None


def _folder(data: Any, wanted: Wants, seed: int, faults: Faults) -> Sets:
    return read_folders(Path(data.path), _path(data.test), faults, data.channels)


def _signals(data: Any, wanted: Wants, seed: int, faults: Faults) -> Sets:
    return read_signals(Path(data.path), _path(data.test), faults, data.channels, data.rate)


def _idx(data: Any, wanted: Wants, seed: int, faults: Faults) -> Sets:
    train = idx_rows(Path(data.images), Path(data.labels))
    return Sets(train, idx_rows(Path(data.test_images), Path(data.test_labels)) if data.test_images else None)


def _npz(data: Any, wanted: Wants, seed: int, faults: Faults) -> Sets:
    names = _names(data, wanted)
    paths = named(data.path)
    return Sets(read_npz(paths, names), read_npz(named(data.test), names) if data.test else None, classes_in(paths[0]))


def _csv(data: Any, wanted: Wants, seed: int, faults: Faults) -> Sets:
    return read_csv(data.path, data.test, data.inputs, data.targets, data.delimiter, _masks(wanted), faults)


def _jsonl(data: Any, wanted: Wants, seed: int, faults: Faults) -> Sets:
    return read_jsonl(data.path, data.test, _names(data, wanted), _masks(wanted), faults)


def _shards(data: Any, wanted: Wants, seed: int, faults: Faults) -> Sets:
    return read_shards(data.path, data.test, _names(data, wanted), _masks(wanted), data.count, faults)


def _synthetic(data: Any, wanted: Wants, seed: int, faults: Faults) -> Sets:
    if not wanted:
        raise DataError("made-up data has the shapes of a net: there is nothing to see without one")

    def part(name: str, count: int) -> Rows:
        made = {field: _made_up(want, count, data.classes, stream(f"{name} {field}", seed)) for field, want in wanted.items()}
        return Rows({field: Table(f"synthetic {field}", array) for field, array in made.items()})

    return Sets(part("train", data.count), part("test", max(1, data.count // 4)))


def _made_up(want: Wanted, count: int, classes: int | None, random: np.random.Generator) -> Array:
    if want.classes:
        return random.integers(0, min(classes or want.classes, want.classes), (count, *want.shape), np.int32)
    return random.standard_normal((count, *want.shape), np.float32)


READERS: dict[str, Callable[[Any, Wants, int, Faults], Sets]] = {
    "folder": _folder,
    "signals": _signals,
    "idx": _idx,
    "npz": _npz,
    "csv": _csv,
    "jsonl": _jsonl,
    "shards": _shards,
    "synthetic": _synthetic,
}

"""CIFAR-10 and CIFAR-100: rows of class numbers and 3,072 bytes of colour planes; or the same in batches for Python."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from pathlib import Path

import numpy as np

from runtime.data import python_batches
from runtime.data.faults import DataError
from runtime.data.fields import Table
from runtime.data.rows import Rows, Sets

PICTURE = (3, 32, 32)
CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def cifar10(home: Path) -> Sets:
    if (home / "test_batch").is_file():
        train = [home / f"data_batch_{number}" for number in range(1, 6)]
        return Sets(_batches(train, "labels"), _batches([home / "test_batch"], "labels"), CIFAR10)
    return Sets(rows([home / f"data_batch_{number}.bin" for number in range(1, 6)], 1), rows([home / "test_batch.bin"], 1), CIFAR10)


def cifar100(home: Path) -> Sets:
    if (home / "meta").is_file():
        train, test = (_batches([home / part], "fine_labels") for part in ("train", "test"))
        return Sets(train, test, python_batches.names(home / "meta", "fine_label_names"))
    return Sets(rows([home / "train.bin"], 2), rows([home / "test.bin"], 2), _names(home / "fine_label_names.txt"))


def _batches(paths: Sequence[Path], label: str) -> Rows:
    parts = [python_batches.rows(path, label, prod(PICTURE)) for path in paths]
    name = str(paths[0]) if len(paths) == 1 else str(paths[0].parent)
    return Rows({"image": Table(name, *(x.reshape(-1, *PICTURE) for x, _ in parts)), "label": Table(name, *(y for _, y in parts))})


def rows(paths: Sequence[Path], marks: int) -> Rows:
    """`marks` class numbers before each picture, the last of them the finest."""
    parts = [_read(path, marks + prod(PICTURE)) for path in paths]
    name = str(paths[0]) if len(paths) == 1 else str(paths[0].parent)
    images = [part[:, marks:].reshape(-1, *PICTURE) for part in parts]
    return Rows({"image": Table(name, *images), "label": Table(name, *(part[:, marks - 1] for part in parts))})


def _read(path: Path, row: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    try:
        content = np.fromfile(path, np.uint8)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None
    if not len(content) or len(content) % row:
        raise DataError(f"{path} is cut short: {len(content):,} bytes are not rows of {row:,}")
    return content.reshape(-1, row)


def _names(path: Path) -> tuple[str, ...]:
    return tuple(path.read_text(encoding="utf-8", errors="replace").split()) if path.is_file() else ()

"""The rows of a recipe's `data`, whatever its kind."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from runtime.data.archive import read_npz
from runtime.data.idx import labels, pictures
from runtime.data.named import SETS
from runtime.data.rows import Array, DataError, Rows, Sets
from runtime.data.wanted import Wanted
from runtime.initial import stream

if TYPE_CHECKING:
    from netcompiler.recipe import Data
    from netcompiler.recipe.data import IDX, NPZ, Synthetic

READABLE = (*SETS, "idx", "npz", "synthetic")


def read(data: Data, wanted: Mapping[str, Wanted], seed: int) -> Sets:
    """`wanted` are the fields that the net needs; made-up data has their shapes."""
    if data.kind in SETS:
        return SETS[data.kind](getattr(data, "path", None))
    match data.kind:
        case "idx":
            return _idx(cast("IDX", data))
        case "npz":
            return _npz(cast("NPZ", data), list(wanted))
        case "synthetic":
            return _synthetic(cast("Synthetic", data), wanted, seed)
    raise DataError(f"data of the kind {data.kind} cannot be read yet; what can be: {', '.join(READABLE)}")


def _idx(data: IDX) -> Sets:
    train = Rows({"image": pictures(Path(data.images)), "label": labels(Path(data.labels))})
    if data.test_images is None or data.test_labels is None:
        return Sets(train, None)
    return Sets(train, Rows({"image": pictures(Path(data.test_images)), "label": labels(Path(data.test_labels))}))


def _npz(data: NPZ, names: list[str]) -> Sets:
    return Sets(read_npz(Path(data.path), names), read_npz(Path(data.test), names) if data.test else None)


def _synthetic(data: Synthetic, wanted: Mapping[str, Wanted], seed: int) -> Sets:
    def part(name: str, count: int) -> Rows:
        return Rows({field: _made_up(want, count, data.classes, stream(f"{name} {field}", seed)) for field, want in wanted.items()})

    return Sets(part("train", data.count), part("test", max(1, data.count // 4)))


def _made_up(want: Wanted, count: int, classes: int | None, random: np.random.Generator) -> Array:
    if want.classes:
        return random.integers(0, min(classes or want.classes, want.classes), (count, *want.shape), np.int32)
    return random.standard_normal((count, *want.shape), np.float32)

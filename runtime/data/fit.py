"""Pictures of any size -> pictures of the net's size: scaled where the recipe says so, then cut or filled about the centre."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from runtime.data.rows import Array, DataError
from runtime.data.wanted import Wanted

Resize = int | list[int] | None

FURTHEST = 2
"""A picture is cut or filled by no more than this factor: past it the recipe must say what is meant."""


def fit(x: Array, want: Wanted, resize: Resize, field: str) -> Array:
    """(n, channels, sides) with the net's channels and sides; or, for a vector, with as many values."""
    if want.classes:
        return _labels(x, want, field)
    if resize is not None and x.ndim == 4:
        x = scaled(x, _sides(x.shape[2:], resize))
    if x.shape[1:] == want.shape or (len(want.shape) == 1 and prod(x.shape[1:]) == want.shape[0]):
        return x
    if x.ndim != len(want.shape) + 1 or x.shape[1] != want.shape[0]:
        raise DataError(f"{field} is {_show(x.shape[1:])}, and the net reads {want}: change the net's input, or take other data")
    if any(max(have, need) > FURTHEST * min(have, need) for have, need in zip(x.shape[2:], want.shape[1:], strict=True)):
        target = list(want.shape[1:])
        raise DataError(f"{field} is {_show(x.shape[1:])}, and the net reads {want}: scale it, with resize: {target} among data's options")
    for axis, size in enumerate(want.shape[1:], 2):
        x = centred(x, axis, size)
    return x


def centred(x: Array, axis: int, size: int) -> Array:
    """An axis cut to its centre, or with zeros around it; the odd one out is behind."""
    spare = size - x.shape[axis]
    if spare > 0:
        return np.pad(x, [(spare // 2, spare - spare // 2) if at == axis else (0, 0) for at in range(x.ndim)])
    begin = -spare // 2
    return x[(slice(None),) * axis + (slice(begin, begin + size),)]


def scaled(x: Array, sides: Sequence[int]) -> Array:
    """Both sides brought to new sizes by linear interpolation; where they shrink, each value is a mean over what it stands for."""
    if tuple(x.shape[2:]) == tuple(sides):
        return x
    rows, columns = (weights(old, new) for old, new in zip(x.shape[2:], sides, strict=True))
    y = np.empty((*x.shape[:2], *sides), x.dtype)
    for place, picture in enumerate(x):
        found = rows @ picture @ columns.T
        y[place] = np.rint(found) if x.dtype.kind in "iu" else found
    return y


def weights(old: int, new: int) -> Array:
    """A triangle about the centre of each new cell, as wide as the larger of the two cells: (new, old)."""
    width = max(1.0, old / new)
    centres = (np.arange(new) + 0.5) * old / new - 0.5
    w: Array = np.maximum(0, 1 - np.abs(np.arange(old) - centres[:, None]) / width)
    w /= w.sum(axis=1, keepdims=True)
    return w


def _sides(sides: Sequence[int], resize: int | list[int]) -> list[int]:
    if isinstance(resize, list):
        return resize
    return [round(side * resize / min(sides)) for side in sides]


def _labels(x: Array, want: Wanted, field: str) -> Array:
    assert want.classes
    if x.dtype.kind not in "iu":
        raise DataError(f"{field} is {x.dtype}, and the net compares with class numbers: whole numbers are needed")
    if x.shape[1:] != want.shape:
        raise DataError(f"{field} is {_show(x.shape[1:])} for each picture, and the net compares with a class number for each of {want}")
    wrong = (x < 0) | (x >= want.classes)
    if wrong.any():
        row = int(np.argmax(wrong.reshape(len(x), -1).any(axis=1)))
        raise DataError(
            f"{field} of row {row} is {int(x[wrong][0])}, and the net's {want.classes} classes are 0 to {want.classes - 1}: "
            "give its output one channel for each class"
        )
    return x


def _show(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape)) or "one number"

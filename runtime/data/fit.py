"""Pictures of any size -> pictures of the net's size: scaled where the recipe says so, then cut or filled about the centre."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np

from runtime.data.faults import DataError
from runtime.data.wanted import Wanted

Array = np.ndarray[Any, Any]
Resize = int | list[int] | None

FURTHEST = 2
"""A picture is cut or filled by no more than this factor: past it the recipe must say what is meant."""


class Form(NamedTuple):
    """What is wanted of a field; `field` is its name in the data."""

    want: Wanted
    resize: Resize
    field: str

    @property
    def sides(self) -> tuple[int, ...]:
        return self.want.shape if self.want.classes else self.want.shape[1:]


def fit(x: Array, form: Form) -> Array:
    """(n, channels, sides) with the net's channels and sides; or, for a vector, with as many values."""
    want, field = form.want, form.field
    if want.classes:
        return _classes(x, form)
    if x.dtype.kind not in "fiub":
        raise DataError(f"{field} is {x.dtype}, and the net reads numbers")
    x = x if x.dtype == np.uint8 or x.dtype.kind == "f" else x.astype(np.float32)
    if form.resize is not None and x.ndim == 4:
        x = scaled(x, sides(x.shape[2:], form.resize))
    if x.shape[1:] == want.shape or (len(want.shape) == 1 and prod(x.shape[1:]) == want.shape[0]):
        return x
    if x.ndim != len(want.shape) + 1 or x.shape[1] != want.shape[0]:
        raise DataError(f"{field} is {shown(x.shape[1:])}, and the net reads {want}: change the net's input, or take other data")
    check_sides(x.shape[2:], form)
    for axis, size in enumerate(want.shape[1:], 2):
        x = centred(x, axis, size)
    return x


def check_sides(have: Sequence[int], form: Form) -> None:
    """Sides after scaling. Of a picture whose shorter side was scaled, the longer one is cut without a question."""
    pairs = list(zip(have, form.sides, strict=True))
    asked = [min(pairs, key=lambda pair: pair[0])] if isinstance(form.resize, int) else pairs
    if any(max(pair) > FURTHEST * min(pair) for pair in asked):
        channels = form.want.shape[:1] if not form.want.classes else ()
        raise DataError(
            f"{form.field} is {shown((*channels, *have))}, and the net reads {form.want}: "
            f"scale it, with resize: {list(form.sides)} among data's options"
        )


def centred(x: Array, axis: int, size: int) -> Array:
    """An axis cut to its centre, or with zeros around it; the odd one out is behind."""
    begin, before, length = window(x.shape[axis], size)
    cut = x[(slice(None),) * axis + (slice(begin, begin + length),)]
    margins = [(before, size - length - before) if at == axis else (0, 0) for at in range(x.ndim)]
    return np.pad(cut, margins) if length < size else cut


def window(have: int, size: int) -> tuple[int, int, int]:
    """Where a side is cut, how many zeros go before it, and how much of it is seen."""
    return (0, (size - have) // 2, have) if have < size else ((have - size) // 2, 0, size)


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


def sides(have: Sequence[int], resize: int | list[int]) -> list[int]:
    """What `resize` makes of the sides of a picture."""
    if isinstance(resize, list):
        return resize
    return [max(1, round(side * resize / min(have))) for side in have]


def _classes(x: Array, form: Form) -> Array:
    """Class numbers; for a map of them, nearest neighbours where it is scaled."""
    if x.dtype.kind not in "iu":
        raise DataError(f"{form.field} is {x.dtype}, and the net compares with class numbers: whole numbers are needed")
    if form.resize is not None and x.ndim == 3:
        x = nearest(x, sides(x.shape[1:], form.resize))
    if x.shape[1:] == form.want.shape:
        return x
    if x.ndim != len(form.want.shape) + 1:
        have = f"{form.field} is {shown(x.shape[1:])} for each picture"
        raise DataError(f"{have}, and the net compares with a class number for each of {form.want}")
    check_sides(x.shape[1:], form)
    for axis, size in enumerate(form.want.shape, 1):
        x = centred(x, axis, size)
    return x


def nearest(x: Array, sides: Sequence[int]) -> Array:
    """The value at the centre of each new cell."""
    rows, columns = (((np.arange(new) + 0.5) * old / new).astype(int) for old, new in zip(x.shape[1:], sides, strict=True))
    return x[:, rows[:, None], columns]


def shown(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape)) or "one number"

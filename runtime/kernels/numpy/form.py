"""Values in another form: nothing is computed but sums of what meets."""

from __future__ import annotations

import builtins
from collections.abc import Sequence

import numpy as np

from runtime.kernels.numpy.frame import Array, extended


def reshape(y: Array, x: Array, *, shape: Sequence[int]) -> None:
    y[...] = x.reshape(shape)


def transpose(y: Array, x: Array, *, order: Sequence[int]) -> None:
    y[...] = x.transpose(order)


def slice(y: Array, x: Array, *, begin: Sequence[int], end: Sequence[int], step: Sequence[int]) -> None:
    y[...] = x[tuple(map(builtins.slice, begin, end, step))]


def pad(y: Array, x: Array, *, low: Sequence[int], high: Sequence[int], interior: Sequence[int]) -> None:
    """Zeros between neighbours, then before and behind; negative numbers leave cells out there."""
    apart = np.zeros([(n - 1) * (gap + 1) + 1 for n, gap in zip(x.shape, interior, strict=True)], x.dtype)
    apart[tuple(builtins.slice(None, None, gap + 1) for gap in interior)] = x
    for axis, (before, behind) in enumerate(zip(low, high, strict=True)):
        apart = extended(apart, axis, before, behind)
    y[...] = apart


def concat(y: Array, *xs: Array, axis: int) -> None:
    y[...] = np.concatenate(xs, axis)


def gather(y: Array, x: Array, *, table: Sequence[int], axis: int) -> None:
    """Cell j is cell table[j] of x, or 0 where that is -1."""
    places = np.array(table, np.intp)
    picked = np.moveaxis(x, axis, 0)[places]
    picked[places < 0] = 0
    y[...] = np.moveaxis(picked, 0, axis)


def scatter(y: Array, x: Array, *, table: Sequence[int], axis: int, size: int) -> None:
    """Cell j of x is added to cell table[j]; -1 drops it."""
    places = np.array(table, np.intp)
    kept = places >= 0
    y[...] = 0
    np.add.at(np.moveaxis(y, axis, 0), places[kept], np.moveaxis(x, axis, 0)[kept])


def take(y: Array, x: Array, i: Array) -> None:
    y[...] = x[i.reshape(-1)]


def constant(y: Array, *, shape: Sequence[int], dtype: str, value: float = 0, table: Sequence[float] | None = None) -> None:
    y[...] = value if table is None else np.reshape(table, shape)

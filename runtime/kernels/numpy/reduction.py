"""Reductions; the axes that they run over stay, with size 1.

Totals are taken in float64, because NumPy adds float32 one after the other along all axes but the last.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from runtime.kernels.numpy.frame import Array


def sum(y: Array, x: Array, *, axes: Sequence[int]) -> None:
    y[...] = _total(x, axes)


def max(y: Array, x: Array, *, axes: Sequence[int]) -> None:
    y[...] = np.max(x, tuple(axes), keepdims=True)


def argmax(y: Array, x: Array, *, axis: int) -> None:
    y[...] = np.argmax(x, axis, keepdims=True)


def moments(mean: Array, var: Array, x: Array, valid: Array | None = None, *, axes: Sequence[int]) -> None:
    """Of the population. With `valid`, of so many rows."""
    rows = x if valid is None else x[: valid.item()]
    count = rows.size // mean.size
    with np.errstate(divide="ignore", invalid="ignore"):  # no rows: NaN
        centre = _total(rows, axes) / count
        mean[...], var[...] = centre, _total((rows - centre) ** 2, axes) / count


def logsumexp(y: Array, x: Array, *, axis: int) -> None:
    """log(sum(exp(x))); the largest is taken out, so that no exp overflows."""
    largest = np.max(x, axis, keepdims=True)
    shift = np.where(np.isfinite(largest), largest, 0)
    with np.errstate(over="ignore", divide="ignore"):
        y[...] = shift + np.log(_total(np.exp(x - shift), (axis,)))


def _total(x: Array, axes: Sequence[int]) -> Array:
    return np.asarray(np.sum(x, tuple(axes), dtype=np.float64, keepdims=True))

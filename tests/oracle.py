"""Runs kernels of the NumPy oracle as a plan would: results are views with gaps, filled with NaN; operands cannot be written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from netcompiler.plan import Axis
from runtime.kernels.numpy import KERNELS

Array: TypeAlias = NDArray[Any]


def run(op: str, shape: Sequence[int], /, *operands: Array, **attributes: Any) -> Array:
    """The only result of a kernel, of the first operand's dtype."""
    return run_all(op, [(shape, operands[0].dtype)], *operands, **attributes)[0]


def run_all(op: str, types: Sequence[tuple[Sequence[int], Any]], /, *operands: Array, **attributes: Any) -> list[Array]:
    """The results of a kernel, of these shapes and dtypes."""
    buffers = [np.full((*shape, 3), _poison(dtype), dtype) for shape, dtype in types]
    results = [buffer[..., 1] for buffer in buffers]
    KERNELS[op](*results, *map(apart, operands), **attributes)
    for buffer in buffers:
        np.testing.assert_array_equal(buffer[..., ::2], _poison(buffer.dtype))
    return [np.array(result) for result in results]


def _poison(dtype: Any) -> Any:
    return np.dtype(dtype).type(np.nan if np.dtype(dtype).kind == "f" else 77)


def apart(x: Array) -> Array:
    """The same numbers, read-only and with gaps between them."""
    holed = np.repeat(x[..., None], 2, axis=-1)
    holed.setflags(write=False)
    return holed[..., 0]


def normal(*shape: int, seed: int = 0, dtype: Any = np.float64) -> Array:
    return np.random.default_rng([seed, *shape]).normal(size=shape).astype(dtype)


def sizes(window: Sequence[Axis], n: Sequence[int]) -> tuple[int, ...]:
    return tuple(w.size(side) for w, side in zip(window, n, strict=True))


WINDOWS: dict[str, tuple[tuple[int, ...], tuple[Axis, ...]]] = {
    "one axis": ((7,), (Axis(3),)),
    "one pixel": ((1, 1), (Axis(1), Axis(1))),
    "one pixel with padding": ((1, 1), (Axis(3, 1, 1, 1), Axis(3, 1, 1, 1))),
    "even kernels": ((5, 6), (Axis(2), Axis(4, 1, 1, 2))),
    "strides larger than kernels": ((7, 8), (Axis(2, 5), Axis(1, 3, 0, -1))),
    "dilation": ((9, 7), (Axis(3, 1, 2, 2, 2), Axis(2, 2, 0, -1, 3))),
    "cells never read": ((6, 7), (Axis(3, 1, -1, -2), Axis(2, 2, -1, 0))),
    "from the middle into padding": ((5,), (Axis(3, 2, -2, 2),)),
    "overlaps": ((8, 7), (Axis(5, 2, 2, 1), Axis(3, 1, 1, 1))),
    "three axes": ((4, 5, 3), (Axis(2, 2), Axis(3, 1, 1, 1), Axis(3, 2, 1, 1))),
    "the whole": ((4, 3), (Axis(4), Axis(3))),
    "taps in padding on both sides": ((2,), (Axis(3, 1, 4, 4, 4),)),
}
"""Sides, and windows over them."""

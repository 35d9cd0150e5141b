"""Windows over arrays, for the kernels that slide: a frame is the array with its padding, a tap is a strided view of the frame.

Reading the taps gives convolutions and pools; adding to them gives their adjoints.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from netcompiler.plan import Axis

Array: TypeAlias = NDArray[Any]
Window: TypeAlias = "tuple[Axis, ...]"


def sides(window: Window) -> range:
    """The windowed axes of (n, *sides, c)."""
    return range(1, 1 + len(window))


def extended(x: Array, axis: int, low: int, high: int) -> Array:
    """x with so many zeros before and behind along an axis; a negative number leaves cells out. The adjoint has -low, -high."""
    if low == high == 0:
        return x
    source, target = np.moveaxis(x, axis, 0), np.zeros((*x.shape[:axis], x.shape[axis] + low + high, *x.shape[axis + 1 :]), x.dtype)
    begin, end = max(0, -low), min(len(source), len(source) + high)
    if begin < end:
        np.moveaxis(target, axis, 0)[begin + low : end + low] = source[begin:end]
    return target


def framed(x: Array, axes: Sequence[int], window: Window) -> Array:
    """The cells that the windows cover: the first window begins at cell 0."""
    for axis, w in zip(axes, window, strict=True):
        x = extended(x, axis, w.low, w.high)
    return x


def unframed(frame: Array, axes: Sequence[int], window: Window) -> Array:
    """The adjoint of framed: padding is cut off, cells left out are zero."""
    for axis, w in zip(axes, window, strict=True):
        frame = extended(frame, axis, -w.low, -w.high)
    return frame


def blank(y: Array, axes: Sequence[int], window: Window, size: Sequence[int]) -> Array:
    """A frame of zeros over the axes of these sizes; all else as in y, the windowed result."""
    shape = list(y.shape)
    for axis, w, n in zip(axes, window, size, strict=True):
        shape[axis] = n + w.low + w.high
    return np.zeros(shape, y.dtype)


def taps(frame: Array, axes: Sequence[int], window: Window) -> Iterator[Array]:
    """For each tap, row by row, the cells that it meets in all windows: a view of the frame, with the shape of the result."""
    steps = [_steps(frame.shape[axis], w) for axis, w in zip(axes, window, strict=True)]
    for tap in product(*steps):
        cells = [slice(None)] * frame.ndim
        for axis, step in zip(axes, tap, strict=True):
            cells[axis] = step
        yield frame[tuple(cells)]


def _steps(n: int, w: Axis) -> list[slice]:
    """For each tap of one axis, the cells that it meets."""
    reach = (n - w.extent) // w.stride * w.stride + 1
    return [slice(first, first + reach, w.stride) for first in range(0, w.extent, w.dilation)]


def gathered(x: Array, window: Window) -> Array:
    """What each window reads: (n, *sides', taps, c)."""
    axes = sides(window)
    return np.stack(list(taps(framed(x, axes, window), axes, window)), axis=-2)


def overlapped(p: Array, window: Window, size: Sequence[int]) -> Array:
    """The adjoint of gathered: what windows share is added."""
    axes = sides(window)
    frame = blank(p[..., 0, :], axes, window, size)
    for t, cells in enumerate(taps(frame, axes, window)):
        cells += p[..., t, :]
    return unframed(frame, axes, window)

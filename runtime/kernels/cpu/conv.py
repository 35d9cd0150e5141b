"""Convolutions of any window and their gradients, on the register block. What it costs to be general is a table of taps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product as every

from netcompiler.plan import Axis
from runtime.arrays import Array
from runtime.kernels.cpu.cells import Sides, Tap
from runtime.kernels.cpu.driver import Step
from runtime.kernels.cpu.outer import Outer, outer_product
from runtime.kernels.cpu.rows import Channels, Groups, Operands, product

Window = tuple[Axis, ...]
FLOAT = 4


def conv_product(y: Array, x: Array, w: Array, *, window: Window, groups: int, packed: Array) -> Iterator[Step]:
    outer, inner = w.shape[0] // groups, w.shape[-1]
    taps = _reads(window)
    sides = Sides(y.shape[1:-1], tuple(a.stride for a in window), x.shape[1:-1], x.strides[1:-1], y.strides[1:-1])
    operands = Operands(x.ctypes.data, packed.ctypes.data, y.ctypes.data, len(x), x.strides[0], y.strides[0])
    yield product(operands, sides, taps, _groups(groups, inner, outer, packed), Channels(inner, outer, len(taps)))


def conv_dx_product(x: Array, y: Array, w: Array, *, window: Window, groups: int, size: Sequence[int], packed: Array) -> Iterator[Step]:
    """The cells of x that lie alike between the windows meet the same taps: for each such phase a convolution with stride 1."""
    outer, inner = w.shape[0] // groups, w.shape[-1]
    taps = list(_taps(window))
    for phase in every(*(range(min(a.stride, n)) for a, n in zip(window, size, strict=True))):
        cells = tuple(-(-(n - begin) // a.stride) for n, begin, a in zip(size, phase, window, strict=True))
        strides = tuple(a.stride * step for a, step in zip(window, x.strides[1:-1], strict=True))
        first = x.ctypes.data + sum(begin * step for begin, step in zip(phase, x.strides[1:-1], strict=True))
        operands = Operands(y.ctypes.data, packed.ctypes.data, first, len(x), y.strides[0], x.strides[0])
        sides = Sides(cells, (1,) * len(cells), y.shape[1:-1], y.strides[1:-1], strides)
        met = [Tap(delta, i) for i, tap in enumerate(taps) if (delta := _met(phase, tap, window)) is not None]
        yield product(operands, sides, met, _groups(groups, outer, inner, packed), Channels(outer, inner, len(taps)))


def conv_dw_product(w: Array, x: Array, y: Array, *, window: Window, groups: int) -> Iterator[Step]:
    outer, inner = w.shape[0] // groups, w.shape[-1]
    sides = Sides(y.shape[1:-1], tuple(a.stride for a in window), x.shape[1:-1], x.strides[1:-1], y.strides[1:-1])
    size = w.nbytes // groups
    operands = Outer(x.ctypes.data, y.ctypes.data, w.ctypes.data, len(x), x.strides[0], y.strides[-2], inner * FLOAT, outer * FLOAT, size)
    yield from outer_product(operands, sides, _reads(window), groups, inner, outer)


def _reads(window: Window) -> list[Tap]:
    """Of each window what a convolution reads."""
    return [Tap(tuple(t * a.dilation - a.low for t, a in zip(tap, window, strict=True)), i) for i, tap in enumerate(_taps(window))]


def _met(phase: Sequence[int], tap: Sequence[int], window: Window) -> tuple[int, ...] | None:
    """The window, counted from the phase's own, that meets the cells of a phase with a tap; None where no window does."""
    reach = [begin + a.low - t * a.dilation for begin, t, a in zip(phase, tap, window, strict=True)]
    if any(r % a.stride for r, a in zip(reach, window, strict=True)):
        return None
    return tuple(r // a.stride for r, a in zip(reach, window, strict=True))


def _taps(window: Window) -> Iterator[tuple[int, ...]]:
    return every(*(range(axis.kernel) for axis in window))


def _groups(count: int, inner: int, outer: int, p: Array) -> Groups:
    return Groups(count, inner * FLOAT, p.nbytes // count, outer * FLOAT)

"""Convolutions of any window and their gradients, on the register block. What it costs to be general is a table of taps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product as every

from netcompiler.plan import Axis
from runtime.arrays import Array
from runtime.kernels.behind import Ahead, Behind, plain
from runtime.kernels.cpu.bands import band, banded
from runtime.kernels.cpu.bands_outer import outer_bands
from runtime.kernels.cpu.cells import Sides, Tap
from runtime.kernels.cpu.driver import Step
from runtime.kernels.cpu.finish import Finishing
from runtime.kernels.cpu.gather import Gathering
from runtime.kernels.cpu.outer import Outer, outer_product
from runtime.kernels.cpu.rows import Channels, Groups, Operands, Spread, product

Window = tuple[Axis, ...]
FLOAT = 4


def conv_product(
    y: Array, x: Array | Ahead, w: Array, *, window: Window, groups: int, packed: Array, behind: Behind | None = None
) -> Iterator[Step]:
    gathering = Gathering(x)
    x, outer, inner = gathering.first, w.shape[0] // groups, w.shape[-1]
    taps = _reads(window)
    sides = Sides(y.shape[1:-1], tuple(a.stride for a in window), x.shape[1:-1], x.strides[1:-1])
    operands = Operands(x.ctypes.data, packed.ctypes.data, len(x), x.strides[0])
    spread = Spread((0,) * len(window), (1,) * len(window))
    channels = Channels(inner, outer, len(taps))
    yield product(operands, sides, taps, _groups(groups, inner, packed), channels, spread, Finishing(behind or plain(y)), gathering)


def conv_dx_product(
    x: Array, y: Array | Ahead, w: Array, *, window: Window, groups: int, size: Sequence[int], packed: Array, behind: Behind | None = None
) -> Iterator[Step]:
    """The cells of x that lie alike between the windows meet the same taps: for each such phase a convolution with stride 1."""
    gathering = Gathering(y)
    y, outer, inner = gathering.first, w.shape[0] // groups, w.shape[-1]
    taps = list(_taps(window))
    operands = Operands(y.ctypes.data, packed.ctypes.data, len(y), y.strides[0])
    strides = tuple(a.stride for a in window)
    for phase in every(*(range(min(a.stride, n)) for a, n in zip(window, size, strict=True))):
        cells = tuple(-(-(n - begin) // a.stride) for n, begin, a in zip(size, phase, window, strict=True))
        sides = Sides(cells, (1,) * len(cells), y.shape[1:-1], y.strides[1:-1])
        met = [Tap(delta, i) for i, tap in enumerate(reversed(taps)) if (delta := _met(phase, tap, window)) is not None]
        channels, spread = Channels(outer, inner, len(taps)), Spread(phase, strides)
        yield product(operands, sides, met, _groups(groups, outer, packed), channels, spread, Finishing(behind or plain(x)), gathering)


def conv_bands(y: Array, x: Array, w: Array, *, window: Window, groups: int, packed: Array, behind: Behind | None = None) -> Iterator[Step]:
    yield banded(packed, band(x, window, y.shape[1:-1]), window[-1].kernel * x.shape[-1], len(w), Finishing(behind or plain(y)))


def conv_dx_bands(
    x: Array, y: Array, w: Array, *, window: Window, groups: int, size: Sequence[int], packed: Array, behind: Behind | None = None
) -> Iterator[Step]:
    """With stride 1: the convolution of y with the taps turned round, as they are packed."""
    turned = [axis._replace(low=axis.extent - 1 - axis.low, high=axis.extent - 1 - axis.high) for axis in window]
    yield banded(packed, band(y, turned, size), window[-1].kernel * y.shape[-1], x.shape[-1], Finishing(behind or plain(x)))


def conv_dw_product(w: Array, x: Array | Ahead, y: Array | Ahead, *, window: Window, groups: int) -> Iterator[Step]:
    gatherings = Gathering(x), Gathering(y)
    x, y = (gathering.first for gathering in gatherings)
    outer, inner = w.shape[0] // groups, w.shape[-1]
    sides = Sides(y.shape[1:-1], tuple(a.stride for a in window), x.shape[1:-1], x.strides[1:-1])
    size = w.nbytes // groups
    operands = Outer(x.ctypes.data, y.ctypes.data, len(x), x.strides[0], y.strides[-2], inner * FLOAT, outer * FLOAT, size)
    yield from outer_product(w, operands, sides, _reads(window), groups, (inner, outer), gatherings)


def conv_dw_bands(w: Array, x: Array, y: Array, *, window: Window, groups: int) -> Iterator[Step]:
    yield from outer_bands(w, y, band(x, window, y.shape[1:-1]), window[-1].kernel * x.shape[-1])


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


def _groups(count: int, inner: int, packed: Array) -> Groups:
    return Groups(count, inner * FLOAT, packed.nbytes // count)

"""Windows side by side over pixels of few cells, several pixels in a vector: what taps along the width read is shuffled apart.

With as many taps as the stride, a window along the width is a wide pixel: [n, h, w, taps * c]. So it is no window any more; the
others slide as ever.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from llvmlite import ir

from netcompiler.plan import Axis
from runtime.arrays import Array, name_of
from runtime.kernels.cpu.code import I32, LANES, TYPES, Code, Number
from runtime.kernels.cpu.driver import Step
from runtime.kernels.cpu.frame import Part, by_tap, part
from runtime.kernels.cpu.place import Place
from runtime.kernels.cpu.reach import adjoint
from runtime.kernels.cpu.slide import TAP, larger, narrowed, slid, tap_number
from runtime.kernels.cpu.strips import first
from runtime.kernels.cpu.walk import RESULT, SOURCE, Kind, Walk

Window = Sequence[Axis]


def is_narrow(small: Array, large: Array, axes: Sequence[int], window: Window, back: bool = False) -> bool:
    """Whether at least two pixels fit into a vector; on the way back every cell belongs to a window. Both the windows that stay
    and the wide pixels must be more than one, or else they are no axes of their own."""
    if len(window) < 2 or small.shape[-2] < 2 or list(axes) != list(range(1, large.ndim - 1)) or window[-2] == Axis(1):
        return False
    last, cells = window[-1], small.shape[-1]
    side_by_side = last.kernel == last.stride > 1 and last.dilation == 1 and last.low == 0
    covered, width = small.shape[-2] * last.kernel, large.shape[-2]
    dense = all(array.strides[-2] == cells * array.itemsize for array in (small, large))
    return side_by_side and dense and (covered == width if back else covered <= width) and 2 * last.kernel * cells <= 2 * LANES


def narrow_sum(y: Array, x: Array, window: Window) -> Step:
    return _step(_sum, y, x.shape, window, [part(y), part(_wide(x, y, window))])


def narrow_spread(x: Array, y: Array, window: Window) -> Step:
    wide = _wide(x, y, window)
    return _step(_spread, wide, y.shape, window, [part(wide), part(y)], back=True)


def narrow_max(y: Array, at: Array, x: Array, window: Window) -> Step:
    return _step(_max, y, x.shape, window, [part(y), part(at), part(_wide(x, y, window)), _number(y, window)], name_of(at))


def narrow_route(dx: Array, dy: Array, at: Array, window: Window) -> Step:
    wide = _wide(dx, dy, window)
    return _step(_route, wide, dy.shape, window, [part(wide), part(dy), part(at), _number(dy, window)], name_of(at), back=True)


def _wide(large: Array, small: Array, window: Window) -> Array:
    """All taps along the width in one pixel."""
    shape = (*large.shape[:-2], small.shape[-2], window[-1].kernel * large.shape[-1])
    strides = (*large.strides[:-2], window[-1].kernel * large.strides[-2], large.strides[-1])
    return np.lib.stride_tricks.as_strided(large, shape, strides)


def _number(small: Array, window: Window) -> Part:
    return Part(0, (0,) * small.ndim, by_tap(window, 1)[:-1])


def _step(
    emit: Callable[..., None], y: Array, source: Sequence[int], window: Window, parts: Sequence[Part], *structure: str, back: bool = False
) -> Step:
    *outer, last = window
    cells = y.shape[-1] // last.kernel if back else y.shape[-1]
    shape = (*source[:-2], *y.shape[-2:])
    axes = range(1, 1 + len(outer))
    if back:
        return slid(emit, y, shape, axes, outer, parts, cells, last.kernel, *structure, look=adjoint, whole=True)
    return slid(emit, y, shape, axes, outer, parts, cells, last.kernel, *structure, whole=True)


class _Apart:
    """So many cells and taps: how vectors of small pixels and of wide ones become each other."""

    def __init__(self, code: Code, cells: int, taps: int, lanes: int) -> None:
        self.code, self.cells, self.taps, self.lanes = code, cells, taps, lanes

    def taken(self, address: Number, pixels: int) -> list[ir.Value]:
        """Of wide pixels the cells of each tap, those of all pixels side by side."""
        span = pixels * self.taps * self.cells
        low = first(self.lanes, min(span, self.lanes)).load(self.code, address)
        rest = span - self.lanes
        high = first(self.lanes, rest).load(self.code, self.code.at(address, self.lanes)) if rest > 0 else low
        return [
            self.code.shuffle(low, high, self._lanes([(p * self.taps + t) * self.cells for p in range(pixels)])) for t in range(self.taps)
        ]

    def repeated(self, value: ir.Value, pixels: int) -> ir.Value:
        """Small pixels once for each tap: wide ones."""
        return self.code.shuffle(value, value, self._lanes([p * self.cells for p in range(pixels) for _ in range(self.taps)]))

    def tap_of_lane(self, typ: ir.Type, pixels: int) -> ir.Value:
        taps = [t for _ in range(pixels) for t in range(self.taps) for _ in range(self.cells)]
        return ir.Constant(ir.VectorType(typ, self.lanes), taps + [0] * (self.lanes - len(taps)))

    def _lanes(self, pixels: Sequence[int]) -> list[int]:
        lanes = [begin + cell for begin in pixels for cell in range(self.cells)]
        return lanes + [0] * (self.lanes - len(lanes))


def _blocks(most: int) -> tuple[tuple[int, int], ...]:
    """Pixels in a vector, and vectors; where rows end sooner, fewer pixels."""
    return tuple((pixels, 1) for pixels in sorted({most, most // 2, most // 4, 1} - {0}, reverse=True))


def _forward(
    code: Code, kinds: Sequence[Kind], counts: Sequence[int], cells: int, taps: int, lanes: int, body: Callable[[Place], None]
) -> None:
    """As many pixels as a vector of the result holds, and as two of the source do."""
    blocks = _blocks(min(lanes // cells, 2 * lanes // (taps * cells)))
    Walk(code, kinds, counts, lanes, body, blocks, packed=True).rows(code.lo, code.hi)


def _back(
    code: Code, kinds: Sequence[Kind], counts: Sequence[int], cells: int, taps: int, lanes: int, body: Callable[[Place], None]
) -> None:
    Walk(code, kinds, counts, lanes, body, _blocks(lanes // (taps * cells)), packed=True).rows(code.lo, code.hi)


def _sum(code: Code, counts: Sequence[int], cells: int, taps: int, lanes: int) -> None:
    apart = _Apart(code, cells, taps, lanes)

    def body(place: Place) -> None:
        with place.lines([code.real(0.0, lanes)]) as line:
            line.next = line.values
            for values in apart.taken(place.tap(line.i, 1, 0), place.pixels) if place.taps else ():
                line.next = [code.fadd(line.next[0], values)]
        place.strip.store(code, line.result[0], place.at(0))

    _forward(code, (RESULT, SOURCE), counts, cells, taps, lanes, body)


def _max(code: Code, counts: Sequence[int], cells: int, taps: int, index: str, lanes: int) -> None:
    apart = _Apart(code, cells, taps, lanes)

    def body(place: Place) -> None:
        best, at = code.real(0.0, lanes), code.splat(I32(0), lanes)
        if place.taps:
            start = apart.taken(place.at(2), place.pixels)[0]
            with place.lines([start, tap_number(code, place.at(3), I32, lanes)]) as line:
                best, at = line.values
                for tap, values in enumerate(apart.taken(place.tap(line.i, 2, 0), place.pixels)):
                    this = tap_number(code, code.add(place.tap(line.i, 3, 0), tap), I32, lanes)
                    best, at = larger(code, values, this, best, at)
                line.next = [best, at]
            best, at = line.result
        place.strip.store(code, best, place.at(0))
        place.strip.store(code, narrowed(code, at, TYPES[index]), place.at(1))

    _forward(code, (RESULT, Kind(index), SOURCE, TAP), counts, cells, taps, lanes, body)


def _spread(code: Code, counts: Sequence[int], cells: int, taps: int, lanes: int) -> None:
    apart = _Apart(code, cells, taps, lanes)

    def body(place: Place) -> None:
        small = first(lanes, place.pixels * cells)
        with place.lines([code.real(0.0, lanes)]) as line:
            line.next = line.values
            if place.taps:
                line.next = [code.fadd(line.values[0], apart.repeated(small.load(code, place.tap(line.i, 1, 0)), place.pixels))]
        place.strip.store(code, line.result[0], place.at(0))

    _back(code, (RESULT, SOURCE), counts, cells, taps, lanes, body)


def _route(code: Code, counts: Sequence[int], cells: int, taps: int, index: str, lanes: int) -> None:
    apart = _Apart(code, cells, taps, lanes)

    def body(place: Place) -> None:
        small = first(lanes, place.pixels * cells)
        with place.lines([code.real(0.0, lanes)]) as line:
            line.next = line.values
            if place.taps:
                dy = apart.repeated(small.load(code, place.tap(line.i, 1, 0)), place.pixels)
                at = apart.repeated(small.load(code, place.tap(line.i, 2, 0), index), place.pixels)
                this = code.b.add(
                    tap_number(code, place.tap(line.i, 3, 0), TYPES[index], lanes), apart.tap_of_lane(TYPES[index], place.pixels)
                )
                routed = code.b.select(code.b.icmp_unsigned("==", at, this), dy, code.real(0.0, lanes))
                line.next = [code.fadd(line.values[0], routed)]
        place.strip.store(code, line.result[0], place.at(0))

    _back(code, (RESULT, SOURCE, Kind(index, source=True, tapped=True), TAP), counts, cells, taps, lanes, body)

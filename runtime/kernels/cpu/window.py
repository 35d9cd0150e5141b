"""Pools and patches. What overlaps is gathered: each cell of a result asks the windows that it is in, so that no two chunks
write the same cell.

Geometry is in frame.py and reach.py, the loops in walk.py; here is what happens at a place.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from llvmlite import ir

from netcompiler.plan import Axis
from runtime.arrays import Array, name_of
from runtime.kernels.cpu.code import I32, TYPES, Code, Number
from runtime.kernels.cpu.driver import Step
from runtime.kernels.cpu.frame import by_tap, number, part
from runtime.kernels.cpu.narrow import is_narrow, narrow_max, narrow_route, narrow_spread, narrow_sum
from runtime.kernels.cpu.place import Place
from runtime.kernels.cpu.reach import adjoint, apart
from runtime.kernels.cpu.slide import TAP, larger, narrowed, slid, summed, tap_number
from runtime.kernels.cpu.walk import RESULT, SOURCE, Kind, Walk

Window = Sequence[Axis]


def window_sum(y: Array, x: Array, *, axes: Sequence[int], window: Window) -> Iterator[Step]:
    if is_narrow(y, x, axes, window):
        yield narrow_sum(y, x, window)
        return
    yield slid(summed, y, x.shape, axes, window, [part(y), part(x)])


def window_spread(x: Array, y: Array, *, axes: Sequence[int], window: Window, size: Sequence[int]) -> Iterator[Step]:
    if is_narrow(y, x, axes, window, back=True):
        yield narrow_spread(x, y, window)
        return
    yield slid(summed, x, y.shape, axes, window, [part(x), part(y)], look=adjoint)


def patches(p: Array, x: Array, *, window: Window) -> Iterator[Step]:
    first = p[..., 0, :]
    yield slid(summed, first, x.shape, _sides(window), window, [part(first, by_tap(window, p.strides[-2])), part(x)], look=apart)


def unpatch(x: Array, p: Array, *, window: Window, size: Sequence[int]) -> Iterator[Step]:
    first = p[..., 0, :]
    yield slid(summed, x, first.shape, _sides(window), window, [part(x), part(first, by_tap(window, p.strides[-2]))], look=adjoint)


def window_max(y: Array, at: Array, x: Array, *, window: Window) -> Iterator[Step]:
    if is_narrow(y, x, _sides(window), window):
        yield narrow_max(y, at, x, window)
        return
    parts = [part(y), part(at), part(x), number(x.ndim, window)]
    yield slid(_max, y, x.shape, _sides(window), window, parts, name_of(at))


def window_route(dx: Array, dy: Array, at: Array, *, window: Window, size: Sequence[int]) -> Iterator[Step]:
    if is_narrow(dy, dx, _sides(window), window, back=True):
        yield narrow_route(dx, dy, at, window)
        return
    parts = [part(dx), part(dy), part(at), number(dx.ndim, window)]
    yield slid(_route, dx, dy.shape, _sides(window), window, parts, name_of(at), look=adjoint)


def _sides(window: Window) -> range:
    return range(1, 1 + len(window))


def _max(code: Code, counts: Sequence[int], index: str, lanes: int) -> None:
    """The first tap is looked at twice, so that there is something to begin with."""

    def body(place: Place) -> None:
        spots, lanes = place.spots, place.strip.lanes
        if not place.taps:
            best, at = place.zeros(), [code.splat(I32(0), lanes)] * len(spots)
        else:
            start = [place.strip.load(code, place.at(2, *spot)) for spot in spots]
            with place.lines([*start, *(tap_number(code, place.at(3), I32, lanes) for _ in spots)]) as line:
                best, at = line.values[: len(spots)], line.values[len(spots) :]
                for tap in range(place.taps):
                    this = tap_number(code, place.tap(line.i, 3, tap), I32, lanes)
                    for i, spot in enumerate(spots):
                        best[i], at[i] = larger(code, place.strip.load(code, place.tap(line.i, 2, tap, *spot)), this, best[i], at[i])
                line.next = [*best, *at]
            best, at = line.result[: len(spots)], line.result[len(spots) :]
        place.write(0, best)
        place.write(1, [narrowed(code, each, TYPES[index]) for each in at])

    Walk(code, (RESULT, Kind(index), SOURCE, TAP), counts, lanes, body).rows(code.lo, code.hi)


def _route(code: Code, counts: Sequence[int], index: str, lanes: int) -> None:
    def body(place: Place) -> None:
        with place.lines(place.zeros()) as line:
            line.next = line.values
            for tap in range(place.taps):
                this = tap_number(code, place.tap(line.i, 3, tap), TYPES[index], place.strip.lanes)
                line.next = [
                    code.fadd(old, _routed(code, place, this, place.tap(line.i, 1, tap, *spot), place.tap(line.i, 2, tap, *spot), index))
                    for old, spot in zip(line.next, place.spots, strict=True)
                ]
        place.write(0, line.result)

    Walk(code, (RESULT, SOURCE, Kind(index, source=True, tapped=True), TAP), counts, lanes, body).rows(code.lo, code.hi)


def _routed(code: Code, place: Place, this: ir.Value, dy: Number, at: Number, index: str) -> ir.Value:
    hit = code.b.icmp_unsigned("==", place.strip.load(code, at, index), this)
    return code.b.select(hit, place.strip.load(code, dy), place.zeros()[0])

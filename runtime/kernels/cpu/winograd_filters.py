"""Filters packed for Winograd's products, U = G w G': PANEL of them side by side, and zeros for those missing in the last panel."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from netcompiler.plan import PANEL
from runtime.arrays import Array
from runtime.kernels.cpu.code import LANES, Code, Number
from runtime.kernels.cpu.driver import Step
from runtime.kernels.cpu.packing import transposed
from runtime.kernels.cpu.winograd_transforms import weights

FAR = 8 << 20
"""Bytes of packed filters."""


def pack_winograd4(p: Array, w: Array, *, form: str, groups: int, elements: int) -> Iterator[Step]:
    yield _packed(p, w, 3)


def pack_winograd2(p: Array, w: Array, *, form: str, groups: int, elements: int) -> Iterator[Step]:
    yield _packed(p, w, 5)


def pack_winograd4_dx(p: Array, w: Array, *, form: str, groups: int, elements: int) -> Iterator[Step]:
    yield _packed_turned(p, w, 3)


def pack_winograd2_dx(p: Array, w: Array, *, form: str, groups: int, elements: int) -> Iterator[Step]:
    yield _packed_turned(p, w, 5)


def _packed(p: Array, w: Array, taps: int) -> Step:
    """p[point, panel, c, j] of filter panel * PANEL + j"""
    k, c = len(w), w.shape[-1]
    panels, lines = -(-k // PANEL), -(-c // LANES)
    args = (p.ctypes.data, panels * c * PANEL * 4, c, w.ctypes.data, *w.strides[:3:2], k, _far(p))
    return Step((_pack, taps), args, panels * lines, 64, taps * taps * LANES * LANES * 4)


def _packed_turned(p: Array, w: Array, taps: int) -> Step:
    """p[point, panel, k, j] of channel panel * PANEL + j, the last tap first"""
    k, c = len(w), w.shape[-1]
    panels = -(-c // PANEL)
    args = (p.ctypes.data, panels * k * PANEL * 4, k, w.ctypes.data, *w.strides[:3:2], c, _far(p))
    return Step((_pack_turned, taps), args, panels * k, 64)


def _far(p: Array) -> bool:
    """Whether it is too large to be found in a cache by who reads it; a value of a plan begins at a line."""
    return p.nbytes > FAR and p.ctypes.data % (LANES * 4) == 0


def _pack(code: Code, side: int) -> None:
    """An item is a panel and LANES channels. Filters lie apart in w: they are transposed to vectors before the transform, which
    makes four times as many of them."""
    u, plane, channels, w, apart, tap, filters, far = map(code.arg, range(8))
    lines = code.div(code.add(channels, LANES - 1), LANES)
    with code.loop(code.lo, code.hi) as item:
        panel, first = code.div(item, lines), code.mul(code.rem(item, lines), LANES)
        left = code.sub(channels, first)
        with code.loop(0, PANEL, LANES) as j:
            k = code.add(code.mul(panel, PANEL), j)
            with code.loop(0, side * side) as t:
                source = code.total(w, code.mul(k, apart), code.mul(t, tap), code.mul(first, 4))
                rows = []
                for row in range(LANES):
                    there = code.compare("<", code.add(k, row), filters)
                    count = code.b.select(there, left, code.whole(0))
                    address = code.b.select(there, code.add(source, code.mul(apart, row)), w)
                    rows.append(code.load_masked(address, code.mask(count, LANES)))
                for column, vector in enumerate(transposed(code, rows)):
                    code.store(vector, code.at(code.scratch, code.add(code.mul(t, LANES * LANES), column * LANES)))
            with code.loop(0, code.min(left, LANES)) as c:
                here = code.at(code.scratch, code.mul(c, LANES))
                taps = [code.load(code.at(here, t * LANES * LANES), lanes=LANES) for t in range(side * side)]
                line = code.total(code.mul(panel, channels), first, c)
                _store_points(code, side, taps, code.at(u, code.add(code.mul(line, PANEL), j)), plane, far)


def _pack_turned(code: Code, side: int) -> None:
    """An item is a panel and a filter: its channels are side by side already."""
    u, plane, filters, w, apart, tap, channels, far = map(code.arg, range(8))
    with code.loop(code.lo, code.hi) as item:
        panel, k = code.div(item, filters), code.rem(item, filters)
        with code.loop(0, PANEL, LANES) as j:
            c = code.add(code.mul(panel, PANEL), j)
            mask = code.mask(code.sub(channels, c), LANES)
            source = code.total(w, code.mul(k, apart), code.mul(c, 4))
            taps = [code.load_masked(code.add(source, code.mul(tap, t)), mask) for t in reversed(range(side * side))]
            _store_points(code, side, taps, code.at(u, code.add(code.mul(item, PANEL), j)), plane, far)


def _store_points(code: Code, side: int, taps: Sequence[Any], address: Number, plane: Number, far: Number) -> None:
    """G w G' of side * side vectors, one to each plane."""
    columns = [weights(code, taps[j::side]) for j in range(side)]
    points = [vector for row in zip(*columns, strict=True) for vector in weights(code, row)]
    for truth, store in ((1, code.store_past), (0, code.store)):
        with code.when(code.compare("==", far, truth)):
            for point, vector in enumerate(points):
                store(vector, code.add(address, code.mul(plane, point)))

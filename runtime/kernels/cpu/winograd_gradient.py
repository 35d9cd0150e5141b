"""The gradient of 3x3 filters by Winograd: sums over tiles of (A dy A')(B' x B) point by point, then dw = G' sums G.

The work is cut by groups of filters and channels, whose sums stay in the cache, and by shares of the tiles where groups are few;
what is summed together depends on shapes alone. The transforms are made again in each group, at a few hundredths of its products.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from runtime.arrays import Array, aligned
from runtime.kernels.cpu.block import accumulate
from runtime.kernels.cpu.code import LANES, Code, Number
from runtime.kernels.cpu.driver import Step
from runtime.kernels.cpu.machine import machine
from runtime.kernels.cpu.winograd_tiles import POINTS, REACH, SIDE, Grid, Picture, Planes, Tiles, records, spread, transform
from runtime.kernels.cpu.winograd_transforms import data, gradients, weights_gradient

ROWS, COLUMNS, BLOCK = machine().rows, machine().columns, machine().block


class Work(NamedTuple):
    """How the work is cut: `shares` of so many tiles, a `block` of them at a time; groups of `k` filters and `c` channels."""

    share: Number
    block: Number
    k: Number
    c: Number
    k_groups: Number
    c_groups: Number
    v_plane: Number
    d_plane: Number


class Sums(NamedTuple):
    """Of a group: for each point a plane of register blocks, `panels` of them side by side."""

    address: Number
    share: Number
    shares: Number
    group: Number
    plane: Number
    panels: Number

    def at(self, code: Code, rows: int, point: Number, k: Number, panel: Number) -> Number:
        line = code.mul(code.total(code.mul(code.div(k, rows), self.panels), panel), rows)
        return code.total(self.address, code.mul(self.plane, point), code.mul(code.add(line, code.rem(k, rows)), BLOCK * 4))


class Filters(NamedTuple):
    address: Number
    filter: Number
    tap: Number


def gradient(w: Array, x: Array, y: Array, low: tuple[int, int]) -> Iterator[Step]:
    grid = Grid.over(y, *low)
    k, c = y.shape[-1], x.shape[-1]
    k_span, c_span, shares, block = cut(grid.tiles, k, c)
    rows = even(k_span)
    groups = -(-k // k_span), -(-c // c_span)
    pitches = whole(c_span, BLOCK), whole(k_span, LANES)
    v_plane, d_plane = (spread(block * pitch * 4) for pitch in pitches)
    plane = whole(k_span, rows) * pitches[0] * 4
    group = spread(plane) * POINTS
    work = Work(whole(-(-grid.tiles // shares), 1), block, k_span, c_span, *groups, v_plane, d_plane)
    held = aligned(shares * groups[0] * groups[1] * group) if shares > 1 else None
    sums = Sums(
        held.ctypes.data if held is not None else 0, group * groups[0] * groups[1], shares, group, spread(plane), pitches[0] // BLOCK
    )
    args = (*Picture.of(x), *Picture.of(y), *grid, *work, *sums, w.ctypes.data, *w.strides[:3:2])
    patch = POINTS * max(pitches) * 4
    scratch = POINTS * (v_plane + d_plane) + patch + (0 if shares > 1 else group)
    structure = rows, c % LANES != 0
    yield Step((_gradient, *structure, shares == 1), args, shares * groups[0] * groups[1], 64, scratch, (held,))
    if shares > 1:
        yield Step((_gathered, *structure), args, k, 64, 0, (held,))


def cut(tiles: int, k: int, c: int) -> tuple[int, int, int, int]:
    """Filters and channels of a group, shares of the tiles, tiles of a block."""
    span = 64
    k_span, c_span = min(k, span), min(c, span)
    groups = -(-k // k_span) * -(-c // c_span)
    shares = max(1, min(16 // groups, tiles // 56))
    return k_span, c_span, shares, min(56, -(-tiles // shares))


def even(n: int) -> int:
    """The rows of register blocks that n rows fill best: the largest such."""
    return -(-n // -(-n // ROWS))


def whole(n: int, of: int) -> int:
    return -(-n // of) * of


def _gradient(code: Code, rows: int, ragged: bool, alone: bool) -> None:
    x, y, grid, work, sums, w = records(code, Picture, Picture, Grid, Work, Sums, Filters)
    v = Planes(code.scratch, work.v_plane, code.mul(sums.panels, BLOCK))
    d = Planes(code.add(v.address, code.mul(v.plane, POINTS)), work.d_plane, rounded(code, work.k, LANES))
    patch = code.add(d.address, code.mul(d.plane, POINTS))
    behind = code.add(patch, code.mul(code.max(v.pitch, d.pitch), POINTS * 4))
    groups = code.mul(work.k_groups, work.c_groups)
    with code.loop(code.lo, code.hi) as item:
        share, group = code.div(item, groups), code.rem(item, groups)
        k, c = code.mul(code.div(group, work.c_groups), work.k), code.mul(code.rem(group, work.c_groups), work.c)
        channels, filters = code.min(work.c, code.sub(x.channels, c)), code.min(work.k, code.sub(y.channels, k))
        own = sums._replace(address=behind if alone else code.add(sums.address, code.mul(item, sums.group)))
        begin = code.mul(share, work.share)
        end = code.min(grid.tiles, code.add(begin, work.share))
        with code.loop(begin, end, work.block) as first:
            tiles = Tiles(first, code.min(work.block, code.sub(end, first)))
            transform(code, part_of(code, x, c, channels), grid, tiles, v, REACH, data, patch)
            transform(code, part_of(code, y, k, filters), grid, tiles, d, SIDE, gradients, patch)
            _products(code, rows, tiles.count, filters, code.compare("==", first, begin), v, d, own)
        if alone:
            target = code.total(w.address, code.mul(k, w.filter), code.mul(c, 4))
            with code.loop(0, filters) as i:
                _finish(code, rows, ragged, i, channels, own, 1, w._replace(address=code.add(target, code.mul(i, w.filter))))


def _products(code: Code, rows: int, count: Number, filters: Number, new: Any, v: Planes, d: Planes, sums: Sums) -> None:
    with code.loop(0, POINTS) as point, code.loop(0, filters, rows) as k, code.loop(0, sums.panels) as panel:
        target = sums.at(code, rows, point, k, panel)
        old = [code.load(code.at(target, i * LANES), lanes=LANES) for i in range(rows * COLUMNS)]
        start = [code.b.select(new, code.real(0.0, LANES), value) for value in old]
        left = [d.at(code, point, 0, code.add(k, r)) for r in range(rows)]
        right = v.at(code, point, 0, code.mul(panel, BLOCK))
        for i, value in enumerate(accumulate(code, start, left, right, count, step=d.pitch, pitch=v.pitch)):
            code.store(value, code.at(target, i * LANES))


def _gathered(code: Code, rows: int, ragged: bool) -> None:
    """The shares of a filter's sums, one after the other."""
    x, _, _, work, sums, w = records(code, Picture, Picture, Grid, Work, Sums, Filters)
    with code.loop(code.lo, code.hi) as k, code.loop(0, work.c_groups) as c:
        group = code.add(code.mul(code.div(k, work.k), work.c_groups), c)
        own = sums._replace(address=code.add(sums.address, code.mul(group, sums.group)))
        begin = code.mul(c, work.c)
        channels = code.min(work.c, code.sub(x.channels, begin))
        target = code.total(w.address, code.mul(k, w.filter), code.mul(begin, 4))
        _finish(code, rows, ragged, code.rem(k, work.k), channels, own, sums.shares, w._replace(address=target))


def _finish(code: Code, rows: int, ragged: bool, k: Number, channels: Number, sums: Sums, shares: Number, w: Filters) -> None:
    """dw = G' sums G of one filter."""
    with code.loop(0, channels, LANES) as c:
        place = code.at(sums.at(code, rows, 0, k, code.div(c, BLOCK)), code.rem(c, BLOCK))
        columns = []
        for j in range(REACH):
            with code.reduce(0, shares, 1, [code.real(0.0, LANES)] * REACH) as carried:
                share = code.add(place, code.mul(carried.i, sums.share))
                points = [code.load(code.add(share, code.mul(sums.plane, i * REACH + j)), lanes=LANES) for i in range(REACH)]
                carried.next = [code.fadd(old, new) for old, new in zip(carried.values, points, strict=True)]
            columns.append(weights_gradient(code, carried.result))
        taps = [tap for row in zip(*columns, strict=True) for tap in weights_gradient(code, row)]
        for t, tap in enumerate(taps):
            address = code.at(code.add(w.address, code.mul(w.tap, t)), c)
            if ragged:
                code.store_masked(tap, address, code.mask(code.sub(channels, c), LANES))
            else:
                code.store(tap, address)


def part_of(code: Code, x: Picture, begin: Number, channels: Number) -> Picture:
    return x._replace(address=code.at(x.address, begin), channels=channels)


def rounded(code: Code, n: Number, to: int) -> Number:
    return code.mul(code.div(code.add(n, to - 1), to), to)

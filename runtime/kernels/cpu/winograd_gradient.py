"""The gradient of filters by Winograd: sums over tiles of (A dy A')(B' x B) point by point, then dw = G' sums G.

The work is cut by groups of filters and channels, whose sums stay in the cache, and by shares of the tiles where groups are few;
what is summed together depends on shapes alone. The transforms are made again in each group, at a few hundredths of its products.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from runtime.arrays import Array, aligned
from runtime.kernels.cpu.block import accumulate
from runtime.kernels.cpu.code import LANES, Code, Number
from runtime.kernels.cpu.driver import Step
from runtime.kernels.cpu.machine import machine
from runtime.kernels.cpu.winograd_tiles import (
    PARTS,
    POINTS,
    REACH,
    Channels,
    Grid,
    Picture,
    Planes,
    Tiles,
    addresses,
    height,
    is_ragged,
    points_of,
    records,
    side_of,
    spread,
    transform,
)
from runtime.kernels.cpu.winograd_transforms import data, gradients, weights_gradient

COLUMNS, BLOCK = machine().columns, machine().block


class Work(NamedTuple):
    """How the work is cut: `shares` of so many tiles, a `block` of them at a time; groups of `k` filters and `c` channels."""

    zeros: Number
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
    taps = w.shape[1]
    grid = Grid.over(y, *low, taps)
    k, c = y.shape[-1], x.shape[-1]
    k_span, c_span, shares, block = cut(grid.tiles, k, c)
    rows = height(k_span)
    groups = -(-k // k_span), -(-c // c_span)
    pitches = whole(c_span, BLOCK), whole(k_span, LANES)
    v_plane, d_plane = (spread(block * pitch * 4) for pitch in pitches)
    plane = whole(k_span, rows) * pitches[0] * 4
    group = spread(plane) * POINTS
    zero = np.zeros(max(k, c) + LANES, np.float32)
    work = Work(zero.ctypes.data, -(-grid.tiles // shares), block, k_span, c_span, *groups, v_plane, d_plane)
    held = aligned(shares * groups[0] * groups[1] * group) if shares > 1 else None
    sums = Sums(
        held.ctypes.data if held is not None else 0, group * groups[0] * groups[1], shares, group, spread(plane), pitches[0] // BLOCK
    )
    args = (*Picture.of(x), *Picture.of(y), *grid, *work, *sums, w.ctypes.data, *w.strides[:3:2])
    scratch = 2 * REACH * (v_plane + d_plane) + (POINTS + grid.side**2) * block * 8 + (0 if shares > 1 else group)
    structure = taps, rows, is_ragged(x, taps)
    yield Step((_gradient, *structure, is_ragged(y, taps), shares == 1), args, shares * groups[0] * groups[1], 64, scratch, (held, zero))
    if shares > 1:
        yield Step((_gathered, *structure), args, k, 16, 0, (held,))


SPAN, TILES, ITEMS = 128, 112, 8
"""Filters and channels of a group, whose sums stay in the last cache; tiles of a block; parts of the work that are wanted."""


def cut(tiles: int, k: int, c: int) -> tuple[int, int, int, int]:
    """Filters and channels of a group, shares of the tiles, tiles of a block. Half of the filters cost little more."""
    c_groups, k_groups = -(-c // SPAN), -(-k // SPAN)
    if c_groups * k_groups < ITEMS:
        k_groups = -(-k // (SPAN // 2))
    shares = max(1, min(ITEMS // (c_groups * k_groups), tiles // (2 * TILES)))
    share = -(-tiles // shares)
    return whole(-(-k // k_groups), LANES), whole(-(-c // c_groups), BLOCK), shares, -(-share // -(-share // TILES))


def whole(n: int, of: int) -> int:
    return -(-n // of) * of


def _gradient(code: Code, taps: int, rows: int, ragged: bool, gaps: bool, alone: bool) -> None:
    side = side_of(taps)
    x, y, grid, work, sums, w = records(code, Picture, Picture, Grid, Work, Sums, Filters)
    v = Planes(code.scratch, work.v_plane, code.mul(sums.panels, BLOCK))
    d = Planes(v.behind(code, 2 * REACH), work.d_plane, rounded(code, work.k, LANES))
    x_table = d.behind(code, 2 * REACH)
    y_table = code.at(x_table, code.mul(work.block, POINTS), "i64")
    behind = code.at(y_table, code.mul(work.block, side * side), "i64")
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
            addresses(code, x, grid, tiles, REACH, work.zeros, x_table)
            addresses(code, y, grid, tiles, side, work.zeros, y_table)
            with code.loop(0, PARTS) as part:
                for p in range(PARTS):
                    with code.when(code.compare("==", part, p)):
                        transform(code, x_table, Channels(c, channels, ragged), tiles.count, v, REACH, data, p)
                        transform(code, y_table, Channels(k, filters, gaps), tiles.count, d, side, gradients, p)
                _products(code, rows, part, tiles.count, filters, code.compare("==", first, begin), v, d, own)
        if alone:
            target = code.total(w.address, code.mul(k, w.filter), code.mul(c, 4))
            with code.loop(0, filters) as i:
                _finish(code, taps, rows, ragged, i, channels, own, 1, w._replace(address=code.add(target, code.mul(i, w.filter))))


def _products(code: Code, rows: int, part: Number, count: Number, filters: Number, new: Any, v: Planes, d: Planes, sums: Sums) -> None:
    begin, end = points_of(code, part)
    with code.loop(begin, end) as point, code.loop(0, filters, rows) as k, code.loop(0, sums.panels) as panel:
        target = sums.at(code, rows, point, k, panel)
        size = rows * COLUMNS
        for i in range(size):  # the next block of sums, which lies behind this one
            code.prefetch(code.at(target, (size + i) * LANES), write=True)
        old = [code.load(code.at(target, i * LANES), lanes=LANES) for i in range(size)]
        start = [code.b.select(new, code.real(0.0, LANES), value) for value in old]
        here = code.sub(point, begin)
        left = [d.at(code, here, 0, code.add(k, r)) for r in range(rows)]
        right = v.at(code, here, 0, code.mul(panel, BLOCK))
        for i, value in enumerate(accumulate(code, start, left, right, count, step=d.pitch, pitch=v.pitch)):
            code.store(value, code.at(target, i * LANES))


def _gathered(code: Code, taps: int, rows: int, ragged: bool) -> None:
    """The shares of a filter's sums, one after the other."""
    x, _, _, work, sums, w = records(code, Picture, Picture, Grid, Work, Sums, Filters)
    with code.loop(code.lo, code.hi) as k, code.loop(0, work.c_groups) as c:
        group = code.add(code.mul(code.div(k, work.k), work.c_groups), c)
        own = sums._replace(address=code.add(sums.address, code.mul(group, sums.group)))
        begin = code.mul(c, work.c)
        channels = code.min(work.c, code.sub(x.channels, begin))
        target = code.total(w.address, code.mul(k, w.filter), code.mul(begin, 4))
        _finish(code, taps, rows, ragged, code.rem(k, work.k), channels, own, sums.shares, w._replace(address=target))


def _finish(code: Code, side: int, rows: int, ragged: bool, k: Number, channels: Number, sums: Sums, shares: Number, w: Filters) -> None:
    """dw = G' sums G of one filter."""
    with code.loop(0, channels, LANES) as c:
        place = code.at(sums.at(code, rows, 0, k, code.div(c, BLOCK)), code.rem(c, BLOCK))
        columns = []
        for j in range(REACH):
            with code.reduce(0, shares, 1, [code.real(0.0, LANES)] * REACH) as carried:
                share = code.add(place, code.mul(carried.i, sums.share))
                points = [code.load(code.add(share, code.mul(sums.plane, i * REACH + j)), lanes=LANES) for i in range(REACH)]
                carried.next = [code.fadd(old, new) for old, new in zip(carried.values, points, strict=True)]
            columns.append(weights_gradient(code, carried.result, side))
        taps = [tap for row in zip(*columns, strict=True) for tap in weights_gradient(code, row, side)]
        for t, tap in enumerate(taps):
            address = code.at(code.add(w.address, code.mul(w.tap, t)), c)
            if ragged:
                code.store_masked(tap, address, code.mask(code.sub(channels, c), LANES))
            else:
                code.store(tap, address)


def rounded(code: Code, n: Number, to: int) -> Number:
    return code.mul(code.div(code.add(n, to - 1), to), to)

"""Winograd's products over blocks of tiles: V = B' x B, M = V U point by point, y = A' M A, and what is behind that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from netcompiler.plan import PANEL
from runtime.arrays import Array
from runtime.kernels.behind import Behind
from runtime.kernels.cpu.block import accumulate, zeros
from runtime.kernels.cpu.code import LANES, Code, Number
from runtime.kernels.cpu.driver import Step
from runtime.kernels.cpu.finish import Finish, Finishing, Writer
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
    spread,
    transform,
)
from runtime.kernels.cpu.winograd_transforms import data, results

COLUMNS, BLOCK = machine().columns, machine().block


class Work(NamedTuple):
    """How a convolution is cut: `block` tiles at a time, results in so many `groups`. V and M lie in scratch: floats from one of
    their tiles to the next, bytes from one point to the next, and in the `tile` of results from one pixel to the next."""

    packed: Number
    zeros: Number
    panels: Number
    block: Number
    groups: Number
    v_pitch: Number
    v_plane: Number
    m_pitch: Number
    m_plane: Number
    tile: Number


def convolution(x: Array, packed: Array, low: Sequence[int], taps: int, behind: Behind) -> Step:
    """With `taps` by `taps` of them, and `low` zeros before rows and columns; the other padding is where the results end."""
    finishing = Finishing(behind)
    y = finishing.cells[0]
    top, left = low
    grid = Grid.over(y, top, left, taps)
    panels = -(-y.shape[-1] // PANEL)
    block, rows, blocks, groups = cut(grid.tiles, panels, packed.nbytes)
    v_pitch, m_pitch = -(-x.shape[-1] // LANES) * LANES, -(-panels // groups) * PANEL
    v_plane, m_plane, tile = (spread(n * 4) for n in (block * v_pitch, block * m_pitch, m_pitch))
    zero = np.zeros(v_pitch, np.float32)
    work = Work(packed.ctypes.data, zero.ctypes.data, panels, block, groups, v_pitch, v_plane, m_pitch, m_plane, tile)
    kernel = (_convolution, grid.side, rows, is_ragged(x, taps), is_ragged(y, taps), finishing.structure)
    cells = [n for cell in finishing.cells for n in Picture.of(cell)]
    scratch = 2 * REACH * v_plane + POINTS * (m_plane + block * 8) + grid.side**2 * tile
    return Step(kernel, (*Picture.of(x), *grid, *work, *cells, *finishing.numbers), blocks * groups, 64, scratch, (zero,))


NEAR, FEW, MANY, ITEMS = 4 << 20, 2, 8, 8
"""Bytes of filters that a cache still holds at the next block; register blocks of tiles if it does, and if they come from memory
each time; parts of the work that are wanted."""


def cut(tiles: int, panels: int, filters: int) -> tuple[int, int, int, int]:
    """Tiles of a block, the rows of a register block, blocks, and groups of panels: where blocks are few, the results of each
    are made by several, and each makes the same V, so that filters are still read once."""
    rows = height(tiles)
    together = -(-tiles // rows)
    blocks = -(-together // (FEW if filters <= NEAR else MANY))
    block = -(-together // blocks) * rows
    groups = min(panels, -(-ITEMS // blocks))
    return block, rows, -(-tiles // block), -(-panels // -(-panels // groups))


def _convolution(code: Code, side: int, rows: int, gaps: bool, ragged: bool, finish: Finish) -> None:
    kinds: list[Any] = [Picture, Grid, Work, *(Picture for _ in finish.cells)]
    x, grid, work, *cells = records(code, *kinds)
    writer = Writer(code, finish, sum(len(kind._fields) for kind in kinds))
    v = Planes(code.scratch, work.v_plane, work.v_pitch)
    m = Planes(v.behind(code, 2 * REACH), work.m_plane, work.m_pitch)
    tile = Planes(m.behind(code, POINTS), work.tile, 0)
    table = tile.behind(code, side * side)
    with code.loop(code.lo, code.hi) as item:
        first = code.mul(code.div(item, work.groups), work.block)
        begin = code.mul(code.rem(item, work.groups), work.m_pitch)
        group = Channels(begin, code.min(work.m_pitch, code.sub(cells[0].channels, begin)), ragged)
        tiles = Tiles(first, code.min(work.block, code.sub(grid.tiles, first)))
        addresses(code, x, grid, tiles, REACH, work.zeros, table)
        with code.loop(0, PARTS) as part:
            for p in range(PARTS):
                with code.when(code.compare("==", part, p)):
                    transform(code, table, Channels(0, x.channels, gaps), tiles.count, v, REACH, data, p)
            _products(code, work, x.channels, group, tiles.count, rows, part, v, m)
        _results(code, side, grid, tiles, m, tile, _Writing(writer, cells, group))


def _products(
    code: Code, work: Work, channels: Number, group: Channels, count: Number, rows: int, part: Number, v: Planes, m: Planes
) -> None:
    """M = V U point by point: a panel of U, which comes from afar, serves all tiles of the block."""
    begin, end = points_of(code, part)
    with code.loop(begin, end) as point, code.loop(0, group.count, BLOCK) as k:
        filters = code.add(group.first, k)
        panel = code.add(code.mul(point, work.panels), code.div(filters, PANEL))
        right = code.at(work.packed, code.add(code.mul(panel, code.mul(channels, PANEL)), code.rem(filters, PANEL)))
        with code.loop(0, count, rows) as t:
            lines = [v.at(code, code.sub(point, begin), code.add(t, r), 0) for r in range(rows)]
            sums = accumulate(code, zeros(code, rows, COLUMNS), lines, right, channels, pitch=PANEL)
            for r in range(rows):
                target = m.at(code, point, code.add(t, r), k)
                for j in range(COLUMNS):
                    code.store(sums[r * COLUMNS + j], code.at(target, j * LANES))


class _Writing(NamedTuple):
    """What writes results, and where: the first of the pictures is the result."""

    writer: Writer
    cells: Sequence[Picture]
    group: Channels


def _results(code: Code, side: int, grid: Grid, tiles: Tiles, m: Planes, tile: Planes, writing: _Writing) -> None:
    """y = A' M A of a block, each tile by way of a copy: the map behind it is code that stands but once."""
    y = writing.cells[0]
    with code.loop(0, tiles.count) as t:
        with code.loop(0, writing.group.count, LANES) as c:
            columns = []
            for j in range(REACH):
                points = [code.load(m.at(code, i * REACH + j, t, c), lanes=LANES) for i in range(REACH)]
                columns.append(results(code, points, side))
            vectors = [vector for row in zip(*columns, strict=True) for vector in results(code, row, side)]
            for pixel, vector in enumerate(vectors):
                code.store(vector, tile.at(code, pixel, 0, c))
        spot = grid.spot(code, code.add(tiles.first, t))
        down, across = code.min(side, code.sub(y.height, spot.row)), code.min(side, code.sub(y.width, spot.column))
        with code.loop(0, down) as i, code.loop(0, across) as j:
            source = tile.at(code, code.add(code.mul(i, side), j), 0, 0)
            places = [cell.at(code, spot.n, code.add(spot.row, i), code.add(spot.column, j)) for cell in writing.cells]
            _write(code, source, places, writing)


def _write(code: Code, source: Number, places: Sequence[Number], writing: _Writing) -> None:
    """The channels of a pixel."""
    writer, group = writing.writer, writing.group
    with code.loop(0, group.count, LANES) as c:
        channel = code.add(group.first, c)
        mask = code.mask(code.sub(group.count, c), LANES) if group.ragged else None
        at = [code.at(place, channel, dtype) for place, dtype in zip(places, writer.finish.cells, strict=True)]
        writer.write(code.load(code.at(source, c), lanes=LANES), at, channel, mask)

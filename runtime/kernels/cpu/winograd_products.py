"""Winograd's products over blocks of tiles: V = B' x B, M = V U point by point, y = A' M A."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from runtime.arrays import Array
from runtime.kernels.cpu.block import accumulate, zeros
from runtime.kernels.cpu.code import LANES, Code, Number
from runtime.kernels.cpu.driver import Step
from runtime.kernels.cpu.machine import machine
from runtime.kernels.cpu.winograd_filters import BLOCK
from runtime.kernels.cpu.winograd_tiles import POINTS, REACH, Grid, Picture, Planes, Spot, records, spread, transform
from runtime.kernels.cpu.winograd_transforms import data, results

ROWS, COLUMNS = machine().rows, machine().columns
Behind = Callable[[Code, Any, Spot, Number], None]
"""What becomes of a vector of results: their picture, row and column, and the channel of the first."""


class Work(NamedTuple):
    """How a convolution is cut: `block` tiles at a time, results in `groups` of so many `panels` of U. V, and M of a group, lie
    in scratch: floats from one of their tiles to the next, bytes from one point to the next."""

    u: Number
    block: Number
    groups: Number
    panels: Number
    v_pitch: Number
    v_plane: Number
    m_pitch: Number
    m_plane: Number


def convolution(y: Array, x: Array, u: Array, low: Sequence[int]) -> Step:
    """`low` zeros before rows and columns; the other padding is where y ends."""
    top, left = low
    grid = Grid.over(y, top, left)
    block, rows = cut(grid.tiles)
    groups, panels = 1, u.shape[1]
    v_pitch, m_pitch = -(-x.shape[-1] // LANES) * LANES, panels * BLOCK
    v_plane, m_plane = (spread(block * pitch * 4) for pitch in (v_pitch, m_pitch))
    work = Work(u.ctypes.data, block, groups, panels, v_pitch, v_plane, m_pitch, m_plane)
    kernel = (_convolution, rows, y.shape[-1] % LANES != 0)
    scratch = POINTS * (v_plane + m_plane + v_pitch * 4)
    return Step(kernel, (*Picture.of(x), *Picture.of(y), *grid, *work), -(-grid.tiles // block) * groups, 64, scratch, (u,))


def cut(tiles: int) -> tuple[int, int]:
    """Tiles of a block, and the rows of a register block: of all blocks that are full in the end, the largest."""
    blocks = -(-tiles // (2 * ROWS))
    block = -(-tiles // blocks)
    rows = -(-block // -(-block // ROWS))
    return -(-block // rows) * rows, rows


def _convolution(code: Code, rows: int, ragged: bool) -> None:
    x, y, grid, work = records(code, Picture, Picture, Grid, Work)
    v = Planes(code.scratch, work.v_plane, work.v_pitch)
    m = Planes(code.add(v.address, code.mul(v.plane, POINTS)), work.m_plane, work.m_pitch)
    patch = code.add(m.address, code.mul(m.plane, POINTS))
    with code.loop(code.lo, code.hi) as item:
        block, group = code.div(item, work.groups), code.rem(item, work.groups)
        first = code.mul(block, work.block)
        tiles = first, code.min(work.block, code.sub(grid.tiles, first))
        with code.when(code.b.or_(code.compare("==", group, 0), code.compare("==", item, code.lo))):
            transform(code, x, grid, tiles, v, REACH, data, patch)
        _products(code, x.channels, work, tiles[1], rows, code.mul(group, work.panels), v, m)
        _results(code, y, grid, tiles, code.mul(group, m.pitch), m, stored(y, ragged))


def _products(code: Code, channels: Number, work: Work, count: Number, rows: int, panel: Number, v: Planes, m: Planes) -> None:
    """M = V U point by point: a panel of U, which comes from afar, serves all tiles of the block."""
    panels = code.mul(work.groups, work.panels)
    with code.loop(0, POINTS) as point, code.loop(0, work.panels) as p:
        place = code.total(code.mul(point, panels), panel, p)
        right = code.at(work.u, code.mul(place, code.mul(channels, BLOCK)))
        with code.loop(0, count, rows) as t:
            lines = [v.at(code, point, code.add(t, r), 0) for r in range(rows)]
            sums = accumulate(code, zeros(code, rows, COLUMNS), lines, right, channels)
            for r in range(rows):
                target = m.at(code, point, code.add(t, r), code.mul(p, BLOCK))
                for j in range(COLUMNS):
                    code.store(sums[r * COLUMNS + j], code.at(target, j * LANES))


def _results(code: Code, y: Picture, grid: Grid, tiles: tuple[Number, Number], begin: Number, m: Planes, behind: Behind) -> None:
    """y = A' M A of a block of tiles, and the channels from `begin` on that lie in M."""
    first, count = tiles
    with code.loop(0, count) as t:
        spot = grid.spot(code, code.add(first, t))
        with code.loop(0, code.min(m.pitch, code.sub(y.channels, begin)), LANES) as c:
            columns = []
            for j in range(REACH):
                points = [code.load(m.at(code, i * REACH + j, t, c), lanes=LANES) for i in range(REACH)]
                columns.append(results(code, points))
            for i, row in enumerate(zip(*columns, strict=True)):
                with code.when(code.compare("<", code.add(spot.row, i), y.height)):
                    for j, vector in enumerate(results(code, row)):
                        with code.when(code.compare("<", code.add(spot.column, j), y.width)):
                            behind(code, vector, Spot(spot.n, code.add(spot.row, i), code.add(spot.column, j)), code.add(begin, c))


def stored(y: Picture, ragged: bool) -> Behind:
    def behind(code: Code, vector: Any, spot: Spot, channel: Number) -> None:
        address = code.at(y.at(code, *spot), channel)
        if ragged:
            code.store_masked(vector, address, code.mask(code.sub(y.channels, channel), LANES))
        else:
            code.store(vector, address)

    return behind

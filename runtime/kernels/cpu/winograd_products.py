"""Winograd's products over blocks of tiles: V = B' x B, M = V U point by point, y = A' M A, and what is behind that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from netcompiler.plan import PANEL
from runtime.arrays import Array
from runtime.kernels.cpu.block import accumulate, zeros
from runtime.kernels.cpu.code import LANES, Code, Number
from runtime.kernels.cpu.driver import Step
from runtime.kernels.cpu.finish import Behind, Finish, Finishing, Writer
from runtime.kernels.cpu.machine import machine
from runtime.kernels.cpu.winograd_tiles import POINTS, REACH, SIDE, Grid, Picture, Planes, Tiles, records, spread, transform
from runtime.kernels.cpu.winograd_transforms import data, results

ROWS, COLUMNS, BLOCK = machine().rows, machine().columns, machine().block


class Work(NamedTuple):
    """How a convolution is cut: `block` tiles at a time. V and M lie in scratch: floats from one of their tiles to the next,
    bytes from one point to the next, and in the `tile` of results from one pixel to the next."""

    packed: Number
    block: Number
    v_pitch: Number
    v_plane: Number
    m_pitch: Number
    m_plane: Number
    tile: Number


def convolution(x: Array, packed: Array, low: Sequence[int], behind: Behind) -> Step:
    """`low` zeros before rows and columns; the other padding is where the results end."""
    finishing = Finishing(behind)
    y = finishing.cells[0]
    top, left = low
    grid = Grid.over(y, top, left)
    block, rows = cut(grid.tiles)
    v_pitch, m_pitch = -(-x.shape[-1] // LANES) * LANES, -(-y.shape[-1] // BLOCK) * BLOCK
    v_plane, m_plane, tile = (spread(n * 4) for n in (block * v_pitch, block * m_pitch, m_pitch))
    work = Work(packed.ctypes.data, block, v_pitch, v_plane, m_pitch, m_plane, tile)
    kernel = (_convolution, rows, y.shape[-1] % LANES != 0, finishing.structure)
    cells = [n for cell in finishing.cells for n in Picture.of(cell)]
    scratch = POINTS * (v_plane + m_plane + v_pitch * 4) + SIDE * SIDE * tile
    return Step(kernel, (*Picture.of(x), *grid, *work, *cells, *finishing.numbers), -(-grid.tiles // block), 64, scratch)


def cut(tiles: int) -> tuple[int, int]:
    """Tiles of a block, and the rows of a register block: of all blocks that are full in the end, the largest."""
    blocks = -(-tiles // (2 * ROWS))
    block = -(-tiles // blocks)
    rows = -(-block // -(-block // ROWS))
    return -(-block // rows) * rows, rows


def _convolution(code: Code, rows: int, ragged: bool, finish: Finish) -> None:
    kinds: list[Any] = [Picture, Grid, Work, *(Picture for _ in finish.cells)]
    x, grid, work, *cells = records(code, *kinds)
    writer = Writer(code, finish, sum(len(kind._fields) for kind in kinds))
    v = Planes(code.scratch, work.v_plane, work.v_pitch)
    m = Planes(v.behind(code, POINTS), work.m_plane, work.m_pitch)
    tile = Planes(m.behind(code, POINTS), work.tile, 0)
    patch = tile.behind(code, SIDE * SIDE)
    with code.loop(code.lo, code.hi) as block:
        first = code.mul(block, work.block)
        tiles = Tiles(first, code.min(work.block, code.sub(grid.tiles, first)))
        transform(code, x, grid, tiles, v, REACH, data, patch)
        _products(code, work.packed, x.channels, tiles.count, rows, v, m)
        _results(code, grid, tiles, m, tile, _Writing(writer, cells, ragged))


def _products(code: Code, packed: Number, channels: Number, count: Number, rows: int, v: Planes, m: Planes) -> None:
    """M = V U point by point: a panel of U, which comes from afar, serves all tiles of the block."""
    panels = code.div(code.add(m.pitch, PANEL - 1), PANEL)
    with code.loop(0, POINTS) as point, code.loop(0, m.pitch, BLOCK) as k:
        panel = code.mul(code.add(code.mul(point, panels), code.div(k, PANEL)), code.mul(channels, PANEL))
        right = code.at(packed, code.add(panel, code.rem(k, PANEL)))
        with code.loop(0, count, rows) as t:
            lines = [v.at(code, point, code.add(t, r), 0) for r in range(rows)]
            sums = accumulate(code, zeros(code, rows, COLUMNS), lines, right, channels, pitch=PANEL)
            for r in range(rows):
                target = m.at(code, point, code.add(t, r), k)
                for j in range(COLUMNS):
                    code.store(sums[r * COLUMNS + j], code.at(target, j * LANES))


class _Writing(NamedTuple):
    """What writes results, and where: the first of the pictures is the result."""

    writer: Writer
    cells: Sequence[Picture]
    ragged: bool


def _results(code: Code, grid: Grid, tiles: Tiles, m: Planes, tile: Planes, writing: _Writing) -> None:
    """y = A' M A of a block, each tile by way of a copy: the map behind it is code that stands but once."""
    y = writing.cells[0]
    with code.loop(0, tiles.count) as t:
        with code.loop(0, y.channels, LANES) as c:
            columns = []
            for j in range(REACH):
                points = [code.load(m.at(code, i * REACH + j, t, c), lanes=LANES) for i in range(REACH)]
                columns.append(results(code, points))
            vectors = [vector for row in zip(*columns, strict=True) for vector in results(code, row)]
            for pixel, vector in enumerate(vectors):
                code.store(vector, tile.at(code, pixel, 0, c))
        spot = grid.spot(code, code.add(tiles.first, t))
        down, across = code.min(SIDE, code.sub(y.height, spot.row)), code.min(SIDE, code.sub(y.width, spot.column))
        with code.loop(0, down) as i, code.loop(0, across) as j:
            source = tile.at(code, code.add(code.mul(i, SIDE), j), 0, 0)
            places = [cell.at(code, spot.n, code.add(spot.row, i), code.add(spot.column, j)) for cell in writing.cells]
            _write(code, source, places, writing)


def _write(code: Code, source: Number, places: Sequence[Number], writing: _Writing) -> None:
    """The channels of a pixel."""
    writer, channels = writing.writer, writing.cells[0].channels
    with code.loop(0, channels, LANES) as c:
        mask = code.mask(code.sub(channels, c), LANES) if writing.ragged else None
        at = [code.at(place, c, dtype) for place, dtype in zip(places, writer.finish.cells, strict=True)]
        writer.write(code.load(code.at(source, c), lanes=LANES), at, c, mask)

"""Winograd's products over blocks of tiles: V = B' x B, M = V U point by point, y = A' M A."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Self

from runtime.arrays import Array
from runtime.kernels.cpu.block import accumulate, zeros
from runtime.kernels.cpu.code import LANES, Code, Number
from runtime.kernels.cpu.driver import Step
from runtime.kernels.cpu.machine import machine
from runtime.kernels.cpu.winograd_filters import BLOCK
from runtime.kernels.cpu.winograd_tiles import POINTS, REACH, SIDE, Picture, Tile, square, tile
from runtime.kernels.cpu.winograd_transforms import data, results

ROWS, COLUMNS = machine().rows, machine().columns
Behind = Callable[[Code, Any, Tile, Number], None]
"""What becomes of a vector of results: their picture, row and column, and the channel of the first."""


class Work(NamedTuple):
    """How a convolution is cut: `tiles` in all, `block` of them at a time, `down` and `across` in a picture; results in `groups`
    of so many `panels`. Floats from one tile of V to the next (`pitch`), bytes from one point to the next (`plane`; `heap` in M)."""

    u: Number
    top: Number
    left: Number
    tiles: Number
    block: Number
    down: Number
    across: Number
    groups: Number
    panels: Number
    pitch: Number
    plane: Number
    heap: Number

    @classmethod
    def read(cls, code: Code, first: int) -> Self:
        return cls(*(code.arg(first + i) for i in range(len(cls._fields))))


def convolution(y: Array, x: Array, u: Array, low: Sequence[int]) -> Step:
    """`low` zeros before rows and columns; the other padding is where y ends."""
    down, across = (-(-n // SIDE) for n in y.shape[1:3])
    tiles = len(y) * down * across
    block, rows = cut(tiles)
    groups, panels = 1, u.shape[1]
    top, left = low
    pitch = -(-x.shape[-1] // LANES) * LANES
    plane, heap = spread(block * pitch * 4), spread(block * panels * BLOCK * 4)
    work = Work(u.ctypes.data, top, left, tiles, block, down, across, groups, panels, pitch, plane, heap)
    kernel = (_convolution, rows, y.shape[-1] % LANES != 0)
    scratch = POINTS * (plane + heap + pitch * 4)
    return Step(kernel, (*Picture.of(x), *Picture.of(y), *work), -(-tiles // block) * groups, 64, scratch, (u,))


def cut(tiles: int) -> tuple[int, int]:
    """Tiles of a block, and the rows of a register block: of all blocks that are full in the end, the largest."""
    blocks = -(-tiles // (2 * ROWS))
    block = -(-tiles // blocks)
    rows = -(-block // -(-block // ROWS))
    return -(-block // rows) * rows, rows


def spread(size: int) -> int:
    """Bytes from one plane to the next: an odd number of lines, or else planes would meet in a few sets of the first cache."""
    return (-(-size // 64) | 1) * 64


def _convolution(code: Code, rows: int, ragged: bool) -> None:
    x, y, work = Picture.read(code, 0), Picture.read(code, len(Picture._fields)), Work.read(code, 2 * len(Picture._fields))
    v = code.scratch
    m = code.add(v, code.mul(work.plane, POINTS))
    patch = code.add(m, code.mul(work.heap, POINTS))
    with code.loop(code.lo, code.hi) as item:
        block, group = code.div(item, work.groups), code.rem(item, work.groups)
        first = code.mul(block, work.block)
        count = code.min(work.block, code.sub(work.tiles, first))
        with code.when(code.b.or_(code.compare("==", group, 0), code.compare("==", item, code.lo))):
            _transform(code, x, work, first, count, v, patch)
        panel = code.mul(group, work.panels)
        _products(code, x.channels, work, rows, count, panel, v, m)
        _results(code, y, work, first, count, panel, m, stored(y, ragged))


def _transform(code: Code, x: Picture, work: Work, first: Number, count: Number, v: Number, patch: Number) -> None:
    """V = B' x B of a block; row after row of a tile, so that sums stay in registers."""
    with code.loop(0, count) as t:
        place = tile(code, code.add(first, t), work.down, work.across)
        corner = Tile(place.n, code.sub(place.row, work.top), code.sub(place.column, work.left))
        pixels = square(code, x, corner, REACH, patch, work.pitch)
        with code.loop(0, work.pitch, LANES) as c:
            target = code.at(v, code.add(code.mul(t, work.pitch), c))
            point = 0
            for part in range(4):
                columns = []
                for j in range(REACH):
                    d = [code.load(code.at(pixels.at(code, i, j), c), lanes=LANES) for i in range(REACH)]
                    columns.append(data(code, d, part))
                for row in zip(*columns, strict=True):
                    for vector in (one for part_ in range(4) for one in data(code, row, part_)):
                        code.store(vector, code.add(target, code.mul(work.plane, point)))
                        point += 1


def _products(code: Code, channels: Number, work: Work, rows: int, count: Number, panel: Number, v: Number, m: Number) -> None:
    """M = V U point by point: a panel of U, which comes from afar, serves all tiles of the block."""
    all_panels = code.mul(work.groups, work.panels)
    width = code.mul(work.panels, BLOCK)
    with code.loop(0, POINTS) as point, code.loop(0, work.panels) as p:
        right = code.at(work.u, code.mul(code.total(code.mul(point, all_panels), panel, p), code.mul(channels, BLOCK)))
        with code.loop(0, count, rows) as t:
            left = code.total(v, code.mul(point, work.plane), code.mul(t, code.mul(work.pitch, 4)))
            lines = [code.add(left, code.mul(work.pitch, 4 * r)) for r in range(rows)]
            sums = accumulate(code, zeros(code, rows, COLUMNS), lines, right, channels)
            target = code.total(m, code.mul(point, work.heap), code.at(0, code.add(code.mul(t, width), code.mul(p, BLOCK))))
            for r in range(rows):
                for j in range(COLUMNS):
                    code.store(sums[r * COLUMNS + j], code.total(target, code.at(0, code.mul(width, r)), 4 * j * LANES))


def _results(code: Code, y: Picture, work: Work, first: Number, count: Number, panel: Number, m: Number, behind: Behind) -> None:
    """y = A' M A of a block and its panels."""
    width = code.mul(work.panels, BLOCK)
    begin = code.mul(panel, BLOCK)
    end = code.min(width, code.sub(y.channels, begin))
    with code.loop(0, count) as t:
        place = tile(code, code.add(first, t), work.down, work.across)
        with code.loop(0, end, LANES) as c:
            source = code.at(m, code.add(code.mul(t, width), c))
            columns = []
            for j in range(REACH):
                points = [code.load(code.add(source, code.mul(work.heap, i * REACH + j)), lanes=LANES) for i in range(REACH)]
                columns.append(results(code, points))
            for i, row in enumerate(zip(*columns, strict=True)):
                with code.when(code.compare("<", code.add(place.row, i), y.height)):
                    for j, vector in enumerate(results(code, row)):
                        with code.when(code.compare("<", code.add(place.column, j), y.width)):
                            behind(code, vector, Tile(place.n, code.add(place.row, i), code.add(place.column, j)), code.add(begin, c))


def stored(y: Picture, ragged: bool) -> Behind:
    def behind(code: Code, vector: Any, place: Tile, channel: Number) -> None:
        address = code.at(y.at(code, *place), channel)
        if ragged:
            code.store_masked(vector, address, code.mask(code.sub(y.channels, channel), LANES))
        else:
            code.store(vector, address)

    return behind

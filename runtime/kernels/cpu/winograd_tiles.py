"""Pictures cut into tiles, and tiles transformed: for each point of the transform a plane, in it a row of channels for each tile."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple, Self

from runtime.arrays import Array
from runtime.kernels.cpu.code import LANES, Code, Number
from runtime.kernels.cpu.machine import machine
from runtime.kernels.cpu.winograd_transforms import Transform

REACH = 6
"""Pixels of a tile along an axis."""
POINTS = REACH * REACH


def side_of(taps: int) -> int:
    """Results that a tile gives along an axis."""
    return REACH - taps + 1


class Picture(NamedTuple):
    """Pictures one behind the other: where they begin, bytes from one image, row and pixel to the next, and their sizes.

    The same fields hold numbers where steps are made and values of the table where code is written."""

    address: Number
    image: Number
    row: Number
    pixel: Number
    height: Number
    width: Number
    channels: Number

    @classmethod
    def of(cls, x: Array) -> Self:
        return cls(x.ctypes.data, *x.strides[:3], *x.shape[1:])

    def at(self, code: Code, n: Number, row: Number, column: Number) -> Number:
        return code.total(self.address, code.mul(n, self.image), code.mul(row, self.row), code.mul(column, self.pixel))


class Spot(NamedTuple):
    """A place in a picture."""

    n: Number
    row: Number
    column: Number


class Grid(NamedTuple):
    """`tiles` in all, `down` and `across` in a picture, which give `side` results each way; the first begins with `top` and `left`
    zeros."""

    side: Number
    tiles: Number
    down: Number
    across: Number
    top: Number
    left: Number

    @classmethod
    def over(cls, y: Array, top: int, left: int, taps: int) -> Self:
        side = side_of(taps)
        down, across = (-(-n // side) for n in y.shape[1:3])
        return cls(side, len(y) * down * across, down, across, top, left)

    def spot(self, code: Code, t: Number) -> Spot:
        """Where the results of a tile begin; tiles are counted row by row, picture by picture."""
        line = code.div(t, self.across)
        row, column = code.rem(line, self.down), code.rem(t, self.across)
        return Spot(code.div(line, self.down), code.mul(row, self.side), code.mul(column, self.side))


class Tiles(NamedTuple):
    """Those that are worked on together."""

    first: Number
    count: Number


class Channels(NamedTuple):
    """Those that are worked on together; where they are ragged the last vector is not full."""

    first: Number
    count: Number
    ragged: bool


class Planes(NamedTuple):
    """Where they begin, bytes from one to the next, floats from one tile to the next."""

    address: Number
    plane: Number
    pitch: Number

    def behind(self, code: Code, points: int) -> Number:
        return code.add(self.address, code.mul(self.plane, points))

    def at(self, code: Code, point: Number, t: Number, channel: Number) -> Number:
        return code.total(self.address, code.mul(self.plane, point), code.at(code.at(0, channel), code.mul(self.pitch, t)))


def spread(size: int) -> int:
    """Bytes from one plane to the next: an odd number of lines, or else planes would meet in a few sets of the first cache."""
    return (-(-size // 64) | 1) * 64


HEIGHTS = tuple(machine().rows // n + 1 if n > 1 else machine().rows - 1 for n in (1, 2, 4))
"""Rows of register blocks: few, since each is code of its own; the first fits powers of two better than the largest."""


def height(n: int) -> int:
    """The rows of the register blocks that do n rows soonest: a block costs about a row more than it has."""
    return min(HEIGHTS, key=lambda rows: -(-n // rows) * (rows + 1))


def is_ragged(x: Array, taps: int) -> bool:
    """Whether the last vector of channels is not full. Filters of 5x5 are rare: one kernel serves all their channels."""
    return taps == 5 or x.shape[-1] % LANES != 0


def records(code: Code, *kinds: Any) -> Iterator[Any]:
    """The table of numbers as the tuples that it was made of."""
    first = 0
    for kind in kinds:
        yield kind(*(code.arg(first + i) for i in range(len(kind._fields))))
        first += len(kind._fields)


PARTS = 4


def points_of(code: Code, part: Number) -> tuple[Number, Number]:
    """The points of a part, the first and the one behind the last: 6, 12, 12 and 6 of them."""
    middle = code.mul(part, 2 * REACH)
    return code.max(0, code.sub(middle, REACH)), code.min(POINTS, code.add(middle, REACH))


def addresses(code: Code, x: Picture, grid: Grid, tiles: Tiles, side: int, zeros: Number, table: Number) -> None:
    """Where the side * side pixels of each tile begin; those outside of the picture are zeros."""
    with code.loop(0, tiles.count) as t:
        spot = grid.spot(code, code.add(tiles.first, t))
        row, column = (code.sub(spot.row, grid.top), code.sub(spot.column, grid.left)) if side == REACH else spot[1:]
        here = code.at(table, code.mul(t, side * side), "i64")
        across = [_within(code, code.add(column, j), x.width) for j in range(side)]
        for i in range(side):
            there = _within(code, code.add(row, i), x.height)
            begin = x.at(code, spot.n, code.add(row, i), column)
            for j in range(side):
                pixel = code.add(begin, code.mul(x.pixel, j))
                address = code.b.select(code.both(there, across[j]), pixel, zeros)
                code.store(address, code.at(here, i * side + j, "i64"))


def transform(code: Code, table: Number, channels: Channels, count: Number, planes: Planes, side: int, along: Transform, part: int) -> None:
    """One part of the points of some tiles: sums stay in registers, and what is made is used before it leaves the cache."""
    with code.loop(0, count) as t:
        here = code.at(table, code.mul(t, side * side), "i64")
        pixels = [code.load(code.at(here, i, "i64"), "i64") for i in range(side * side)]
        with code.loop(0, channels.count, LANES) as c:
            place = code.add(channels.first, c)
            load = partial(_load, code, mask=code.mask(code.sub(channels.count, c), LANES) if channels.ragged else None)
            columns = [along(code, [load(code.at(pixel, place)) for pixel in pixels[j::side]], part) for j in range(side)]
            target = planes.at(code, 0, t, c)
            rows = [[vector for across in range(PARTS) for vector in along(code, row, across)] for row in zip(*columns, strict=True)]
            for point, vector in enumerate(vector for row in rows for vector in row):
                code.store(vector, code.add(target, code.mul(planes.plane, point)))


def _load(code: Code, address: Number, mask: Any) -> Any:
    return code.load(address, lanes=LANES) if mask is None else code.load_masked(address, mask)


def _within(code: Code, place: Number, size: Number) -> Number:
    """0 <= place < size"""
    return code.both(code.compare(">=", place, 0), code.compare("<", place, size))

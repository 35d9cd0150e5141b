"""Pictures cut into tiles, and tiles transformed: for each point of the transform a plane, in it a row of channels for each tile."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any, NamedTuple, Self

from runtime.arrays import Array
from runtime.kernels.cpu.code import LANES, Code, Number
from runtime.kernels.cpu.winograd_transforms import Transform

SIDE = 4
"""Results that a tile gives along an axis."""
REACH = SIDE + 2
"""Pixels that they are made of."""
POINTS = REACH * REACH


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
    """`tiles` in all, `down` and `across` in a picture; the first begins with `top` and `left` zeros."""

    tiles: Number
    down: Number
    across: Number
    top: Number
    left: Number

    @classmethod
    def over(cls, y: Array, top: int, left: int) -> Self:
        down, across = (-(-n // SIDE) for n in y.shape[1:3])
        return cls(len(y) * down * across, down, across, top, left)

    def spot(self, code: Code, t: Number) -> Spot:
        """Where the results of a tile begin; tiles are counted row by row, picture by picture."""
        line = code.div(t, self.across)
        row, column = code.rem(line, self.down), code.rem(t, self.across)
        return Spot(code.div(line, self.down), code.mul(row, SIDE), code.mul(column, SIDE))


class Tiles(NamedTuple):
    """Those that are worked on together."""

    first: Number
    count: Number


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


def records(code: Code, *kinds: Any) -> Iterator[Any]:
    """The table of numbers as the tuples that it was made of."""
    first = 0
    for kind in kinds:
        yield kind(*(code.arg(first + i) for i in range(len(kind._fields))))
        first += len(kind._fields)


def transform(code: Code, x: Picture, grid: Grid, tiles: Tiles, planes: Planes, side: int, along: Transform, patch: Number) -> None:
    """Squares of pixels of some tiles to points: along columns, then along rows, and one part at a time, so that sums stay in
    registers: what is read again comes from the first cache."""
    outside = side - SIDE
    with code.loop(0, tiles.count) as t:
        spot = grid.spot(code, code.add(tiles.first, t))
        corner = Spot(spot.n, code.sub(spot.row, grid.top), code.sub(spot.column, grid.left)) if outside else spot
        pixels = _square(code, x, corner, side, patch)
        with code.loop(0, x.channels, LANES) as c:
            target = planes.at(code, 0, t, c)
            for i, j in product(range(side), range(SIDE)):  # what the next tile adds to this one
                code.prefetch(code.at(x.at(code, corner.n, code.add(corner.row, i), code.add(corner.column, side + j)), c))
            point = 0
            for part in range(4):
                columns = [
                    along(code, [code.load(code.at(pixels.at(code, 0, i, j), c), lanes=LANES) for i in range(side)], part)
                    for j in range(side)
                ]
                for row in zip(*columns, strict=True):
                    for vector in (vector for across in range(4) for vector in along(code, row, across)):
                        code.store(vector, code.add(target, code.mul(planes.plane, point)))
                        point += 1


def _square(code: Code, x: Picture, corner: Spot, side: int, patch: Number) -> Picture:
    """side * side pixels from a corner on, which may lie outside. Where all are there, they are read in place; else, or where
    channels do not fill vectors, from a copy in `patch` with zeros."""
    width = code.mul(code.div(code.add(x.channels, LANES - 1), LANES), LANES)
    inside = code.both(
        code.compare(">=", corner.row, 0),
        code.compare(">=", corner.column, 0),
        code.compare("<=", code.add(corner.row, side), x.height),
        code.compare("<=", code.add(corner.column, side), x.width),
        code.compare("==", x.channels, width),
    )
    copy = Picture(patch, 0, code.mul(width, 4 * side), code.mul(width, 4), side, side, width)
    with code.when(code.b.not_(inside)):
        _copy(code, x, corner, copy)
    there = (x.at(code, *corner), *x[1:])
    return Picture(*(code.b.select(inside, code.whole(a), code.whole(b)) for a, b in zip(there, copy, strict=True)))


def _copy(code: Code, x: Picture, corner: Spot, patch: Picture) -> None:
    with code.loop(0, patch.height) as i, code.loop(0, patch.width) as j:
        row, column = code.add(corner.row, i), code.add(corner.column, j)
        there = code.both(_within(code, row, x.height), _within(code, column, x.width))
        count = code.b.select(there, x.channels, code.whole(0))
        target = patch.at(code, 0, i, j)
        source = code.b.select(there, x.at(code, corner.n, row, column), target)  # a masked load from nowhere is correct, and slow
        with code.loop(0, patch.channels, LANES) as c:
            mask = code.mask(code.sub(count, c), LANES)
            code.store(code.load_masked(code.at(source, c), mask), code.at(target, c))


def _within(code: Code, place: Number, size: Number) -> Number:
    """0 <= place < size"""
    return code.both(code.compare(">=", place, 0), code.compare("<", place, size))

"""Pictures cut into tiles: where a tile lies, and its pixels with zeros around the picture. For Winograd's kernels, in winograd.py."""

from __future__ import annotations

from typing import NamedTuple, Self

from runtime.arrays import Array
from runtime.kernels.cpu.code import LANES, Code, Number

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

    @classmethod
    def read(cls, code: Code, first: int) -> Self:
        return cls(*(code.arg(first + i) for i in range(len(cls._fields))))

    def at(self, code: Code, n: Number, row: Number, column: Number) -> Number:
        return code.total(self.address, code.mul(n, self.image), code.mul(row, self.row), code.mul(column, self.pixel))


class Tile(NamedTuple):
    """A tile's picture, and the row and column where its results begin."""

    n: Number
    row: Number
    column: Number


class Pixels(NamedTuple):
    """A square of pixels with nothing missing."""

    address: Number
    row: Number
    pixel: Number

    def at(self, code: Code, row: int, column: int) -> Number:
        return code.total(self.address, code.mul(self.row, row), code.mul(self.pixel, column))


def tile(code: Code, t: Number, down: Number, across: Number) -> Tile:
    """The t-th of all tiles, row by row, picture by picture."""
    line = code.div(t, across)
    column = code.rem(t, across)
    return Tile(code.div(line, down), code.mul(code.rem(line, down), SIDE), code.mul(column, SIDE))


def square(code: Code, x: Picture, corner: Tile, side: int, patch: Number, pitch: Number) -> Pixels:
    """side * side pixels from a corner on, which may lie outside. Where all are there, they are read in place; else, or where
    channels do not fill vectors, from a copy with zeros: `patch` has room for so many pixels of `pitch` channels."""
    inside = code.both(
        code.compare(">=", corner.row, 0),
        code.compare(">=", corner.column, 0),
        code.compare("<=", code.add(corner.row, side), x.height),
        code.compare("<=", code.add(corner.column, side), x.width),
        code.compare("==", x.channels, pitch),
    )
    apart = code.mul(pitch, 4)
    with code.when(code.b.not_(inside)):
        _copy(code, x, corner, side, patch, pitch)
    begin = x.at(code, *corner)
    return Pixels(
        code.b.select(inside, begin, code.whole(patch)),
        code.b.select(inside, x.row, code.mul(apart, side)),
        code.b.select(inside, x.pixel, apart),
    )


def _copy(code: Code, x: Picture, corner: Tile, side: int, patch: Number, pitch: Number) -> None:
    with code.loop(0, side) as i, code.loop(0, side) as j:
        row, column = code.add(corner.row, i), code.add(corner.column, j)
        there = code.both(*(_within(code, place, size) for place, size in ((row, x.height), (column, x.width))))
        count = code.b.select(there, x.channels, code.whole(0))
        source = x.at(code, corner.n, row, column)
        target = code.at(patch, code.mul(code.add(code.mul(i, side), j), pitch))
        with code.loop(0, pitch, LANES) as c:
            mask = code.mask(code.sub(count, c), LANES)
            code.store(code.load_masked(code.at(source, c), mask), code.at(target, c))


def _within(code: Code, place: Number, size: Number) -> Number:
    """0 <= place < size"""
    return code.both(code.compare(">=", place, 0), code.compare("<", place, size))

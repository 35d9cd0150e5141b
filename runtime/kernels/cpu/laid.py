"""Rows of pictures laid apart for each vector of channels, with zeros where the picture ends: so all pixels of a result are alike,
and what they read is near. A map in front of the kernel is computed on the way.

A unit is a picture, some rows of the result, and some vectors of channels; it keeps the last rows of the source that windows reach.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from llvmlite import ir

from netcompiler.plan import Axis
from runtime.arrays import Array
from runtime.kernels.cpu.code import Code, Number
from runtime.kernels.cpu.gather import Reader
from runtime.kernels.cpu.tiles import TILE

NEAR = 32 * 1024
"""Bytes of laid rows, which stay in the first cache."""
UNITS = 32
"""Fewer units than that are divided by rows."""


class Shape(NamedTuple):
    """What the code depends on: the taps, how far apart they and pixels lie in a row, and whether the last vector is a part."""

    high: int
    wide: int
    down: int
    along: int
    stride: int
    part: bool
    lanes: int

    @property
    def vector(self) -> int:
        """Bytes of one."""
        return self.lanes * 4

    @property
    def taps(self) -> int:
        return self.high * self.wide


class Plane(NamedTuple):
    """The rows of a source, how they are laid, and the units of the result."""

    shape: Shape
    numbers: list[int]
    together: int
    pieces: int
    groups: int
    scratch: int


def plane(x: Array, window: Sequence[Axis], sides: Sequence[int], lanes: int) -> Plane:
    """What results with such sides read of x."""
    high, wide = window
    vector = lanes * 4
    width = (sides[1] - 1) * wide.stride + wide.extent
    first, at = max(0, -wide.low), min(width, max(0, wide.low))
    count = max(0, min(x.shape[2] - first, width - at))
    ring = high.extent * width * vector
    together = next(n for n in (8, 4, 2, 1) if n * ring <= NEAR or n == 1)
    groups = -(-x.shape[3] // (lanes * together))
    bands = max(1, min(sides[0] // (2 * high.kernel), -(-UNITS // (len(x) * groups))))
    numbers = [x.ctypes.data, *x.strides[:3], x.shape[1], high.low, high.stride]
    numbers += [first, count, at, width, high.extent, x.shape[3], together, *sides, bands]
    shape = Shape(high.kernel, wide.kernel, high.dilation, wide.dilation, wide.stride, x.shape[3] % lanes > 0, lanes)
    return Plane(shape, numbers, together, len(x) * bands, groups, together * ring + width * vector)


X, NEXT_X, ROW_X, PIXEL_X, HEIGHT, LOW, STRIDE, FIRST, COUNT, AT, WIDTH, SLOTS, CHANNELS, TOGETHER, ROWS, ACROSS, BANDS = range(17)
OWN = 17
"""Where a kernel's own numbers begin."""


class Unit(NamedTuple):
    """A picture, the rows of the result from `begin` to `end`, and its vectors from `vector` on, so many of them whole."""

    picture: ir.Value
    begin: ir.Value
    end: ir.Value
    vector: ir.Value
    whole: Number


class Row(NamedTuple):
    """A row of pixels in memory: its number in the picture, the first pixel and how many, where they lie, and the bytes from one to the
    next and to the next row; then where they are laid, and the bytes from vector to vector there."""

    number: Number
    first: Number
    count: Number
    start: Number
    pixel: Number
    row: Number
    target: Number
    ring: Number


class Laid:
    """Rows of the source as they are laid: for each vector of a unit a ring of them, and behind all a row of zeros."""

    def __init__(self, code: Code, shape: Shape, reader: Reader) -> None:
        self.code, self.shape, self.reader = code, shape, reader
        self.pitch = code.mul(code.arg(WIDTH), self.shape.vector)
        self.ring = code.mul(code.arg(SLOTS), self.pitch)
        self.zero = code.add(code.scratch, code.mul(code.arg(TOGETHER), self.ring))
        self.behind = code.add(self.zero, self.pitch)
        self.groups = code.div(
            code.add(code.arg(CHANNELS), code.sub(code.mul(code.arg(TOGETHER), self.shape.lanes), 1)),
            code.mul(code.arg(TOGETHER), self.shape.lanes),
        )

    def clear(self) -> None:
        """What is never laid stays 0."""
        code = self.code
        end = code.add(code.arg(AT), code.arg(COUNT))
        with code.loop(code.scratch, self.zero, self.pitch) as line:
            for first, last in ((0, code.arg(AT)), (end, code.arg(WIDTH))):
                self._zeros(line, first, last)
        self._zeros(self.zero, 0, code.arg(WIDTH))

    def _zeros(self, line: Number, first: Number, last: Number) -> None:
        with self.code.loop(first, last) as pixel:
            self.code.store(self.code.real(0.0, self.shape.lanes), self.code.add(line, self.code.mul(pixel, self.shape.vector)))

    def unit(self, piece: Number, group: Number) -> Unit:
        code, bands = self.code, self.code.arg(BANDS)
        band = code.rem(piece, bands)
        begin, end = (code.div(code.mul(code.add(band, i), code.arg(ROWS)), bands) for i in (0, 1))
        vector = code.mul(group, code.arg(TOGETHER))
        whole = code.min(code.arg(TOGETHER), code.sub(code.div(code.arg(CHANNELS), self.shape.lanes), vector))
        return Unit(code.div(piece, bands), begin, end, vector, whole)

    def reached(self, row: Number) -> Number:
        """The row of the source that the first tap reaches; it may lie in front of all."""
        return self.code.sub(self.code.mul(row, self.code.arg(STRIDE)), self.code.arg(LOW))

    def first(self, row: Number) -> Number:
        return self.code.max(0, self.reached(row))

    def lay(self, unit: Unit, next_: Number, row: Number) -> Number:
        """Lays what a row of the result reaches, from the row `next_` of the source on; which is next behind that."""
        code = self.code
        end = code.min(code.arg(HEIGHT), code.add(self.reached(row), (self.shape.high - 1) * self.shape.down + 1))
        with code.loop(next_, end) as number:
            start = code.total(code.arg(X), code.mul(unit.picture, code.arg(NEXT_X)), code.mul(number, code.arg(ROW_X)))
            target = code.add(self._slot(number), code.mul(code.arg(AT), self.shape.vector))
            row_ = Row(number, code.arg(FIRST), code.arg(COUNT), start, code.arg(PIXEL_X), code.arg(ROW_X), target, self.ring)
            self.copy(unit, self.reader, row_)
        return code.max(next_, end)

    def copy(self, unit: Unit, reader: Reader, row: Row) -> None:
        """Meanwhile memory brings the row behind."""
        code = self.code
        with code.loop(0, row.count) as pixel:
            place = (unit.picture, row.number, code.add(row.first, pixel))
            cells = reader.cells(code.add(row.start, code.mul(place[-1], row.pixel)), place)
            target = code.add(row.target, code.mul(pixel, self.shape.vector))
            for vector, mask in self.vectors(unit):
                channel = code.mul(code.add(unit.vector, vector), self.shape.lanes)
                at = [code.at(cell, channel) for cell in cells]
                code.prefetch(code.add(at[0], row.row), near=False)
                code.store(reader.value(at, channel, unit.picture, mask), code.add(target, code.mul(vector, row.ring)))

    def _slot(self, number: Number) -> Number:
        return self.code.add(self.code.scratch, self.code.mul(self.code.rem(number, self.code.arg(SLOTS)), self.pitch))

    def lines(self, row: Number) -> list[tuple[ir.Value, Number]]:
        """For each tap down the height whether there is a row, and where it lies."""
        reached = [self.code.add(self.reached(row), tap * self.shape.down) for tap in range(self.shape.high)]
        return [(self.code.b.icmp_unsigned("<", number, self.code.arg(HEIGHT)), self._slot(number)) for number in reached]

    def starts(self, lines: Sequence[tuple[ir.Value, Number]], vector: Number) -> list[Number]:
        """These lines, as a vector has them; zeros for those that are not there."""
        moved = self.code.mul(vector, self.ring)
        return [self.code.b.select(there, self.code.add(line, moved), self.zero) for there, line in lines]

    def taps(self, tiles: Number, unit: Unit, vector: Number) -> list[Number]:
        """The addresses of a vector's taps in tiles."""
        code, number = self.code, self.code.add(unit.vector, vector)
        place = code.add(code.mul(code.div(number, TILE), self.shape.taps * TILE), code.rem(number, TILE))
        return [code.total(tiles, code.mul(place, self.shape.vector), tap * TILE * self.shape.vector) for tap in range(self.shape.taps)]

    def vectors(self, unit: Unit) -> Iterator[tuple[Number, ir.Value | None]]:
        """Those of a unit, the last one with a mask where it is a part."""
        code = self.code
        with code.loop(0, unit.whole) as vector:
            yield vector, None
        if self.shape.part:
            left = code.sub(code.arg(CHANNELS), code.mul(code.add(unit.vector, unit.whole), self.shape.lanes))
            with code.when(code.both(code.compare("<", unit.whole, code.arg(TOGETHER)), code.compare(">", left, 0))):
                yield unit.whole, code.mask(left, self.shape.lanes)


class Window:
    """What some neighbouring pixels read of lines: each vector once."""

    def __init__(self, code: Code, shape: Shape, starts: Sequence[Number], pixel: Number) -> None:
        self.code, self.shape = code, shape
        self.places = [code.add(start, code.mul(pixel, shape.stride * shape.vector)) for start in starts]
        self.known: dict[tuple[int, int], ir.Value] = {}

    def __call__(self, pixel: int, tap: int) -> ir.Value:
        line, along = tap // self.shape.wide, pixel * self.shape.stride + tap % self.shape.wide * self.shape.along
        if (line, along) not in self.known:
            self.known[line, along] = self.code.load(self.code.add(self.places[line], along * self.shape.vector), lanes=self.shape.lanes)
        return self.known[line, along]

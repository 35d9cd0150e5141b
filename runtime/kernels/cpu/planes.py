"""Convolutions over pictures, each channel by itself, out of laid rows: see laid.py. Weights lie in tiles, and so do the sums of their
gradients. What is no picture, or gives several channels for each, is for depthwise.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from llvmlite import ir

from netcompiler.plan import Axis
from runtime.arrays import Array
from runtime.kernels.behind import Ahead, Behind, plain
from runtime.kernels.cpu.code import LANES, Code, Number
from runtime.kernels.cpu.driver import Step
from runtime.kernels.cpu.finish import Finish, Finishing, Writer
from runtime.kernels.cpu.gather import Gather, Gathering, Reader
from runtime.kernels.cpu.laid import ACROSS, OWN, UNITS, Laid, Row, Shape, Unit, Window, plane
from runtime.kernels.cpu.tiles import Tiles

PIXELS = 4
"""Pixels that are worked on together: what several of them read, is read once."""
APART = 8
"""From so many pieces of the pictures on a thread takes all channels of one: threads that write side by side wait for each other."""


def conv_planes(
    y: Array, x: Array | Ahead, w: Array, *, window: Sequence[Axis], groups: int, behind: Behind | None = None
) -> Iterator[Step]:
    tiles = Tiles(w, 1, lanes=LANES)
    yield tiles.packing(w)
    yield _convolution(Gathering(x), tiles, window, Finishing(behind or plain(y)))


def conv_dx_planes(
    x: Array, y: Array | Ahead, w: Array, *, window: Sequence[Axis], groups: int, size: Sequence[int], behind: Behind | None = None
) -> Iterator[Step]:
    """With stride 1: the convolution of y with the taps turned round."""
    tiles = Tiles(w, 1, lanes=LANES)
    yield tiles.packing(w[:, ::-1, ::-1])
    turned = [axis._replace(low=axis.extent - 1 - axis.low, high=axis.extent - 1 - axis.high) for axis in window]
    yield _convolution(Gathering(y), tiles, turned, Finishing(behind or plain(x)))


def conv_dw_planes(w: Array, x: Array | Ahead, y: Array | Ahead, *, window: Sequence[Axis], groups: int) -> Iterator[Step]:
    """Sums of as many slices of the pictures as the shapes ask for, and then of these."""
    of_x, of_y = Gathering(x), Gathering(y)
    dy = of_y.first
    found = plane(of_x.first, window, dy.shape[1:3], LANES)
    slices = min(found.pieces, -(-UNITS // found.groups))
    sums = Tiles(w, 1, slices, LANES)
    args = [*found.numbers, dy.ctypes.data, *dy.strides[:3], sums.array.ctypes.data, sums.array[0].nbytes, slices, found.pieces]
    args += [n for gathering in (of_x, of_y) for n in gathering.numbers((1, 1))]
    scratch = found.scratch + found.together * dy.shape[2] * found.shape.vector
    kernel = (_gradient, found.shape, of_x.structure, of_y.structure)
    yield Step(kernel, args, slices * found.groups, min(slices * found.groups, 64), scratch, (sums.array,))
    yield sums.total(w)


def _convolution(gathering: Gathering, tiles: Tiles, window: Sequence[Axis], finishing: Finishing) -> Step:
    found = plane(gathering.first, window, finishing.cells[0].shape[1:3], LANES)
    args = [*found.numbers, tiles.array.ctypes.data]
    args += [n for cell in finishing.cells for n in (cell.ctypes.data, *cell.strides[:3])]
    args += [*finishing.numbers, *gathering.numbers((1, 1))]
    units = found.pieces * found.groups
    chunks = found.pieces if found.pieces >= APART else units
    kernel = (_convolved, found.shape, gathering.structure, finishing.structure)
    return Step(kernel, args, units, min(chunks, 64), found.scratch, (tiles.array,))


class _Cells:
    """Where results go and what the finish reads: the table has, from `first` on, of each array address and strides."""

    def __init__(self, code: Code, finish: Finish, first: int, lanes: int) -> None:
        self.code, self.dtypes = code, finish.cells
        self.fields = [[code.arg(first + i * 4 + field) for field in range(4)] for i in range(len(self.dtypes))]
        self.writer = Writer(code, finish, first + 4 * len(self.dtypes), lanes)
        self.behind = first + 4 * len(self.dtypes) + finish.numbers

    def row(self, picture: Number, row: Number) -> list[Number]:
        """The address of a row in each."""
        code = self.code
        return [code.total(begin, code.mul(picture, next_), code.mul(row, high)) for begin, next_, high, _ in self.fields]

    def write(self, value: ir.Value, rows: Sequence[Number], pixel: Number, channel: Number, mask: ir.Value | None) -> None:
        code = self.code
        at = [code.add(row, code.mul(pixel, fields[-1])) for row, fields in zip(rows, self.fields, strict=True)]
        cells = [code.at(address, channel, dtype) for address, dtype in zip(at, self.dtypes, strict=True)]
        self.writer.write(value, cells, channel, mask)


def _convolved(code: Code, shape: Shape, gather: Gather, finish: Finish) -> None:
    cells = _Cells(code, finish, OWN + 1, shape.lanes)
    laid = Laid(code, shape, Reader(code, gather, cells.behind, 2, shape.lanes))
    laid.clear()
    with code.loop(code.lo, code.hi) as index:
        unit = laid.unit(code.div(index, laid.groups), code.rem(index, laid.groups))
        with code.reduce(unit.begin, unit.end, 1, [laid.first(unit.begin)]) as row:
            row.next = [laid.lay(unit, row.values[0], row.i)]
            _row(code, laid, unit, row.i, cells)


def _row(code: Code, laid: Laid, unit: Unit, row: Number, cells: _Cells) -> None:
    lines, rows = laid.lines(row), cells.row(unit.picture, row)
    for vector, mask in laid.vectors(unit):
        weights = [code.load(at, lanes=laid.shape.lanes) for at in laid.taps(code.arg(OWN), unit, vector)]
        channel = code.mul(code.add(unit.vector, vector), laid.shape.lanes)
        starts = laid.starts(lines, vector)
        for first, count in _pixels(code):
            for i, value in enumerate(_products(code, Window(code, laid.shape, starts, first), weights, count)):
                cells.write(value, rows, code.add(first, i), channel, mask)


def _pixels(code: Code) -> Iterator[tuple[ir.Value, int]]:
    """Those of a row of the result: PIXELS at a time, then one by one."""
    whole = code.mul(code.div(code.arg(ACROSS), PIXELS), PIXELS)
    with code.loop(0, whole, PIXELS) as pixel:
        yield pixel, PIXELS
    with code.loop(whole, code.arg(ACROSS)) as pixel:
        yield pixel, 1


def _products(code: Code, window: Window, weights: Sequence[ir.Value], count: int) -> list[ir.Value]:
    sums = [code.real(0.0, window.shape.lanes)] * count
    for tap, weight in enumerate(weights):
        sums = [code.fma(window(i, tap), weight, old) for i, old in enumerate(sums)]
    return sums


Y, NEXT_Y, ROW_Y, PIXEL_Y, SUMS, SLICE, SLICES, PIECES = range(OWN, OWN + 8)


def _gradient(code: Code, shape: Shape, gather: Gather, of_y: Gather) -> None:
    """A unit is a slice of the pictures, and some vectors; rows of dy lie behind those of x."""
    laid = Laid(code, shape, Reader(code, gather, PIECES + 1, 2, shape.lanes))
    reader = Reader(code, of_y, PIECES + 1 + gather.numbers(2), 2, shape.lanes)
    laid.clear()
    with code.loop(code.lo, code.hi) as index:
        number, group = code.rem(index, code.arg(SLICES)), code.div(index, code.arg(SLICES))
        sums = code.add(code.arg(SUMS), code.mul(number, code.arg(SLICE)))
        begin, end = (code.div(code.mul(code.add(number, i), code.arg(PIECES)), code.arg(SLICES)) for i in (0, 1))
        unit = laid.unit(begin, group)
        for vector, _ in laid.vectors(unit):
            for at in laid.taps(sums, unit, vector):
                code.store(code.real(0.0, shape.lanes), at)
        with code.loop(begin, end) as piece:
            _piece(code, laid, reader, laid.unit(piece, group), sums)


def _piece(code: Code, laid: Laid, reader: Reader, unit: Unit, sums: Number) -> None:
    ring = code.mul(code.arg(ACROSS), laid.shape.vector)
    with code.reduce(unit.begin, unit.end, 1, [laid.first(unit.begin)]) as row:
        row.next = [laid.lay(unit, row.values[0], row.i)]
        start = code.total(code.arg(Y), code.mul(unit.picture, code.arg(NEXT_Y)), code.mul(row.i, code.arg(ROW_Y)))
        laid.copy(unit, reader, Row(row.i, 0, code.arg(ACROSS), start, code.arg(PIXEL_Y), code.arg(ROW_Y), laid.behind, ring))
        lines = laid.lines(row.i)
        for vector, _ in laid.vectors(unit):
            at = laid.taps(sums, unit, vector)
            found = _outer(code, laid, laid.starts(lines, vector), code.add(laid.behind, code.mul(vector, ring)), at)
            for value, address in zip(found, at, strict=True):
                code.store(value, address)


def _outer(code: Code, laid: Laid, starts: Sequence[Number], dy: Number, at: Sequence[Number]) -> list[ir.Value]:
    """What a row adds to the sums of a vector."""

    def added(first: ir.Value, count: int, sums: Sequence[ir.Value]) -> list[ir.Value]:
        window, sums = Window(code, laid.shape, starts, first), list(sums)
        for i in range(count):
            value = code.load(code.add(dy, code.mul(code.add(first, i), laid.shape.vector)), lanes=laid.shape.lanes)
            sums = [code.fma(window(i, tap), value, old) for tap, old in enumerate(sums)]
        return sums

    whole = code.mul(code.div(code.arg(ACROSS), PIXELS), PIXELS)
    with code.reduce(0, whole, PIXELS, [code.load(address, lanes=laid.shape.lanes) for address in at]) as several:
        several.next = added(several.i, PIXELS, several.values)
    with code.reduce(whole, code.arg(ACROSS), 1, several.result) as one:
        one.next = added(one.i, 1, one.values)
    return one.result

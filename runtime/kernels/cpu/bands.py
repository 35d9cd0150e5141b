"""Convolutions of few channels: for a row of cells, the lines that its windows cover are copied between zeros; then the taps along
a line are one run of numbers, and the cells of a row are the rows of a register block, a stride apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import product as every
from math import prod
from typing import NamedTuple

import numpy as np
from llvmlite import ir

from netcompiler.plan import PANEL, Axis
from runtime.arrays import Array
from runtime.kernels.cpu.block import accumulate, zeros
from runtime.kernels.cpu.code import LANES, Code, Number
from runtime.kernels.cpu.driver import Step
from runtime.kernels.cpu.finish import Finish, Finishing, Writer
from runtime.kernels.cpu.machine import machine

Window = Sequence[Axis]
ROWS, BLOCK = machine().rows, machine().block


class Band(NamedTuple):
    """The lines under a row of cells. `across` are the axes but the last: for each the cells, and how x moves with them."""

    lines: Array
    """For each line what it is away along each axis but the last."""
    rows: int
    """Rows of cells in all, picture by picture."""
    cells: int
    """Of a row."""
    width: int
    """Numbers of a line, without what may be read behind it."""
    numbers: list[int]

    @property
    def pitch(self) -> int:
        """Lines begin at whole vectors, and what is read behind one is there."""
        return -(-self.width // LANES) * LANES + LANES

    @property
    def scratch(self) -> int:
        return len(self.lines) * self.pitch * 4


def band(x: Array, window: Window, sides: Sequence[int]) -> Band:
    """Of the cells that a convolution over x gives, so many along each side."""
    *outer, last = window
    taps = list(every(*(range(axis.kernel) for axis in outer)))
    lines = np.array([[t * a.dilation - a.low for t, a in zip(tap, outer, strict=True)] or [0] for tap in taps], np.int64)
    channels, width = x.shape[-1], (sides[-1] - 1) * last.stride + last.kernel
    begin, end = max(0, last.low), min(width, last.low + x.shape[-2])
    first = max(0, -last.low)
    close = x.strides[-2] == channels * 4
    runs, size = (1, (end - begin) * channels) if close else (end - begin, channels)
    numbers = [x.ctypes.data + first * x.strides[-2], lines.ctypes.data, len(lines), begin * channels, max(0, runs), max(0, size)]
    numbers += [x.strides[-2], x.strides[0]]
    for cells, axis, n, step in zip(sides[:-1], outer, x.shape[1:-2], x.strides[1:-2], strict=True):
        numbers += [cells, axis.stride, n, step]
    found = Band(lines, len(x) * prod(sides[:-1]), sides[-1], width * channels, [])
    return found._replace(numbers=[*numbers, found.cells, found.pitch, last.stride * channels])


X, LINES, COUNT, BEGIN, RUNS, SIZE, STEP, PICTURE, AXES = range(9)
PER_AXIS = 4


class Lines:
    """The lines of a Band in the code of a kernel, whose table has its numbers from `first` on; they lie at `at`."""

    def __init__(self, code: Code, first: int, sides: int, at: Number) -> None:
        self.code, self.first, self.axes, self.at = code, first, range(sides - 1), at
        self.count = self.field(COUNT)
        self.behind = first + AXES + PER_AXIS * (sides - 1)
        self.cells, self.pitch, self.stride = (code.arg(self.behind + i) for i in range(3))
        self.next = self.behind + 3

    def field(self, i: int) -> ir.Value:
        return self.code.arg(self.first + i)

    def axis(self, axis: int, i: int) -> ir.Value:
        return self.field(AXES + axis * PER_AXIS + i)

    def place(self, row: Number) -> list[ir.Value]:
        """The picture and the place along each axis but the last."""
        rest, found = row, list[ir.Value]()
        for axis in reversed(self.axes):
            found.insert(0, self.code.rem(rest, self.axis(axis, 0)))
            rest = self.code.div(rest, self.axis(axis, 0))
        return [rest, *found]

    def copy(self, place: Sequence[ir.Value]) -> None:
        """All lines under a row."""
        code = self.code
        with code.loop(0, code.mul(self.count, self.pitch), LANES) as i:
            code.store(code.real(0.0, LANES), code.at(self.at, i))
        with code.loop(0, self.count) as line, self._inside(line, place) as source:
            target = code.at(self.line(line), self.field(BEGIN))
            with code.loop(0, self.field(RUNS)) as run:
                begin = code.add(source, code.mul(run, self.field(STEP)))
                copied(code, begin, code.at(target, code.mul(run, self.field(SIZE))), self.field(SIZE))

    @contextmanager
    def _inside(self, line: Number, place: Sequence[ir.Value]) -> Iterator[Number]:
        """Where a line begins in x, if it is there."""
        code = self.code
        source = code.add(self.field(X), code.mul(place[0], self.field(PICTURE)))
        truths = []
        for axis in self.axes:
            away = code.load(code.at(self.field(LINES), code.add(code.mul(line, len(self.axes)), axis), "i64"), "i64")
            position = code.add(code.mul(place[1 + axis], self.axis(axis, 1)), away)
            truths.append(code.b.icmp_unsigned("<", position, self.axis(axis, 2)))
            source = code.add(source, code.mul(position, self.axis(axis, 3)))
        if not truths:
            yield source
            return
        with code.when(code.both(*truths)):
            yield source

    def line(self, line: Number) -> Number:
        return self.code.at(self.at, self.code.mul(line, self.pitch))


def copied(code: Code, source: Number, target: Number, size: Number) -> None:
    """So many numbers."""
    whole = code.mul(code.div(size, LANES), LANES)
    with code.loop(0, whole, LANES) as i:
        code.store(code.load(code.at(source, i), lanes=LANES), code.at(target, i))
    with code.when(code.compare("<", whole, size)):
        mask = code.mask(code.sub(size, whole), LANES)
        code.store_masked(code.load_masked(code.at(source, whole), mask), code.at(target, whole), mask)


def banded(packed: Array, lines: Band, run: int, outer: int, finishing: Finishing) -> Step:
    """`run` numbers of each line become `outer` channels, by packed weights."""
    args = [packed.ctypes.data, run, outer, len(lines.lines) * run * PANEL * 4, *lines.numbers]
    args += [n for cell in finishing.cells for n in (cell.ctypes.data, *cell.strides[:-1])]
    sides = finishing.cells[0].ndim - 2
    kernel = (_banded, sides, outer % BLOCK, finishing.structure)
    work = lines.cells * len(lines.lines) * run * outer
    chunks = max(1, min(lines.rows, 64, lines.rows * work // 500_000))
    return Step(kernel, [*args, *finishing.numbers], lines.rows, chunks, lines.scratch, (lines.lines,))


W, RUN, OUTER, NEXT_PANEL, BAND = range(5)


class _Cells:
    """Rows of cells in all that lies cell by cell: the table has, from `first` on, of each array address and strides."""

    def __init__(self, code: Code, finish: Finish, first: int, sides: int) -> None:
        self.code, self.dtypes = code, finish.cells
        per = 2 + sides
        self.fields = [[code.arg(first + i * per + field) for field in range(per)] for i in range(len(self.dtypes))]
        self.writer = Writer(code, finish, first + per * len(self.dtypes))

    def begins(self, place: Sequence[ir.Value]) -> list[Number]:
        """The address of a row's first cell in each."""
        return [
            self.code.total(begin, *(self.code.mul(n, step) for n, step in zip(place, steps[:-1], strict=True)))
            for begin, *steps in self.fields
        ]

    def rows(self, begins: Sequence[Number], positions: Sequence[Number]) -> list[list[Number]]:
        """The addresses of some cells of it in each."""
        return [
            [self.code.add(begin, self.code.mul(position, fields[-1])) for position in positions]
            for begin, fields in zip(begins, self.fields, strict=True)
        ]


def _banded(code: Code, sides: int, rest: int, finish: Finish) -> None:
    lines = Lines(code, BAND, sides, code.scratch)
    cells = _Cells(code, finish, lines.next, sides)
    full = code.mul(code.div(code.arg(OUTER), BLOCK), BLOCK)
    with code.loop(code.lo, code.hi) as row:
        place = lines.place(row)
        lines.copy(place)
        begins = cells.begins(place)
        with code.loop(0, full, BLOCK) as channel:
            _strips(code, lines, cells, begins, channel, machine().columns, False)
        if rest:
            _strips(code, lines, cells, begins, full, -(-rest // LANES), rest % LANES > 0)


def _strips(code: Code, lines: Lines, cells: _Cells, begins: Sequence[Number], channel: Number, columns: int, part: bool) -> None:
    """A panel for all cells of a row, ROWS at a time: where they do not come out even, some are computed twice."""
    right = code.add(code.arg(W), code.mul(code.div(channel, PANEL), code.arg(NEXT_PANEL)))
    right = code.at(right, code.rem(channel, PANEL))
    last = code.sub(lines.cells, 1)
    with code.loop(0, lines.cells, ROWS) as begin:
        first = code.min(begin, code.max(0, code.sub(lines.cells, ROWS)))
        positions = [code.min(code.add(first, r), last) for r in range(ROWS)]
        starts = [code.at(lines.at, code.mul(position, lines.stride)) for position in positions]
        with code.reduce(0, lines.count, 1, zeros(code, ROWS, columns)) as line:
            left = [code.at(start, code.mul(line.i, lines.pitch)) for start in starts]
            weights = code.at(right, code.mul(line.i, code.mul(code.arg(RUN), PANEL)))
            line.next = accumulate(code, line.values, left, weights, code.arg(RUN), pitch=PANEL)
        limit = code.arg(OUTER) if part else None
        cells.writer.block(line.result, cells.rows(begins, positions), channel, channel, limit)

"""Convolutions as products of rows: for each cell of the result, the rows of the operand that its taps meet, times packed weights.

One kernel serves convolutions of any window, and their gradients by the operand: all that differs is a table of taps. Rows are found
by address, so padding is a row of zeros and nothing is copied. Read next: packing.py for the weights, conv.py for who calls it.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import NamedTuple

import numpy as np
from llvmlite import ir

from netcompiler.plan import PANEL
from runtime.arrays import Array
from runtime.kernels.cpu.block import accumulate, zeros
from runtime.kernels.cpu.cells import Sides, Tap, Walk
from runtime.kernels.cpu.code import LANES, LINE, Code, Number
from runtime.kernels.cpu.driver import Step
from runtime.kernels.cpu.finish import Finish, Finishing, Writer
from runtime.kernels.cpu.gather import PLAIN, Gather, Gathering, Reader
from runtime.kernels.cpu.machine import machine

ROWS, BLOCK = machine().rows, machine().block

NEAR = 384 * 1024
"""Bytes of rows that are worked on together: with a panel of weights they stay in the second cache."""


UNITS = 32
"""Fewer units than that are divided by panels, each of which reads the rows again: where there is but one tap units rather have
fewer rows."""

ALIAS = 4096
"""Rows that lie so many bytes apart, or a multiple, share the same few lines of the first cache: they are copied apart."""


class Operands(NamedTuple):
    """Addresses of the first cell of the first picture in x, and of the packed weights; bytes from picture to picture of x."""

    x: int
    w: int
    batch: int
    next_x: int


class Channels(NamedTuple):
    """Of a group: those that are summed, those that come out, and the taps that the weights are packed for."""

    inner: int
    outer: int
    taps: int


class Groups(NamedTuple):
    """How many, and the bytes from one to the next in x and weights."""

    number: int
    x: int
    w: int


class Spread(NamedTuple):
    """Where results lie: the first of them along each side, and so many cells from one to the next."""

    first: tuple[int, ...]
    step: tuple[int, ...]

    def numbers(self, x: Array) -> list[int]:
        """The address of the first in an array, the bytes from picture to picture and along each side."""
        strides = x.strides[1:-1]
        begin = x.ctypes.data + sum(n * step for n, step in zip(self.first, strides, strict=True))
        return [begin, x.strides[0], *(n * step for n, step in zip(self.step, strides, strict=True))]


def product(
    operands: Operands,
    sides: Sides,
    taps: Sequence[Tap],
    groups: Groups,
    channels: Channels,
    spread: Spread,
    finishing: Finishing,
    gathering: Gathering,
) -> Step:
    """Rows of x times w, and what is behind that."""
    table = sides.table(taps, channels.inner * PANEL * 4)
    zero = np.zeros(channels.inner + LANES, np.float32)
    many = operands.batch * prod(sides.cells)
    together = max(1, min(16, NEAR // (ROWS * channels.inner * 4 * max(1, min(len(taps), 3)))))
    if len(taps) == 1:
        together = max(1, min(together, many * groups.number // (UNITS * ROWS)))
    runs = -(-many // (together * ROWS))
    splits = min(-(-channels.outer // BLOCK), -(-UNITS // (runs * groups.number)))
    size = groups.number * splits * runs
    panel = channels.taps * channels.inner * PANEL * 4
    args = [*operands[:2], zero.ctypes.data, table.ctypes.data, len(taps), *channels[:2], panel, many, together, runs, splits]
    even = sides.even(operands.next_x) if len(taps) == 1 else 0
    args += [*groups[1:], operands.next_x, even, *sides.numbers(), *gathering.numbers(sides.stride)]
    args += [*(n for cell in finishing.cells for n in spread.numbers(cell)), *finishing.numbers]
    scratch = together * ROWS * (len(taps) + len(finishing.cells)) * 8 + (channels.outer + BLOCK) * 4 + LINE
    aliased = len(taps) == 1 and channels.inner % LANES == 0 and any(step % ALIAS == 0 for step in sides.x)
    laid = gathering.structure if aliased or gathering.structure is not PLAIN else None
    scratch += together * ROWS * (channels.inner + LANES) * 4 if laid else 0
    kernel = (convolved, len(sides.cells), _tail(channels.outer), laid, finishing.structure)
    return Step(kernel, args, size, min(size, 64), scratch, (table, zero))


def _tail(outer: int) -> tuple[int, bool]:
    """Vectors behind the full panels, and whether the last one is a part."""
    rest = outer % BLOCK
    return -(-rest // LANES), bool(rest % LANES)


X, W, ZERO, TAPS, COUNT, INNER, OUTER, NEXT_PANEL, MANY, TOGETHER, RUNS, SPLITS, GX, GW, NX, EVEN, SIDES = range(17)
"""The numbers of the table; behind them the fields of Sides, side by side, those of what is gathered, those of Spread for each
array, and those of the finish."""


class _Kernel:
    """What the parts of a kernel share."""

    def __init__(self, code: Code, sides: int, laid: Gather | None, finish: Finish) -> None:
        self.code, self.sides = code, sides
        self.walk = Walk(code, SIDES, sides, code.arg(TAPS))
        self.dtypes = finish.cells
        gathers = SIDES + sides * len(Sides._fields)
        self.reader = Reader(code, laid, gathers, sides) if laid else None
        self.spread = gathers + (laid.numbers(sides) if laid else 0)
        self.writer = Writer(code, finish, self.spread + len(self.dtypes) * (2 + sides))

    @property
    def rows(self) -> Number:
        """Bytes of a block's addresses: for each tap those of ROWS rows of x, behind the taps those of each array with cells."""
        return self.code.mul(self.code.add(self.code.arg(COUNT), len(self.dtypes)), ROWS * 8)

    @property
    def nowhere(self) -> Number:
        """The address of a row that nobody reads: behind all blocks, where a line begins."""
        blocks = self.code.mul(self.code.arg(TOGETHER), self.rows)
        return self.code.add(self.code.scratch, self.code.mul(self.code.div(self.code.add(blocks, LINE - 1), LINE), LINE))

    def cell(self, i: int, group: ir.Value, place: Sequence[ir.Value]) -> Number:
        """The address of a cell in an array."""
        code, first = self.code, self.spread + i * (2 + self.sides)
        moved = [code.mul(n, code.arg(first + 1 + side)) for side, n in enumerate(place)]
        return code.at(code.total(code.arg(first), *moved), code.mul(group, code.arg(OUTER)), self.dtypes[i])


class _Rows(NamedTuple):
    """Rows of the result that a unit works on: `blocks` of ROWS from `first` on, of a group."""

    first: ir.Value
    blocks: ir.Value
    group: ir.Value
    split: ir.Value


def convolved(code: Code, sides: int, tail: tuple[int, bool], laid: Gather | None, finish: Finish) -> None:
    """A unit is a group, a share of the panels, and so many blocks of rows as stay in the cache together."""
    kernel = _Kernel(code, sides, laid, finish)
    runs, splits = code.arg(RUNS), code.arg(SPLITS)
    with code.loop(code.lo, code.hi) as unit:
        share, run = code.div(unit, runs), code.rem(unit, runs)
        first = code.mul(run, code.mul(code.arg(TOGETHER), ROWS))
        many = code.min(code.sub(code.arg(MANY), first), code.mul(code.arg(TOGETHER), ROWS))
        rows = _Rows(first, code.div(code.add(many, ROWS - 1), ROWS), code.div(share, splits), code.rem(share, splits))
        _addresses(kernel, rows)
        _panels(kernel, tail, rows)


def _addresses(kernel: _Kernel, rows: _Rows) -> None:
    """Writes, block by block, the addresses of all rows."""
    code, walk = kernel.code, kernel.walk
    with code.reduce(0, rows.blocks, 1, walk.place(rows.first)) as block:
        here = code.add(code.scratch, code.mul(block.i, kernel.rows))
        with code.reduce(0, ROWS, 1, block.values) as row:
            index = code.add(code.mul(block.i, ROWS), row.i)
            at = code.at(here, row.i, "i64")
            _row(kernel, rows, row.values, index, at)
            if kernel.reader:
                _laid(kernel, kernel.reader, rows, row.values, index, at)
            else:
                _fetched(code, at)
            row.next = walk.next(row.values)
        block.next = row.result


def _row(kernel: _Kernel, rows: _Rows, place: Sequence[ir.Value], index: ir.Value, at: Number) -> None:
    """The addresses of one row; of a row behind the last one zeros, and a place that nobody reads."""
    code, walk = kernel.code, kernel.walk
    there = _there(code, rows, index)
    x = code.add(code.arg(X), code.mul(rows.group, code.arg(GX)))
    starts, origin = walk.starts(place), walk.origin(x, code.arg(NX), place)
    with code.loop(0, code.arg(COUNT)) as tap:
        code.store(walk.row(tap, starts, origin, code.arg(ZERO), there), code.at(at, code.mul(tap, ROWS), "i64"))
    for i in range(len(kernel.dtypes)):
        cell = code.b.select(there, kernel.cell(i, rows.group, place), kernel.nowhere)
        code.store(cell, code.at(at, code.mul(code.add(code.arg(COUNT), i), ROWS), "i64"))


def _there(code: Code, rows: _Rows, index: ir.Value) -> ir.Value:
    return code.compare("<", code.add(rows.first, index), code.arg(MANY))


def _laid(kernel: _Kernel, reader: Reader, rows: _Rows, place: Sequence[ir.Value], index: ir.Value, at: Number) -> None:
    """Writes the row, or what a map makes of it, apart from the others, and its address in place of the row's own."""
    code = kernel.code
    pitch = code.mul(code.add(code.arg(INNER), LANES), 4)
    copy = code.total(kernel.nowhere, code.mul(code.add(code.arg(OUTER), BLOCK), 4), code.mul(index, pitch))
    first, *others = reader.cells(code.load(at, "i64"), place)
    there = _there(code, rows, index)
    sources = [first, *(code.b.select(there, other, code.arg(ZERO)) for other in others)]
    with code.loop(0, code.arg(INNER), LANES) as c:
        code.prefetch(code.add(code.at(first, c), code.mul(code.arg(EVEN), ROWS)))
        code.store(reader.value([code.at(source, c) for source in sources], c, place[0]), code.at(copy, c))
    code.store(copy, at)


def _fetched(code: Code, at: Number) -> None:
    """Asks for the row of the last tap, which in the order of cells is the newest: sums of products leave memory time to bring it."""
    row = code.load(code.at(at, code.mul(code.sub(code.arg(COUNT), 1), ROWS), "i64"), "i64")
    with code.loop(0, code.arg(INNER), LANES) as c:
        code.prefetch(code.at(row, c))


def _panels(kernel: _Kernel, tail: tuple[int, bool], rows: _Rows) -> None:
    """The full panels of this share, and in the last share what is behind them."""
    code, (columns, part) = kernel.code, tail
    full = code.div(code.arg(OUTER), BLOCK)
    panels = code.add(full, 1 if columns else 0)
    begin, end = (code.div(code.mul(code.add(rows.split, i), panels), code.arg(SPLITS)) for i in (0, 1))
    with code.loop(begin, code.min(end, full)) as panel:
        _blocks(kernel, machine().columns, False, rows, panel)
    if columns:
        with code.when(code.compare("==", end, panels)):
            _blocks(kernel, columns, part, rows, full)


def _blocks(kernel: _Kernel, columns: int, part: bool, rows: _Rows, panel: ir.Value) -> None:
    """Each block of rows times one panel. Meanwhile memory brings what the next run of rows reads, where it lies as evenly."""
    code, taps = kernel.code, kernel.code.arg(COUNT)
    channel = code.mul(panel, BLOCK)
    weights = code.total(code.arg(W), code.mul(rows.group, code.arg(GW)), code.mul(code.div(channel, PANEL), code.arg(NEXT_PANEL)))
    weights = code.at(weights, code.rem(channel, PANEL))
    with code.loop(0, rows.blocks) as block:
        here = code.add(code.scratch, code.mul(block, kernel.rows))
        cells = [_row_addresses(code, here, code.add(taps, i)) for i in range(len(kernel.dtypes))]
        then = code.add(rows.first, code.mul(code.add(code.arg(TOGETHER), block), ROWS))
        line = code.total(code.arg(X), code.mul(rows.group, code.arg(GX)), code.mul(then, code.arg(EVEN)))
        kernel.writer.expect(cells, channel, columns)
        with code.reduce(0, taps, 1, zeros(code, ROWS, columns)) as tap:
            left = _row_addresses(code, here, tap.i)
            right = code.add(weights, kernel.walk.weights(tap.i))
            tap.next = accumulate(code, tap.values, left, right, code.arg(INNER), pitch=PANEL, ahead=(line, LINE))
        outer = code.add(code.mul(rows.group, code.arg(OUTER)), channel)
        kernel.writer.block(tap.result, cells, channel, outer, code.arg(OUTER) if part else None)


def _row_addresses(code: Code, here: Number, number: Number) -> list[ir.Value]:
    at = code.at(here, code.mul(number, ROWS), "i64")
    return [code.load(code.at(at, r, "i64"), "i64") for r in range(ROWS)]

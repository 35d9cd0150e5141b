"""Convolutions as products of rows: for each cell of the result, the rows of the operand that its taps meet, times packed weights.

One kernel serves convolutions of any window, and their gradients by the operand: all that differs is a table of taps. Rows are found
by address, so padding is a row of zeros and nothing is copied. Read next: packing.py for the weights, conv.py for who calls it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import NamedTuple

import numpy as np
from llvmlite import ir

from netcompiler.plan import PANEL
from runtime.kernels.cpu.block import Sums, accumulate, zeros
from runtime.kernels.cpu.cells import Sides, Tap, Walk
from runtime.kernels.cpu.code import LANES, Code, Number
from runtime.kernels.cpu.driver import Step
from runtime.kernels.cpu.machine import machine

ROWS, BLOCK = machine().rows, machine().block

NEAR = 384 * 1024
"""Bytes of rows that are worked on together: with a panel of weights they stay in the second cache."""


ALIAS = 4096
"""Rows that lie so many bytes apart, or a multiple, share the same few lines of the first cache: they are copied apart."""


class Operands(NamedTuple):
    """Addresses of the first cell of the first picture in x and y, and of the packed weights; the bytes from picture to picture."""

    x: int
    w: int
    y: int
    batch: int
    next_x: int
    next_y: int


class Channels(NamedTuple):
    """Of a group: those that are summed, those that come out, and the taps that the weights are packed for."""

    inner: int
    outer: int
    taps: int


class Groups(NamedTuple):
    """How many, and the bytes from one to the next in x, weights and y."""

    number: int
    x: int
    w: int
    y: int


def product(operands: Operands, sides: Sides, taps: Sequence[Tap], groups: Groups, channels: Channels) -> Step:
    """y = rows of x times w."""
    table = sides.table(taps, channels.inner * PANEL * 4)
    zero = np.zeros(channels.inner + LANES, np.float32)
    many = operands.batch * prod(sides.cells)
    together = max(1, min(16, NEAR // (ROWS * channels.inner * 4 * max(1, min(len(taps), 3)))))
    runs = -(-many // (together * ROWS))
    splits = min(-(-channels.outer // BLOCK), -(-32 // (runs * groups.number)))
    size = groups.number * splits * runs
    panel = channels.taps * channels.inner * PANEL * 4
    args = [*operands[:3], zero.ctypes.data, table.ctypes.data, len(taps), *channels[:2], panel, many, together, runs, splits]
    args += [*groups[1:], *operands[4:], *sides.numbers()]
    scratch = together * ROWS * (len(taps) + 1) * 8 + (channels.outer + BLOCK) * 4
    copied = len(taps) == 1 and channels.inner % LANES == 0 and any(step % ALIAS == 0 for step in sides.x)
    scratch += together * ROWS * (channels.inner + LANES) * 4 if copied else 0
    return Step((convolved, len(sides.cells), _tail(channels.outer), copied), args, size, min(size, 64), scratch, (table, zero))


def _tail(outer: int) -> tuple[int, bool]:
    """Vectors behind the full panels, and whether the last one is a part."""
    rest = outer % BLOCK
    return -(-rest // LANES), bool(rest % LANES)


X, W, Y, ZERO, TAPS, COUNT, INNER, OUTER, NEXT_PANEL, MANY, TOGETHER, RUNS, SPLITS, GX, GW, GY, NX, NY, SIDES = range(19)
"""The numbers of the table; behind them the fields of Sides, side by side."""


class _Rows(NamedTuple):
    """Rows of the result that a unit works on: `blocks` of ROWS from `first` on."""

    first: ir.Value
    blocks: ir.Value
    x: Number
    y: Number


Behind = Callable[[Code, Sums, Sequence[Number], Number, bool], None]
"""What becomes of a block of sums: it gets them, the address of each row of y, the first channel and whether the last vector is a part."""


def convolved(code: Code, sides: int, tail: tuple[int, bool], copied: bool) -> None:
    """A unit is a group, a share of the panels, and so many blocks of rows as stay in the cache together."""
    walk = Walk(code, SIDES, sides, code.arg(TAPS))
    runs, splits = code.arg(RUNS), code.arg(SPLITS)
    with code.loop(code.lo, code.hi) as unit:
        share, run = code.div(unit, runs), code.rem(unit, runs)
        group, split = code.div(share, splits), code.rem(share, splits)
        first = code.mul(run, code.mul(code.arg(TOGETHER), ROWS))
        many = code.min(code.sub(code.arg(MANY), first), code.mul(code.arg(TOGETHER), ROWS))
        blocks = code.div(code.add(many, ROWS - 1), ROWS)
        x = code.add(code.arg(X), code.mul(group, code.arg(GX)))
        y = code.add(code.arg(Y), code.mul(group, code.arg(GY)))
        _addresses(code, walk, copied, _Rows(first, blocks, x, y))
        _panels(code, walk, tail, blocks, group, split)


def _addresses(code: Code, walk: Walk, copied: bool, rows: _Rows) -> None:
    """Writes, block by block, for each tap the addresses of ROWS rows of x, and behind the taps those of y."""
    with code.reduce(0, rows.blocks, 1, walk.place(rows.first)) as block:
        here = code.add(code.scratch, code.mul(block.i, code.mul(code.add(code.arg(COUNT), 1), ROWS * 8)))
        with code.reduce(0, ROWS, 1, block.values) as row:
            index = code.add(code.mul(block.i, ROWS), row.i)
            at = code.at(here, row.i, "i64")
            _row(code, walk, rows, row.values, index, at)
            if copied:
                _copied(code, at, index)
            else:
                _fetched(code, at)
            row.next = walk.next(row.values)
        block.next = row.result


def _row(code: Code, walk: Walk, rows: _Rows, place: Sequence[ir.Value], index: ir.Value, at: Number) -> None:
    """The addresses of one row; of a row behind the last one zeros, and a place that nobody reads."""
    there = code.compare("<", code.add(rows.first, index), code.arg(MANY))
    starts, origin = walk.starts(place), walk.origin(rows.x, code.arg(NX), place)
    with code.loop(0, code.arg(COUNT)) as tap:
        code.store(walk.row(tap, starts, origin, code.arg(ZERO), there), code.at(at, code.mul(tap, ROWS), "i64"))
    y = walk.result(rows.y, code.arg(NY), place)
    code.store(code.b.select(there, y, _nowhere(code)), code.at(at, code.mul(code.arg(COUNT), ROWS), "i64"))


def _copied(code: Code, at: Number, index: ir.Value) -> None:
    """Replaces the address of a row by that of its copy."""
    pitch = code.mul(code.add(code.arg(INNER), LANES), 4)
    copy = code.total(_nowhere(code), code.mul(code.add(code.arg(OUTER), BLOCK), 4), code.mul(index, pitch))
    source = code.load(at, "i64")
    with code.loop(0, code.arg(INNER), LANES) as c:
        code.store(code.load(code.at(source, c), lanes=LANES), code.at(copy, c))
    code.store(copy, at)


def _fetched(code: Code, at: Number) -> None:
    """Asks for the row of the last tap, which in the order of cells is the newest: sums of products leave memory time to bring it."""
    row = code.load(code.at(at, code.mul(code.sub(code.arg(COUNT), 1), ROWS), "i64"), "i64")
    with code.loop(0, code.arg(INNER), LANES) as c:
        code.prefetch(code.at(row, c))


def _panels(code: Code, walk: Walk, tail: tuple[int, bool], blocks: ir.Value, group: ir.Value, split: ir.Value) -> None:
    """The full panels of this share, and in the last share what is behind them."""
    columns, part = tail
    full = code.div(code.arg(OUTER), BLOCK)
    panels = code.add(full, 1 if columns else 0)
    w = code.add(code.arg(W), code.mul(group, code.arg(GW)))
    begin, end = (code.div(code.mul(code.add(split, i), panels), code.arg(SPLITS)) for i in (0, 1))
    with code.loop(begin, code.min(end, full)) as panel:
        _blocks(code, walk, machine().columns, False, blocks, w, panel)
    if columns:
        with code.when(code.compare("==", end, panels)):
            _blocks(code, walk, columns, part, blocks, w, full)


def _blocks(code: Code, walk: Walk, columns: int, part: bool, blocks: ir.Value, w: Number, panel: ir.Value) -> None:
    """Each block of rows times one panel."""
    taps = code.arg(COUNT)
    channel = code.mul(panel, BLOCK)
    weights = code.add(w, code.mul(code.div(channel, PANEL), code.arg(NEXT_PANEL)))
    weights = code.at(weights, code.rem(channel, PANEL))
    with code.loop(0, blocks) as block:
        here = code.add(code.scratch, code.mul(block, code.mul(code.add(taps, 1), ROWS * 8)))
        with code.reduce(0, taps, 1, zeros(code, ROWS, columns)) as tap:
            at = code.at(here, code.mul(tap.i, ROWS), "i64")
            rows = [code.load(code.at(at, r, "i64"), "i64") for r in range(ROWS)]
            right = code.add(weights, walk.weights(tap.i))
            tap.next = accumulate(code, tap.values, rows, right, code.arg(INNER), pitch=PANEL)
        at = code.at(here, code.mul(taps, ROWS), "i64")
        stored(code, tap.result, [code.load(code.at(at, r, "i64"), "i64") for r in range(ROWS)], channel, part)


def stored(code: Code, sums: Sums, rows: Sequence[Number], channel: Number, part: bool) -> None:
    """As they are."""
    columns = len(sums) // len(rows)
    for r, row in enumerate(rows):
        for j in range(columns):
            at = code.at(row, code.add(channel, j * LANES))
            if part and j == columns - 1:
                left = code.sub(code.sub(code.arg(OUTER), channel), j * LANES)
                code.store_masked(sums[r * columns + j], at, code.mask(left, LANES))
            else:
                code.store(sums[r * columns + j], at)


def _nowhere(code: Code) -> Number:
    """The address of a row that nobody reads: behind the addresses."""
    rows = code.mul(code.arg(TOGETHER), ROWS * 8)
    return code.add(code.scratch, code.mul(rows, code.add(code.arg(COUNT), 1)))

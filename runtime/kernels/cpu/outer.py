"""Gradients of weights: sums of outer products, of each cell of dy with what its window reads of x.

A unit owns some of dw, as much as stays in the cache; blocks of cells are laid side by side, and summed into it. Few weights are
also divided by cells, in as many parts as the shape gives, and the parts added up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod
from typing import NamedTuple

import numpy as np
from llvmlite import ir

from runtime.arrays import Array
from runtime.kernels.cpu.block import accumulate, fitting
from runtime.kernels.cpu.cells import Sides, Tap, Walk
from runtime.kernels.cpu.code import LANES, LINE, Code, Number
from runtime.kernels.cpu.driver import Step
from runtime.kernels.cpu.gather import Gather, Gathering, Reader
from runtime.kernels.cpu.machine import machine

ROWS, BLOCK, COLUMNS = machine().rows, machine().block, machine().columns
CELLS = 128
"""Cells that are laid side by side at a time."""
WIDE = 256
"""Most of the taps' channels that a unit owns."""
OWN = 256 * 1024
"""Most bytes of dw that a unit owns: with the cells they fill most of the second cache."""
UNITS = 8
"""Fewer units than that are divided by cells, down to so many cells:"""
LEAST = 512
NUMBERS = LINE // 4
"""Of a line of the caches."""
PATCH = CELLS * BLOCK + NUMBERS
"""Numbers from block to block of columns: were they a power of two apart, the blocks of a cell would share few lines of the first cache."""


class Outer(NamedTuple):
    """Addresses of the first picture's first cell in x and dy; the batch; bytes from picture to picture of x, from cell to cell
    of dy, and from group to group of x, dy and dw."""

    x: int
    y: int
    batch: int
    next_x: int
    cell_y: int
    group_x: int
    group_y: int
    group_w: int


def outer_product(
    w: Array,
    operands: Outer,
    sides: Sides,
    taps: Sequence[Tap],
    groups: int,
    channels: tuple[int, int],
    gatherings: tuple[Gathering, Gathering],
) -> Iterator[Step]:
    """dw[k, tap, c] = the sum over cells of dy[cell, k] * x[cell's tap, c]; `gatherings` are those of x and dy."""
    inner, outer = channels
    width = len(taps) * inner
    wide = min(WIDE, -(-width // BLOCK) * BLOCK)
    rows = fitting(outer)
    tall = -(-min(outer, OWN // (wide * 4)) // rows) * rows
    units = groups * -(-width // wide) * -(-outer // tall)
    cells = operands.batch * prod(sides.cells)
    parts = max(1, min(-(-UNITS // units), cells // LEAST)) if units < UNITS else 1
    table = sides.table(taps, 0)
    zero = np.zeros(inner + LANES, np.float32)
    sums = np.empty((parts, groups * outer * width), np.float32) if parts > 1 else None
    target = w if sums is None else sums
    args = [operands.x, operands.y, target.ctypes.data, zero.ctypes.data, table.ctypes.data, inner, outer, width, wide, tall, cells, parts]
    args += [*operands[3:], groups * outer * width * 4, sides.even(operands.next_x), *sides.numbers()]
    args += [*gatherings[0].numbers(sides.stride), *gatherings[1].numbers((1,) * len(sides.cells))]
    scratch = (tall * wide + wide // BLOCK * PATCH + tall // rows * _strip(rows)) * 4
    kernel = (summed, len(sides.cells), rows, *(gathering.structure for gathering in gatherings))
    yield Step(kernel, args, units * parts, min(units * parts, 64), scratch, (table, zero, sums))
    if sums is not None:
        yield add_parts(w, sums)


def add_parts(w: Array, sums: Array) -> Step:
    """Weights are the sum of their parts."""
    args = [sums.ctypes.data, w.ctypes.data, w.size, len(sums)]
    return Step((added,), args, -(-w.size // LANES), max(1, min(32, w.size // 16384)), keep=(sums,))


X, Y, W, ZERO, TAPS, INNER, OUTER, WIDTH, WIDE_, TALL, CELLS_, PARTS, NX, CY, GX, GY, GW, PW, EVEN, SIDES = range(20)


class _Unit(NamedTuple):
    """What a unit owns, and where it works: dw's rows [row, row + rows) and columns [column, column + columns), of a group."""

    row: ir.Value
    rows: Number
    column: ir.Value
    columns: Number
    x: Number
    y: Number
    sums: Number
    patches: Number
    values: Number


def summed(code: Code, sides: int, rows: int, x: Gather, y: Gather) -> None:
    first = SIDES + sides * len(Sides._fields)
    of_x, of_y = Reader(code, x, first, sides), Reader(code, y, first + x.numbers(sides), sides)
    across = code.div(code.add(code.arg(WIDTH), code.sub(code.arg(WIDE_), 1)), code.arg(WIDE_))
    down = code.div(code.add(code.arg(OUTER), code.sub(code.arg(TALL), 1)), code.arg(TALL))
    with code.loop(code.lo, code.hi) as index:
        part, rest = code.rem(index, code.arg(PARTS)), code.div(index, code.arg(PARTS))
        right, rest = code.rem(rest, across), code.div(rest, across)
        below, group = code.rem(rest, down), code.div(rest, down)
        row, column = code.mul(below, code.arg(TALL)), code.mul(right, code.arg(WIDE_))
        unit = _Unit(
            row,
            code.min(code.arg(TALL), code.sub(code.arg(OUTER), row)),
            column,
            code.min(code.arg(WIDE_), code.sub(code.arg(WIDTH), column)),
            code.add(code.arg(X), code.mul(group, code.arg(GX))),
            code.add(code.arg(Y), code.mul(group, code.arg(GY))),
            code.scratch,
            code.at(code.scratch, code.mul(code.arg(TALL), code.arg(WIDE_))),
            code.at(code.scratch, code.add(code.mul(code.arg(TALL), code.arg(WIDE_)), code.mul(code.div(code.arg(WIDE_), BLOCK), PATCH))),
        )
        with code.loop(0, code.mul(code.arg(TALL), code.arg(WIDE_)), LANES) as i:
            code.store(code.real(0.0, LANES), code.at(unit.sums, i))
        begin, end = (code.div(code.mul(code.arg(CELLS_), code.add(part, i)), code.arg(PARTS)) for i in (0, 1))
        with code.loop(begin, end, CELLS) as cell:
            count = code.min(CELLS, code.sub(end, cell))
            _lay_patches(code, of_x, unit, cell, count)
            _lay_values(code, of_y, rows, unit, cell, count)
            _sum(code, rows, unit, count, code.add(cell, count))
        target = code.total(code.arg(W), code.mul(part, code.arg(PW)), code.mul(group, code.arg(GW)))
        _write(code, unit, target)


def _room(rows: int) -> int:
    """Elements from one cell's block of rows to the next: whole vectors."""
    return -(-rows // LANES) * LANES


def _strip(rows: int) -> int:
    """And from one block of rows to the next."""
    return CELLS * _room(rows) + NUMBERS


def _lay_patches(code: Code, reader: Reader, unit: _Unit, first: ir.Value, count: Number) -> None:
    """What the taps that a unit owns read: for each BLOCK of columns, cell by cell, so that sums are made of what lies together."""
    inner = code.arg(INNER)
    walk = Walk(code, SIDES, reader.sides, code.arg(TAPS))
    begin = code.div(unit.column, inner)
    end = code.div(code.total(unit.column, unit.columns, inner, -1), inner)
    last = code.add(unit.column, unit.columns)
    with code.reduce(0, count, 1, walk.place(first)) as cell:
        starts, origin = walk.starts(cell.values), walk.origin(unit.x, code.arg(NX), cell.values)
        patch = code.at(unit.patches, code.mul(cell.i, BLOCK))
        with code.loop(begin, end) as tap:
            row = walk.row(tap, starts, origin, code.arg(ZERO))
            start = code.mul(tap, inner)
            low = code.max(start, unit.column)
            size = code.sub(code.min(code.add(start, inner), last), low)
            sources = reader.cells(row, cell.values)
            _lay_columns(code, reader, sources, cell.values[0], code.sub(low, start), patch, code.sub(low, unit.column), size)
        cell.next = walk.next(cell.values)


def _lay_columns(
    code: Code,
    reader: Reader,
    sources: Sequence[Number],
    picture: Number,
    channel: Number,
    patch: Number,
    begin: Number,
    size: Number,
) -> None:
    """Channels of a cell as its columns from `begin` on, each where its block is."""
    end = code.add(begin, size)
    with code.loop(code.div(begin, BLOCK), code.div(code.add(end, BLOCK - 1), BLOCK)) as block:
        low = code.max(begin, code.mul(block, BLOCK))
        high = code.min(end, code.mul(code.add(block, 1), BLOCK))
        target = code.at(patch, code.add(code.mul(block, PATCH - BLOCK), low))
        for j, mask in _vectors(code, code.sub(high, low), BLOCK):
            own = code.total(channel, code.sub(low, begin), j)
            value = reader.value([code.at(source, own) for source in sources], own, picture, mask)
            if mask is None:
                code.store(value, code.at(target, j))
            else:
                code.store_masked(value, code.at(target, j), mask)


def _vectors(code: Code, size: Number, most: int) -> Iterator[tuple[int, ir.Value | None]]:
    """Where vectors begin in what has `most` numbers at most; without masks where it has them all."""
    with code.b.if_else(code.compare(">=", size, most)) as (whole, part):
        for branch in (whole, part):
            with branch:
                for j in range(0, most, LANES):
                    yield j, None if branch is whole else code.mask(code.sub(size, j), LANES)


def _lay_values(code: Code, reader: Reader, rows: int, unit: _Unit, first: ir.Value, count: Number) -> None:
    """dy of a unit's rows: for each block of rows, cell by cell; nobody looks at what stands for rows that are missing in the last."""
    room = _room(rows)
    walk = Walk(code, SIDES, reader.sides, code.arg(TAPS))
    with code.reduce(0, count, 1, walk.place(first)) as cell:
        sources = reader.cells(code.add(unit.y, code.mul(code.add(first, cell.i), code.arg(CY))), cell.values)
        target = code.at(unit.values, code.mul(cell.i, room))
        with code.loop(0, code.div(code.add(unit.rows, rows - 1), rows)) as block:
            row = code.mul(block, rows)
            for j, mask in _vectors(code, code.sub(unit.rows, row), room):
                channel = code.total(unit.row, row, j)
                value = reader.value([code.at(source, channel) for source in sources], channel, cell.values[0], mask)
                code.store(value, code.at(target, code.add(code.mul(block, _strip(rows)), j)))
        cell.next = walk.next(cell.values)


def _sum(code: Code, rows: int, unit: _Unit, count: Number, then: Number) -> None:
    """Meanwhile memory brings what is laid next, from cell `then` on: with each block a line of each cell."""
    room = _room(rows)
    with code.loop(0, unit.columns, BLOCK) as column, code.loop(0, unit.rows, rows) as row:
        own = code.at(unit.sums, code.add(code.mul(row, code.arg(WIDE_)), column))
        at = [code.at(own, code.add(code.mul(r, code.arg(WIDE_)), j * LANES)) for r in range(rows) for j in range(COLUMNS)]
        number = code.div(row, rows)
        block = code.at(unit.values, code.mul(number, _strip(rows)))
        ahead = _line(code, unit, code.add(code.mul(code.div(column, BLOCK), code.div(code.add(unit.rows, rows - 1), rows)), number), then)
        values = [code.at(block, r) for r in range(rows)]
        sums = [code.load(address, lanes=LANES) for address in at]
        sums = accumulate(
            code, sums, values, code.at(unit.patches, code.mul(code.div(column, BLOCK), PATCH)), count, step=room, ahead=ahead
        )
        for value, address in zip(sums, at, strict=True):
            code.store(value, address)


def _line(code: Code, unit: _Unit, number: Number, cell: Number) -> tuple[Number, Number]:
    """The address of a line of a cell's dy, or behind those of its x, and the bytes to the next cell's."""
    lines = code.div(code.add(unit.rows, NUMBERS - 1), NUMBERS)
    last = code.div(code.sub(unit.columns, 1), NUMBERS)
    y = code.total(code.at(unit.y, unit.row), code.mul(cell, code.arg(CY)), code.mul(number, LINE))
    x = code.total(code.at(unit.x, unit.column), code.mul(cell, code.arg(EVEN)), code.mul(code.min(code.sub(number, lines), last), LINE))
    of_y = code.compare("<", number, lines)
    return code.b.select(of_y, code.whole(y), code.whole(x)), code.b.select(of_y, code.arg(CY), code.arg(EVEN))


def _write(code: Code, unit: _Unit, target: Number) -> None:
    with code.loop(0, unit.rows) as row:
        place = code.add(code.mul(code.add(unit.row, row), code.arg(WIDTH)), unit.column)
        _copy(code, code.at(unit.sums, code.mul(row, code.arg(WIDE_))), code.at(target, place), unit.columns)


def _copy(code: Code, source: Number, target: Number, size: Number) -> None:
    with code.loop(0, size, LANES) as i:
        mask = code.mask(code.sub(size, i), LANES)
        code.store_masked(code.load_masked(code.at(source, i), mask), code.at(target, i), mask)


def added(code: Code) -> None:
    """Parts of a sum, in their order."""
    parts, target, size, count = map(code.arg, range(4))
    with code.loop(code.lo, code.hi) as i:
        mask = code.mask(code.sub(size, code.mul(i, LANES)), LANES)
        with code.reduce(0, count, 1, [code.real(0.0, LANES)]) as part:
            value = code.load_masked(code.at(parts, code.add(code.mul(part.i, size), code.mul(i, LANES))), mask)
            part.next = [code.fadd(part.values[0], value)]
        code.store_masked(part.result[0], code.at(target, code.mul(i, LANES)), mask)

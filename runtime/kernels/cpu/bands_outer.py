"""Gradients of the weights of few channels: what a row of cells reads is laid side by side out of its lines, and multiplied with dy.

Rows are divided into as many parts as the shape gives, and the sums of the parts added up.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from llvmlite import ir

from runtime.arrays import Array
from runtime.kernels.cpu.bands import Band, Lines
from runtime.kernels.cpu.block import accumulate, fitting
from runtime.kernels.cpu.code import LANES, LINE, Code, Number
from runtime.kernels.cpu.driver import Step
from runtime.kernels.cpu.machine import machine
from runtime.kernels.cpu.outer import NUMBERS, add_parts

BLOCK, COLUMNS = machine().block, machine().columns
PARTS = 16


def outer_bands(w: Array, y: Array, lines: Band, run: int) -> Iterator[Step]:
    """dw[k, line, run] = the sum over cells of dy[cell, k] * what the cell reads of the line"""
    outer, width = len(w), len(lines.lines) * run
    tall = fitting(outer)
    parts = min(PARTS, lines.rows)
    wide = -(-width // BLOCK) * BLOCK + LANES
    sums = np.empty((parts, w.size), np.float32)
    down = -(-outer // tall) * tall
    args = [sums.ctypes.data, outer, width, wide, run, parts, lines.rows, y.ctypes.data, y.strides[-2], *lines.numbers]
    scratch = lines.scratch + (down * wide + lines.cells * wide + LANES) * 4
    yield Step((_outer, y.ndim - 2, tall), args, parts, parts, scratch, (lines.lines, sums))
    yield add_parts(w, sums)


W, OUTER, WIDTH, WIDE, RUN, PARTS_, ROWS_, Y, CELL, BAND = range(10)


def _outer(code: Code, sides: int, tall: int) -> None:
    """Scratch: the lines, the sums, the patches."""
    lines = Lines(code, BAND, sides, code.scratch)
    sums = lines.line(lines.count)
    down = code.mul(code.div(code.add(code.arg(OUTER), tall - 1), tall), tall)
    patches = code.at(sums, code.mul(down, code.arg(WIDE)))
    with code.loop(code.lo, code.hi) as part:
        with code.loop(0, code.mul(down, code.arg(WIDE)), LANES) as i:
            code.store(code.real(0.0, LANES), code.at(sums, i))
        begin, end = (code.div(code.mul(code.arg(ROWS_), code.add(part, i)), code.arg(PARTS_)) for i in (0, 1))
        with code.loop(begin, end) as row:
            lines.copy(lines.place(row))
            _lay(code, lines, patches)
            _sum(code, lines, tall, row, sums, patches)
        _write(code, part, sums)


def _lay(code: Code, lines: Lines, patches: Number) -> None:
    """Whole vectors: what is too much is written over by the next line, or lies behind the last one, where nobody reads."""
    with code.loop(0, lines.cells) as cell:
        patch = code.at(patches, code.mul(cell, code.arg(WIDE)))
        with code.loop(0, lines.count) as line:
            source = code.at(lines.line(line), code.mul(cell, lines.stride))
            target = code.at(patch, code.mul(line, code.arg(RUN)))
            with code.loop(0, code.arg(RUN), LANES) as i:
                code.store(code.load(code.at(source, i), lanes=LANES), code.at(target, i))


def _sum(code: Code, lines: Lines, tall: int, row: ir.Value, sums: Number, patches: Number) -> None:
    """Outputs behind the last one are the last one again, and their sums are not written. Meanwhile memory brings dy of the next row:
    with each block of outputs a line of each cell."""
    values = code.add(code.arg(Y), code.mul(row, code.mul(lines.cells, code.arg(CELL))))
    later = code.add(values, code.mul(lines.cells, code.arg(CELL)))
    step = code.div(code.arg(CELL), 4)
    with code.loop(0, code.arg(WIDTH), BLOCK) as column, code.loop(0, code.arg(OUTER), tall) as first:
        own = code.at(sums, code.add(code.mul(first, code.arg(WIDE)), column))
        at = [code.at(own, code.add(code.mul(r, code.arg(WIDE)), j * LANES)) for r in range(tall) for j in range(COLUMNS)]
        left = [code.at(values, code.min(code.add(first, r), code.sub(code.arg(OUTER), 1))) for r in range(tall)]
        start = [code.load(address, lanes=LANES) for address in at]
        number = code.min(code.div(first, tall), code.div(code.sub(code.arg(OUTER), 1), NUMBERS))
        ahead = (code.total(later, code.mul(number, LINE)), code.arg(CELL))
        found = accumulate(code, start, left, code.at(patches, column), lines.cells, step=step, pitch=code.arg(WIDE), ahead=ahead)
        for value, address in zip(found, at, strict=True):
            code.store(value, address)


def _write(code: Code, part: ir.Value, sums: Number) -> None:
    width = code.arg(WIDTH)
    target = code.at(code.arg(W), code.mul(part, code.mul(code.arg(OUTER), width)))
    with code.loop(0, code.arg(OUTER)) as k:
        source, row = code.at(sums, code.mul(k, code.arg(WIDE))), code.at(target, code.mul(k, width))
        with code.loop(0, width, LANES) as i:
            mask = code.mask(code.sub(width, i), LANES)
            code.store_masked(code.load(code.at(source, i), lanes=LANES), code.at(row, i), mask)

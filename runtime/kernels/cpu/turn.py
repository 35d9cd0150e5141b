"""Rows that become columns: tiles of as many rows as a vector has lanes are turned in registers."""

from __future__ import annotations

from math import prod
from typing import NamedTuple

from llvmlite import ir

from runtime.arrays import Array
from runtime.kernels.cpu.code import LANES, Code
from runtime.kernels.cpu.driver import Step
from runtime.kernels.cpu.packing import transposed
from runtime.kernels.layout import address, pieces

OUTER = 3


class Line(NamedTuple):
    """An axis: its cells, and bytes from one to the next in the result and in what is read."""

    size: int
    y: int
    x: int


def is_turned(y: Array, x: Array) -> bool:
    """Whether numbers side by side in one array lie apart in the other, along no more axes than the kernel knows."""
    lines = _lines(y, x)
    return y.itemsize == 4 and len(lines) <= OUTER + 2 and _along(lines) is not None and lines[-1].y == 4 != lines[-1].x


def turned(y: Array, x: Array) -> Step:
    """Runs along the last axis of y, and along the axis of x where its numbers lie side by side."""
    lines = _lines(y, x)
    rows, columns = lines.pop(_along(lines) or 0), lines.pop()
    outer = [Line(1, 0, 0)] * (OUTER - len(lines)) + lines
    units = prod(line.size for line in outer) * -(-rows.size // LANES)
    args = [address(y), address(x), *rows[:2], columns.size, columns.x, *(n for line in outer for n in line)]
    return Step((_turned, LANES), args, units, pieces(2 * y.nbytes, units), keep=(x,))


def _lines(y: Array, x: Array) -> list[Line]:
    """Axes of more than one cell; neighbours that run on in both arrays are one."""
    lines: list[Line] = []
    for line in map(Line, y.shape, y.strides, x.strides):
        if lines and lines[-1][1:] == (line.size * line.y, line.size * line.x):
            lines[-1] = Line(lines[-1].size * line.size, line.y, line.x)
        elif line.size > 1:
            lines.append(line)
    return lines


def _along(lines: list[Line]) -> int | None:
    """The axis along which the numbers of x lie side by side, if it is not the last one."""
    return next((i for i, line in enumerate(lines[:-1]) if line.x == 4), None)


def _turned(code: Code, lanes: int) -> None:
    y, x, rows, apart, columns, pitch = (code.arg(i) for i in range(6))
    sizes, strides = ([code.arg(6 + 3 * i + j) for i in range(OUTER)] for j in (0, 1))
    steps = [code.arg(8 + 3 * i) for i in range(OUTER)]
    blocks = code.div(code.add(rows, lanes - 1), lanes)
    with code.loop(code.lo, code.hi) as unit:
        first, outer = code.mul(code.rem(unit, blocks), lanes), code.div(unit, blocks)
        to, source = code.add(y, code.mul(first, apart)), code.add(x, code.mul(first, 4))
        for size, stride, step in zip(reversed(sizes), reversed(strides), reversed(steps), strict=True):
            at, outer = code.rem(outer, size), code.div(outer, size)
            to, source = code.add(to, code.mul(at, stride)), code.add(source, code.mul(at, step))
        high = code.mask(code.sub(rows, first), lanes)
        with code.loop(0, columns, lanes) as column:
            wide = code.sub(columns, column)
            tile = [
                code.load_masked(code.add(source, code.mul(code.add(column, i), pitch)), _where(code, code.compare("<", i, wide), high))
                for i in range(lanes)
            ]
            along, begin = code.mask(wide, lanes), code.at(to, column)
            for i, vector in enumerate(transposed(code, tile)):
                code.store_masked(
                    vector, code.add(begin, code.mul(i, apart)), _where(code, code.compare("<", i, code.sub(rows, first)), along)
                )


def _where(code: Code, truth: ir.Value, mask: ir.Value) -> ir.Value:
    """The mask, or nothing of it."""
    return code.b.select(truth, mask, ir.Constant(mask.type, [0] * mask.type.count))

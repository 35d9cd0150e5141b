"""Cells of an axis out of others: by lists that are constant, or by numbers that are there at run time."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from math import prod

import numpy as np
from llvmlite import ir

from runtime.arrays import Array, name_of
from runtime.kernels.cpu.code import I64, LANES, Code, Number
from runtime.kernels.cpu.driver import Step
from runtime.kernels.cpu.strips import strips
from runtime.kernels.layout import address, pieces

VECTORS = 4


def collected(y: Array, x: Array, met: Sequence[Sequence[int]], axis: int) -> Step:
    """Each cell of y along the axis is the sum of the cells of x in its list."""
    ends = np.array([0, *accumulate(map(len, met))], np.int64)
    cells = np.array([cell for row in met for cell in row], np.int64)
    args = [*_inner(y, x, axis), *_outer(y, axis), *_outer(x, axis), len(met), address(ends), address(cells)]
    units = prod(y.shape[:axis]) * len(met)
    return Step((_collected, LANES), args, units, pieces(y.nbytes + x.nbytes, units), keep=(ends, cells))


def taken(y: Array, x: Array, i: Array) -> Step:
    """Row r of y is row i[r] of x; a number beyond the rows is that of the nearest."""
    args = [*_inner(y, x, 0), y.strides[0], x.strides[0], len(x), address(i), i.strides[0] if i.ndim else 0]
    return Step((_taken, name_of(y), name_of(i), LANES), args, len(y), pieces(2 * y.nbytes, len(y)))


def _inner(y: Array, x: Array, axis: int) -> list[int]:
    """Addresses, and what a cell holds: rows, bytes from one to the next in y and x, elements of a row."""
    shape = y.shape[axis + 1 :]
    dense = all(array[(0,) * axis + (0,)].flags.c_contiguous for array in (y, x)) if y.size else True
    if dense:
        return [address(y), address(x), 1, 0, 0, prod(shape)]
    return [address(y), address(x), prod(shape[:-1]), y.strides[-2], x.strides[-2], shape[-1]]


def _outer(array: Array, axis: int) -> list[int]:
    """Bytes from one outer position to the next, and from cell to cell."""
    return [array.strides[axis - 1] if axis else 0, array.strides[axis]]


def _collected(code: Code, lanes: int) -> None:
    y, x, rows, y_row, x_row, elements, y_outer, y_cell, x_outer, x_cell, cells, ends, list_ = (code.arg(i) for i in range(13))
    with code.loop(code.lo, code.hi) as unit:
        outer, cell = code.div(unit, cells), code.rem(unit, cells)
        to = code.total(y, code.mul(outer, y_outer), code.mul(cell, y_cell))
        source = code.add(x, code.mul(outer, x_outer))
        begin, end = (code.load(code.at(ends, code.add(cell, i), "i64"), "i64") for i in (0, 1))
        with code.loop(0, rows) as row:
            for first, vectors, strip in strips(code, elements, lanes, VECTORS):
                places = [code.add(first, v * strip.lanes) for v in range(vectors)]
                with code.reduce(begin, end, 1, [code.real(0.0, strip.lanes)] * vectors) as carried:
                    where = code.load(code.at(list_, carried.i, "i64"), "i64")
                    here = code.total(source, code.mul(where, x_cell), code.mul(row, x_row))
                    values = [strip.load(code, code.at(here, place)) for place in places]
                    carried.next = [code.fadd(old, new) for old, new in zip(carried.values, values, strict=True)]
                for value, place in zip(carried.result, places, strict=True):
                    strip.store(code, value, code.at(code.add(to, code.mul(row, y_row)), place))


def _taken(code: Code, dtype: str, index: str, lanes: int) -> None:
    y, x, rows, y_row, x_row, elements, y_cell, x_cell, many, numbers, step = (code.arg(i) for i in range(11))
    with code.loop(code.lo, code.hi) as unit:
        number = code.load(code.add(numbers, code.mul(unit, step)), index)
        where = code.max(0, code.min(_wide(code, number, index), code.sub(many, 1)))
        to, source = code.add(y, code.mul(unit, y_cell)), code.add(x, code.mul(where, x_cell))
        with code.loop(0, rows) as row:
            here, there = code.add(to, code.mul(row, y_row)), code.add(source, code.mul(row, x_row))
            for first, vectors, strip in strips(code, elements, lanes, VECTORS):
                for v in range(vectors):
                    place = code.add(first, v * strip.lanes)
                    strip.store(code, strip.load(code, code.at(there, place, dtype), dtype), code.at(here, place, dtype))


def _wide(code: Code, number: ir.Value, dtype: str) -> Number:
    if dtype == "i64":
        return number
    return code.b.sext(number, I64) if dtype == "i32" else code.b.zext(number, I64)

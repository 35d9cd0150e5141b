"""Matrix products over the last two axes. Operands are read as they lie: numbers of a, row by row, times vectors of b."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from llvmlite import ir

from runtime.arrays import Array
from runtime.kernels.cpu.block import accumulate
from runtime.kernels.cpu.code import LANES, Code, Number
from runtime.kernels.cpu.driver import Step
from runtime.kernels.cpu.machine import machine

COLUMNS, ROWS = machine().columns, machine().rows
WIDE = 512
"""Columns that are worked on together: rows of b are read in runs of so many."""
DEEP, SHALLOW = 128, 16
"""Rows of b that are summed before sums go back to memory; fewer where all rows of a fit into one block, and b is read but once:
then it comes in long runs, which memory likes."""
FEW = (8, 3) if machine().registers == 32 else (4, 2)
"""The block for so few rows."""


def matmul(y: Array, a: Array, b: Array, *, ta: bool, tb: bool) -> Iterator[Step]:
    for index in np.ndindex(y.shape[:-2]):
        yield from _matrix(y[index], _of(a, index), _of(b, index), ta, tb)


def _of(x: Array, index: Sequence[int]) -> Array:
    """The matrix of a batch; an axis of 1 serves all."""
    batch = x.shape[:-2]
    own = index[len(index) - len(batch) :]
    matrix: Array = x[tuple(i if n > 1 else 0 for i, n in zip(own, batch, strict=True))]
    return matrix


def _matrix(y: Array, a: Array, b: Array, ta: bool, tb: bool) -> Iterator[Step]:
    rows, columns = y.shape
    inner = a.shape[0 if ta else 1]
    step_row, step_inner = (a.strides[1], a.strides[0]) if ta else (a.strides[0], a.strides[1])
    args = [y.ctypes.data, a.ctypes.data, b.ctypes.data, rows, columns, inner, y.strides[0], step_row, step_inner, b.strides[0]]
    if tb:
        tall, wide = DOTS
        size = -(-columns // (wide * GROUPS))
        yield Step((dots, tall, wide), args, size, _chunks(size, 2 * rows * inner * wide * GROUPS), tall * wide * GROUPS * LANES * 4)
        return
    form = FEW if rows <= FEW[0] else (ROWS, COLUMNS)
    across, down = -(-columns // WIDE), -(-rows // (form[0] * BANDS))
    deep = SHALLOW if rows <= form[0] else DEEP
    size = across * down
    yield Step((sums, *form), [*args, across, deep], size, _chunks(size, 2 * form[0] * BANDS * inner * WIDE))


BANDS = 4
"""Bands of ROWS rows that a unit takes."""

GRAIN = 1_000_000
"""Operations that are worth a chunk."""


def _chunks(size: int, each: int) -> int:
    return max(1, min(size, 64, size * each // GRAIN))


Y, A, B, MANY, COLUMNS_, INNER, NEXT_Y, NEXT_ROW, NEXT_INNER, NEXT_B, ACROSS, DEEP_ = range(12)


def sums(code: Code, tall: int, columns: int) -> None:
    """y = a b: a unit is some rows and WIDE columns; sums lie in y between runs of rows of b."""
    across = code.arg(ACROSS)
    with code.loop(code.lo, code.hi) as unit:
        first = code.mul(code.div(unit, across), tall * BANDS)
        left = code.mul(code.rem(unit, across), WIDE)
        right = code.min(code.arg(COLUMNS_), code.add(left, WIDE))
        last = code.min(code.arg(MANY), code.add(first, tall * BANDS))
        with (
            code.loop(0, code.max(1, code.arg(INNER)), code.arg(DEEP_)) as deep,
            code.loop(first, last, tall) as row,
            code.loop(left, right, columns * LANES) as column,
        ):
            _block(code, tall, columns, row, column, right, deep)


def _block(code: Code, tall: int, columns: int, row: ir.Value, column: ir.Value, right: Number, deep: ir.Value) -> None:
    """Rows behind the last one are the last one again."""
    count = code.min(code.arg(DEEP_), code.sub(code.arg(INNER), deep))
    number = [code.min(code.add(row, r), code.sub(code.arg(MANY), 1)) for r in range(tall)]
    left = [code.total(code.arg(A), code.mul(n, code.arg(NEXT_ROW)), code.mul(deep, code.arg(NEXT_INNER))) for n in number]
    panel = code.at(code.add(code.arg(B), code.mul(deep, code.arg(NEXT_B))), column)
    at = [
        code.at(code.add(code.arg(Y), code.mul(n, code.arg(NEXT_Y))), code.add(column, j * LANES)) for n in number for j in range(columns)
    ]
    masks = [code.mask(code.sub(code.sub(right, column), j * LANES), LANES) for j in range(columns)]
    begun = code.splat(code.compare(">", deep, 0), LANES)
    start = [code.load_masked(address, code.b.and_(masks[i % columns], begun)) for i, address in enumerate(at)]
    step, pitch = (code.div(code.arg(n), 4) for n in (NEXT_INNER, NEXT_B))
    found = accumulate(code, start, left, panel, count, step=step, pitch=pitch, masks=masks)
    for i, (value, address) in enumerate(zip(found, at, strict=True)):
        code.store_masked(value, address, masks[i % columns])


DOTS = (8, 3) if machine().registers == 32 else (4, 2)
"""Rows of a and of b in a block of dot products."""
GROUPS = 8
"""Blocks that share a run of a."""
RUN = 1024
"""Numbers of a run: with all rows of a block it stays in the first cache."""


def dots(code: Code, tall: int, wide: int) -> None:
    """y = a b.T: both are read along their rows. Sums lie in the scratch between runs, and are added across lanes at the end."""
    size = tall * wide
    with code.loop(code.lo, code.hi) as unit, code.loop(0, code.arg(MANY), tall) as row:
        first = code.mul(unit, wide * GROUPS)
        groups = code.div(code.add(code.min(wide * GROUPS, code.sub(code.arg(COLUMNS_), first)), wide - 1), wide)
        with code.loop(0, code.mul(groups, size)) as i:
            code.store(code.real(0.0, LANES), code.at(code.scratch, code.mul(i, LANES)))
        with code.loop(0, code.arg(INNER), RUN) as begin, code.loop(0, groups) as group:
            _dot_block(code, _corner(code, tall, wide, row, first, group), begin, code.at(code.scratch, code.mul(group, size * LANES)))
        with code.loop(0, groups) as group:
            rows, columns = _corner(code, tall, wide, row, first, group)
            for i in range(size):
                at = code.at(code.scratch, code.mul(code.add(code.mul(group, size), i), LANES))
                line = code.add(code.arg(Y), code.mul(rows[i // wide], code.arg(NEXT_Y)))
                code.store(code.across(code.load(at, lanes=LANES)), code.at(line, columns[i % wide]))


def _corner(code: Code, tall: int, wide: int, row: ir.Value, first: Number, group: ir.Value) -> tuple[list[Number], list[Number]]:
    """Rows and columns of a block; those behind the last one are the last one again."""
    rows = [code.min(code.add(row, r), code.sub(code.arg(MANY), 1)) for r in range(tall)]
    column = code.add(first, code.mul(group, wide))
    return rows, [code.min(code.add(column, j), code.sub(code.arg(COLUMNS_), 1)) for j in range(wide)]


def _dot_block(code: Code, corner: tuple[list[Number], list[Number]], begin: ir.Value, sums: Number) -> None:
    left = [code.add(code.arg(A), code.mul(n, code.arg(NEXT_ROW))) for n in corner[0]]
    right = [code.add(code.arg(B), code.mul(n, code.arg(NEXT_B))) for n in corner[1]]
    end = code.min(code.arg(INNER), code.add(begin, RUN))
    whole = code.add(begin, code.mul(code.div(code.sub(end, begin), LANES), LANES))
    at = [code.at(sums, i * LANES) for i in range(len(left) * len(right))]

    def products(i: Number, old: Sequence[ir.Value], mask: ir.Value | None) -> list[ir.Value]:
        a, b = ([_vector(code, code.at(row, i), mask) for row in side] for side in (left, right))
        return [code.fma(a[n // len(b)], b[n % len(b)], value) for n, value in enumerate(old)]

    with code.reduce(begin, whole, LANES, [code.load(address, lanes=LANES) for address in at]) as carried:
        carried.next = products(carried.i, carried.values, None)
    for value, address in zip(carried.result, at, strict=True):
        code.store(value, address)
    with code.when(code.compare("<", whole, end)):
        old = [code.load(address, lanes=LANES) for address in at]
        for value, address in zip(products(whole, old, code.mask(code.sub(end, whole), LANES)), at, strict=True):
            code.store(value, address)


def _vector(code: Code, address: Number, mask: ir.Value | None) -> ir.Value:
    return code.load(address, lanes=LANES) if mask is None else code.load_masked(address, mask)

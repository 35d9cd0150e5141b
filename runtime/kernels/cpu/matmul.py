"""Matrix products over the last two axes. Operands are read as they lie: numbers of a, row by row, times vectors of b."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from llvmlite import ir

from runtime.arrays import Array
from runtime.kernels.cpu.block import accumulate, fitting
from runtime.kernels.cpu.code import LANES, Code, Number
from runtime.kernels.cpu.driver import Step
from runtime.kernels.cpu.machine import machine

COLUMNS = machine().columns
WIDE = 512
"""Columns that are worked on together: rows of b are read in runs of so many."""
DEEP, SHALLOW = 96, 16
"""Rows of b that are summed before sums go back to memory; fewer where all rows of a fit into one block, and b is read but once."""
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
        tall, wide = _dotted(rows)
        run, ahead = (LONG, NEAR) if rows <= tall else (RUN, RUN)
        size = -(-columns // (wide * GROUPS))
        yield Step(
            (dots, tall, wide, run, ahead),
            args,
            size,
            _chunks(size, 2 * rows * inner * wide * GROUPS),
            tall * wide * GROUPS * STACK * LANES * 4,
        )
        return
    form = FEW if rows <= FEW[0] else (fitting(rows), COLUMNS)
    copied = rows > form[0]
    across, down = -(-columns // WIDE), -(-rows // (form[0] * BANDS))
    size = across * down
    scratch = DEEP * (WIDE + form[1] * LANES) * 4 if copied else 0
    kernel = (sums, *form, copied)
    yield Step(kernel, [*args, across], size, _chunks(size, 2 * form[0] * BANDS * inner * WIDE), scratch)


BANDS = 4
"""Bands of ROWS rows that a unit takes."""

GRAIN = 1_000_000
"""Operations that are worth a chunk."""


def _chunks(size: int, each: int) -> int:
    return max(1, min(size, 64, size * each // GRAIN))


Y, A, B, MANY, COLUMNS_, INNER, NEXT_Y, NEXT_ROW, NEXT_INNER, NEXT_B, ACROSS = range(11)


class _Tile(NamedTuple):
    """Rows and vectors of a block, and the rows of b that are summed before sums go back to memory."""

    tall: int
    columns: int
    copied: bool

    @property
    def wide(self) -> int:
        return self.columns * LANES

    @property
    def deep(self) -> int:
        return DEEP if self.copied else SHALLOW


def sums(code: Code, tall: int, columns: int, copied: bool) -> None:
    """y = a b: a unit is some rows and WIDE columns; sums lie in y between runs of rows of b."""
    across, tile = code.arg(ACROSS), _Tile(tall, columns, copied)
    with code.loop(code.lo, code.hi) as unit:
        first = code.mul(code.div(unit, across), tall * BANDS)
        left = code.mul(code.rem(unit, across), WIDE)
        right = code.min(code.arg(COLUMNS_), code.add(left, WIDE))
        last = code.min(code.arg(MANY), code.add(first, tall * BANDS))
        with code.loop(0, code.max(1, code.arg(INNER)), tile.deep) as deep:
            if copied:
                _copy(code, tile, left, right, deep)
            with code.loop(first, last, tall) as row, code.loop(left, right, tile.wide) as column:
                _block(code, tile, row, column, (left, right), deep)


def _copy(code: Code, tile: _Tile, left: Number, right: Number, deep: ir.Value) -> None:
    """Rows of b, panel by panel: what several rows of a meet comes from memory once, and in long runs."""
    with code.loop(0, code.min(tile.deep, code.sub(code.arg(INNER), deep))) as i:
        row = code.add(code.arg(B), code.mul(code.add(deep, i), code.arg(NEXT_B)))
        later = code.add(row, code.mul(code.arg(NEXT_B), tile.deep))
        with code.loop(left, right, tile.wide) as column:
            target = code.at(code.scratch, code.add(code.mul(code.sub(column, left), tile.deep), code.mul(i, tile.wide)))
            for j in range(0, tile.wide, LANES):
                code.prefetch(code.at(later, code.add(column, j)))
                mask = code.mask(code.sub(code.sub(right, column), j), LANES)
                code.store(code.load_masked(code.at(row, code.add(column, j)), mask), code.at(target, j))


def _block(code: Code, tile: _Tile, row: ir.Value, column: ir.Value, span: tuple[Number, Number], deep: ir.Value) -> None:
    """Rows behind the last one are the last one again."""
    left, right = span
    count = code.min(tile.deep, code.sub(code.arg(INNER), deep))
    number = [code.min(code.add(row, r), code.sub(code.arg(MANY), 1)) for r in range(tile.tall)]
    rows = [code.total(code.arg(A), code.mul(n, code.arg(NEXT_ROW)), code.mul(deep, code.arg(NEXT_INNER))) for n in number]
    at = [
        code.at(code.add(code.arg(Y), code.mul(n, code.arg(NEXT_Y))), code.add(column, j * LANES))
        for n in number
        for j in range(tile.columns)
    ]
    for address in at:
        code.prefetch(address, write=True)
    masks = [code.mask(code.sub(code.sub(right, column), j * LANES), LANES) for j in range(tile.columns)]
    begun = code.splat(code.compare(">", deep, 0), LANES)
    start = [code.load_masked(address, code.b.and_(masks[i % tile.columns], begun)) for i, address in enumerate(at)]
    step = code.div(code.arg(NEXT_INNER), 4)
    if tile.copied:
        panel = code.at(code.scratch, code.mul(code.sub(column, left), tile.deep))
        found = accumulate(code, start, rows, panel, count, step=step)
    else:
        panel = code.at(code.add(code.arg(B), code.mul(deep, code.arg(NEXT_B))), column)
        found = accumulate(code, start, rows, panel, count, step=step, pitch=code.div(code.arg(NEXT_B), 4), masks=masks)
    for i, (value, address) in enumerate(zip(found, at, strict=True)):
        code.store_masked(value, address, masks[i % tile.columns])


DOTS = (8, 3) if machine().registers == 32 else (4, 2)
"""Rows of a and of b in a block of dot products."""
SHORT = ((1, 4), (2, 4), (4, 2))
"""Blocks for fewer rows of a."""
GROUPS = 8
"""Blocks side by side that share a run of a."""
STACK = 8
"""Blocks one below the other that share a run of b."""
RUN = 512
"""Numbers of a run: with all rows of a block it stays in the first cache."""
LONG, NEAR = 16384, 128
"""Where one block has all rows of a, b streams by once: in long runs, and what comes next is asked for shortly before."""


def _dotted(rows: int) -> tuple[int, int]:
    """The block for so many rows of a."""
    return next((block for block in SHORT if rows <= block[0]), DOTS)


def dots(code: Code, tall: int, wide: int, run: int, ahead: int) -> None:
    """y = a b.T: both are read along their rows. Sums lie in the scratch between runs, and are added across lanes at the end."""
    size = tall * wide
    with code.loop(code.lo, code.hi) as unit, code.loop(0, code.arg(MANY), tall * STACK) as top:
        first = code.mul(unit, wide * GROUPS)
        groups = code.div(code.add(code.min(wide * GROUPS, code.sub(code.arg(COLUMNS_), first)), wide - 1), wide)
        stack = code.div(code.add(code.min(tall * STACK, code.sub(code.arg(MANY), top)), tall - 1), tall)
        with code.loop(0, code.mul(code.mul(groups, stack), size)) as i:
            code.store(code.real(0.0, LANES), code.at(code.scratch, code.mul(i, LANES)))

        def corner(level: Number, group: Number) -> tuple[list[Number], list[Number], Number]:
            rows, columns = _corner(code, tall, wide, code.add(top, code.mul(level, tall)), first, group)
            return rows, columns, code.at(code.scratch, code.mul(code.add(code.mul(level, groups), group), size * LANES))

        with code.loop(0, code.arg(INNER), run) as begin, code.loop(0, stack) as level, code.loop(0, groups) as group:
            _dot_block(code, corner(level, group), begin, run, ahead)
        with code.loop(0, stack) as level, code.loop(0, groups) as group:
            rows, columns, own = corner(level, group)
            for i in range(size):
                line = code.add(code.arg(Y), code.mul(rows[i // wide], code.arg(NEXT_Y)))
                code.store(code.across(code.load(code.at(own, i * LANES), lanes=LANES)), code.at(line, columns[i % wide]))


def _corner(code: Code, tall: int, wide: int, row: Number, first: Number, group: Number) -> tuple[list[Number], list[Number]]:
    """Rows and columns of a block; those behind the last one are the last one again."""
    rows = [code.min(code.add(row, r), code.sub(code.arg(MANY), 1)) for r in range(tall)]
    column = code.add(first, code.mul(group, wide))
    return rows, [code.min(code.add(column, j), code.sub(code.arg(COLUMNS_), 1)) for j in range(wide)]


def _dot_block(code: Code, corner: tuple[list[Number], list[Number], Number], begin: ir.Value, run: int, ahead: int) -> None:
    left = [code.add(code.arg(A), code.mul(n, code.arg(NEXT_ROW))) for n in corner[0]]
    right = [code.add(code.arg(B), code.mul(n, code.arg(NEXT_B))) for n in corner[1]]
    end = code.min(code.arg(INNER), code.add(begin, run))
    whole = code.add(begin, code.mul(code.div(code.sub(end, begin), LANES), LANES))
    at = [code.at(corner[2], i * LANES) for i in range(len(left) * len(right))]

    def products(i: Number, old: Sequence[ir.Value], mask: ir.Value | None) -> list[ir.Value]:
        a, b = ([_vector(code, code.at(row, i), mask) for row in side] for side in (left, right))
        return [code.fma(a[n // len(b)], b[n % len(b)], value) for n, value in enumerate(old)]

    with code.reduce(begin, whole, LANES, [code.load(address, lanes=LANES) for address in at]) as carried:
        for row in right:  # what comes next of b, a line for each line of this run
            code.prefetch(code.at(row, code.add(carried.i, ahead)))
        carried.next = products(carried.i, carried.values, None)
    for value, address in zip(carried.result, at, strict=True):
        code.store(value, address)
    with code.when(code.compare("<", whole, end)):
        old = [code.load(address, lanes=LANES) for address in at]
        for value, address in zip(products(whole, old, code.mask(code.sub(end, whole), LANES)), at, strict=True):
            code.store(value, address)


def _vector(code: Code, address: Number, mask: ir.Value | None) -> ir.Value:
    return code.load(address, lanes=LANES) if mask is None else code.load_masked(address, mask)

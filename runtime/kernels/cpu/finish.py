"""What becomes of a core's sums while they are in registers: a map over them, whose results are written where they belong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from llvmlite import ir

from netcompiler.scalar import Expr
from runtime.arrays import name_of
from runtime.kernels.behind import Behind
from runtime.kernels.cpu.caches import go_past
from runtime.kernels.cpu.code import LANES, Code, Number
from runtime.kernels.cpu.expression import Typed
from runtime.kernels.cpu.reads import CELL, ROW, SUM, Reads, kind, size, table
from runtime.kernels.expressions import canonical

BY_CELL = (CELL, ROW)
"""Found by the addresses of cells."""


class Finish(NamedTuple):
    """What the code depends on: expressions, the dtypes of results, and of operands what they are and their dtypes."""

    exprs: tuple[Expr, ...]
    results: tuple[str, ...]
    operands: tuple[tuple[str, str], ...]
    literals: int

    @property
    def numbers(self) -> int:
        """How many numbers of the table it takes."""
        return 1 + size(self.operands, self.literals)

    @property
    def cells(self) -> list[str]:
        """The dtypes of all that lies cell by cell or row by row: results, then operands."""
        return [*self.results, *(dtype for kind, dtype in self.operands if kind in BY_CELL)]

    def is_cell(self, i: int) -> bool:
        """Whether a number of `cells` lies cell by cell."""
        return [*(CELL for _ in self.results), *(kind for kind, _ in self.operands if kind in BY_CELL)][i] == CELL


class Finishing:
    """A map behind a core, ready to be written: its structure, the arrays with cells, and the numbers for the table."""

    def __init__(self, behind: Behind) -> None:
        exprs, order, literals = canonical(behind.exprs)
        arrays = [behind.operands[i] for i in order]
        shape = behind.results[0].shape
        kinds = tuple((kind(x, shape), "f32" if x is None else name_of(x)) for x in arrays)
        self.structure = Finish(exprs, tuple(map(name_of, behind.results)), kinds, len(literals))
        read = [x for x, (kind, _) in zip(arrays, kinds, strict=True) if kind in BY_CELL and x is not None]
        self.cells = [*behind.results, *(np.broadcast_to(x, shape) for x in read)]
        self.past = go_past(behind.results, read)
        self.numbers = [int(self.past), *table(arrays, kinds, literals)]


class Writer:
    """Writes the map in a kernel whose table has, from `first` on, the numbers of a Finishing."""

    def __init__(self, code: Code, finish: Finish, first: int, lanes: int = LANES) -> None:
        self.code, self.finish, self.lanes = code, finish, lanes
        self.past = code.arg(first)
        self.reads = Reads(code, finish.operands, finish.literals, first + 1, lanes)

    def expect(self, cells: Sequence[Sequence[Number]], own: Number, columns: int) -> None:
        """Asks for the memory of a block before its sums are made: else writing it would wait for it."""
        with self.code.when(self.code.compare("==", self.past, 0)):
            self._expect(cells, own, columns)

    def _expect(self, cells: Sequence[Sequence[Number]], own: Number, columns: int) -> None:
        for i, (rows, dtype) in enumerate(zip(cells, self.finish.cells, strict=True)):
            for address in rows:
                for j in range(columns):
                    self.code.prefetch(self.code.at(address, self.code.add(own, j * LANES), dtype), i < len(self.finish.results))

    def block(self, sums: Sequence[ir.Value], cells: Sequence[Sequence[Number]], own: Number, outer: Number, limit: Number | None) -> None:
        """Row by row vectors of sums; `cells` are the addresses of the rows in all that lies cell by cell. The first channel is
        `own` there, and `outer` of all; with a `limit` the last vector ends before that channel."""
        code, rows = self.code, len(cells[0])
        columns = len(sums) // rows
        for j in range(columns):
            channel = code.add(own, j * LANES)
            mask = code.mask(code.sub(limit, channel), LANES) if limit is not None and j == columns - 1 else None
            for r in range(rows):
                at = [code.at(each[r], channel, dtype) for each, dtype in zip(cells, self.finish.cells, strict=True)]
                self.write(sums[r * columns + j], at, code.add(outer, j * LANES), mask)

    def write(self, sums: ir.Value, cells: Sequence[Number], channel: Number, mask: ir.Value | None) -> None:
        """A vector of sums; `cells` are the addresses of its first channel in all that lies cell by cell."""
        results = len(self.finish.results)
        read = iter(cells[results:])
        operands = [self._operand(i, sums, read, channel, mask) for i in range(len(self.finish.operands))]
        computation = self.reads.computation(operands)
        values = [computation.stored(expr, dtype) for expr, dtype in zip(self.finish.exprs, self.finish.results, strict=True)]
        for value, address in zip(values, cells, strict=False):
            if mask is None:
                self.code.store_either(value, address, self.past)
            else:
                self.code.store_masked(value, address, mask)

    def _operand(self, i: int, sums: ir.Value, cells: Iterator[Number], channel: Number, mask: ir.Value | None) -> Typed:
        kind, dtype = self.finish.operands[i]
        return (sums, dtype) if kind == SUM else self.reads.operand(i, lambda: next(cells), channel, mask)

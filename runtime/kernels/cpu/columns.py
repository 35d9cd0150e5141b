"""Reductions along rows, column by column: what is kept lies densely. Accumulators are in scratch, a row of them for each state.

A unit is a part of the rows and of the columns at one outer position; what parts give is put together by another step.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice, pairwise
from typing import NamedTuple

from llvmlite import ir

from runtime.kernels.cpu.code import F32, Code, Number
from runtime.kernels.cpu.reducers import REDUCERS, Counts, Reducer, Take, Values
from runtime.kernels.cpu.sweep import Place, Structure, Sweep

BLOCK = 32
"""Rows whose sums are on their own at first."""
OWN, TOTAL = range(2)
"""Levels of accumulators."""
LEVELS = 2


class Unit(NamedTuple):
    """Its position among the outer ones, its rows and its columns."""

    run: Place
    part: Number
    begin: Number
    end: Number
    first: Number
    last: Number


def columns(code: Code, structure: Structure, kinds: tuple[str, ...], bound: str, final: bool) -> None:
    """`bound` is the dtype of a number in memory of rows that count, if there is one; `final` tells that nothing is to come."""
    _Columns(code, structure, kinds, bound, final).write()


class _Columns:
    def __init__(self, code: Code, structure: Structure, kinds: tuple[str, ...], bound: str, final: bool) -> None:
        self.code = code
        self.sweep = Sweep(code, structure)
        self.reducers = [REDUCERS[kind] for kind in kinds]
        self.final = final
        self.merging = "merge" in kinds
        take = self.sweep.take
        self.parts, self.length, self.splits, self.width = (take() for _ in range(4))
        self.group, self.piece, self.whole, self.ahead = (take() for _ in range(4))
        if bound:
            self.whole = code.mul(self.whole, code.b.sext(code.load(take(), bound), self.whole.type))
        self.steps = [take() for _ in range(structure.results)]

    def write(self) -> None:
        """Blocks of rows apart from what was there before: so few numbers meet one that is much larger."""
        with self.code.loop(self.code.lo, self.code.hi) as number:
            unit = self._unit(number)
            self._start(unit, TOTAL)
            with self.code.loop(unit.begin, unit.end, BLOCK) as begin:
                end = self.code.min(self.code.add(begin, BLOCK), unit.end)
                self._start(unit, OWN)
                with self.code.loop(begin, end) as row:
                    self._absorb(unit, begin, row)
                self._join(unit, begin, end)
            self._finish(unit)

    def _unit(self, number: Number) -> Unit:
        code, sweep = self.code, self.sweep
        split, rest = code.rem(number, self.splits), code.div(number, self.splits)
        part, outer = code.rem(rest, self.parts), code.div(rest, self.parts)
        begin, first = code.mul(part, self.length), code.mul(split, self.width)
        rows = sweep.rows if self.merging else code.min(sweep.rows, self.whole)
        end = code.max(begin, code.min(code.add(begin, self.length), rows))
        return Unit(sweep.run(outer), part, begin, end, first, code.min(code.add(first, self.width), sweep.columns))

    def _accumulators(self) -> Iterator[tuple[Reducer, list[int]]]:
        """Each reducer with the numbers of its rows in scratch."""
        state = 0
        for reducer in self.reducers:
            yield reducer, list(range(state, state + len(reducer.starts)))
            state += len(reducer.starts)

    def _at(self, unit: Unit, level: int, states: Sequence[int], c: Number) -> list[Number]:
        """Where accumulators are: those of a block, then those of all blocks."""
        code, many = self.code, sum(len(reducer.starts) for reducer in self.reducers)
        column = code.at(code.scratch, code.sub(c, unit.first))
        return [code.at(column, code.mul(self.width, level * many + state)) for state in states]

    def _start(self, unit: Unit, level: int) -> None:
        code, lanes = self.code, self.sweep.lanes
        with code.loop(unit.first, unit.last, lanes) as c:
            for reducer, states in self._accumulators():
                for address, start in zip(self._at(unit, level, states, c), reducer.starts, strict=True):
                    code.store(code.real(start, lanes), address)

    def _absorb(self, unit: Unit, begin: Number, row: Number) -> None:
        """One row after the other, since memory is read best as it lies."""
        sweep = self.sweep
        place, counts = sweep.place(unit.run, row), self._counts(begin, row)
        sweep.expect(place, unit.first, unit.last, self.ahead)
        for [c], mask in sweep.along(unit.first, unit.last, 1):
            computation = sweep.computation(place, c, mask)
            numbers = iter([computation.number(expr) for expr in sweep.structure.exprs])
            for reducer, states in self._accumulators():
                self._update(reducer.absorb, self._at(unit, OWN, states, c), list(islice(numbers, reducer.expressions)), counts)

    def _join(self, unit: Unit, begin: Number, end: Number) -> None:
        """A block with those before."""
        code, lanes = self.code, self.sweep.lanes
        counts = self._between(unit.begin, begin, end)
        with code.loop(unit.first, unit.last, lanes) as c:
            for reducer, states in self._accumulators():
                own = [code.load(address, lanes=lanes) for address in self._at(unit, OWN, states, c)]
                self._update(reducer.join, self._at(unit, TOTAL, states, c), own, counts)

    def _update(self, take: Take, addresses: Sequence[Number], values: Values, counts: Counts) -> None:
        code = self.code
        new = take(code, [code.load(address, lanes=self.sweep.lanes) for address in addresses], values, counts)
        for value, address in zip(new, addresses, strict=True):
            code.store(value, address)

    def _counts(self, begin: Number, row: Number) -> Counts:
        """Elements that were counted in this block, and how many the row stands for."""
        if self.merging:
            return self._between(begin, row, self.code.add(row, 1))
        return Counts(self._real(self.code.sub(row, begin)), self._real(1))

    def _between(self, begin: Number, middle: Number, end: Number) -> Counts:
        counted = [self._counted(row) for row in (begin, middle, end)]
        return Counts(*(self._real(self.code.sub(after, before)) for before, after in pairwise(counted)))

    def _counted(self, row: Number) -> Number:
        """Elements in front of a row: each `group` of rows stands for pieces of the same size, until the whole is used up."""
        code = self.code
        before = code.mul(code.div(row, self.group), self.piece)
        own = code.max(code.min(code.sub(self.whole, before), self.piece), 0)
        return code.add(code.mul(self.group, code.min(before, self.whole)), code.mul(code.rem(row, self.group), own))

    def _real(self, number: Number) -> ir.Value:
        return self.code.splat(self.code.b.sitofp(self.code.whole(number), F32), self.sweep.lanes)

    def _finish(self, unit: Unit) -> None:
        code, sweep = self.code, self.sweep
        origins = [code.add(origin, code.mul(unit.part, step)) for origin, step in zip(unit.run.origins, self.steps, strict=False)]
        place = Place([], origins, [])
        count = self._real(code.sub(self._counted(unit.end), self._counted(unit.begin))) if self.final else None
        for [c], mask in sweep.along(unit.first, unit.last, 1):
            results = self._results(unit, c, count)
            for result, value in enumerate(results):
                sweep.write(value, place, result, c, mask)

    def _results(self, unit: Unit, c: Number, count: ir.Value | None) -> Values:
        found: Values = []
        for reducer, states in self._accumulators():
            values = [self.code.load(address, lanes=self.sweep.lanes) for address in self._at(unit, TOTAL, states, c)]
            found += reducer.finish(self.code, values, count)
        return found

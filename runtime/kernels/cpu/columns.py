"""Reductions along rows, column by column: what is kept lies densely. Accumulators are in scratch, a row of them for each state.

A unit is a part of the rows and of the columns at one outer position; what parts give is put together by another step.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from llvmlite import ir

from runtime.kernels.cpu.code import F32, Code, Number
from runtime.kernels.cpu.reducers import REDUCERS, Reducer, Rows, Values
from runtime.kernels.cpu.sweep import Place, Run, Structure, Sweep

HEIGHT = 4
"""Rows that are taken together, so that accumulators are loaded and stored less often."""


class Unit(NamedTuple):
    """Its position among the outer ones, its rows and its columns."""

    run: Run
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
        self.group, self.piece, self.whole = (take() for _ in range(3))
        if bound:
            self.whole = code.mul(self.whole, code.b.sext(code.load(take(), bound), self.whole.type))
        self.steps = [take() for _ in range(structure.results)]

    def write(self) -> None:
        with self.code.loop(self.code.lo, self.code.hi) as number:
            unit = self._unit(number)
            self._start(unit)
            at = unit.begin
            for height in dict.fromkeys((1 if self.merging else HEIGHT, 1)):
                end = self.code.add(at, self.code.mul(self.code.div(self.code.sub(unit.end, at), height), height))
                with self.code.loop(at, end, height) as row:
                    self._absorb(unit, row, height)
                at = end
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

    def _at(self, unit: Unit, state: int, c: Number) -> Number:
        return self.code.at(self.code.scratch, self.code.total(self.code.mul(self.width, state), self.code.sub(c, unit.first)))

    def _start(self, unit: Unit) -> None:
        code, lanes = self.code, self.sweep.lanes
        with code.loop(unit.first, unit.last, lanes) as c:
            for reducer, states in self._accumulators():
                for state, start in zip(states, reducer.starts, strict=True):
                    code.store(code.real(start, lanes), self._at(unit, state, c))

    def _absorb(self, unit: Unit, row: Number, height: int) -> None:
        code, sweep = self.code, self.sweep
        places = [sweep.place(unit.run, code.add(row, i)) for i in range(height)]
        rows = self._rows(unit, row, height)
        for [c], mask in sweep.along(unit.first, unit.last, 1):
            numbers = [[it.number(expr) for expr in sweep.structure.exprs] for *_, it in sweep.computations(places, [c], mask)]
            taken = 0
            for reducer, states in self._accumulators():
                values = [row_[taken : taken + reducer.expressions] for row_ in numbers]
                taken += reducer.expressions
                at = [self._at(unit, state, c) for state in states]
                new = reducer.absorb(code, [code.load(place, lanes=sweep.lanes) for place in at], values, rows)
                for value, place in zip(new, at, strict=True):
                    code.store(value, place)

    def _rows(self, unit: Unit, row: Number, height: int) -> Rows:
        """Elements that were counted in this unit, and the count of each row."""
        counted = [self._counted(self.code.add(row, i)) for i in range(height + 1)]
        counts = [self._real(self.code.sub(after, before)) for before, after in pairwise(counted)]
        return Rows(self._real(self.code.sub(counted[0], self._counted(unit.begin))), counts)

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
            values = [self.code.load(self._at(unit, state, c), lanes=self.sweep.lanes) for state in states]
            found += reducer.finish(self.code, values, count)
        return found

"""A sweep: how kernels walk over arrays that lie side by side. One outer position after the other, row by row, and along each
row vectors; what does not vary along rows or columns is read once for all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from typing import NamedTuple

import numpy as np
from llvmlite import ir

from netcompiler.scalar import Expr
from runtime.arrays import Array, name_of
from runtime.kernels.cpu.code import F32, LANES, LINE, TYPES, Code, Number
from runtime.kernels.cpu.expression import Computation, Typed, register
from runtime.kernels.expressions import number_of, with_positions
from runtime.kernels.layout import Layout, address


class Kind(NamedTuple):
    """An array: its dtype, whether it varies from row to row, and whether along a row."""

    dtype: str
    rows: bool
    dense: bool


class Structure(NamedTuple):
    """What the code of a sweep depends on: expressions over operands, of which the last are literals, and the arrays: so many
    results, then the operands."""

    exprs: tuple[Expr, ...]
    kinds: tuple[Kind, ...]
    results: int
    outer: int
    literals: int
    lanes: int

    @property
    def number(self) -> str:
        return number_of([kind.dtype for kind in self.kinds])


def structured(exprs: Sequence[Expr], arrays: Sequence[Array], layout: Layout, results: int, literals: int) -> Structure:
    dtypes = [name_of(array) for array in arrays]
    kinds = tuple(Kind(dtype, bool(steps[-2]), bool(steps[-1])) for dtype, steps in zip(dtypes, layout.steps, strict=True))
    return Structure(with_positions(exprs, layout), kinds, results, len(layout.outer), literals, LANES)


def of_one_row(structure: Structure) -> Structure:
    """As it would be with more rows: what is reduced varies from row to row, and so does what rows are reduced to."""
    kinds = (kind._replace(rows=kind.rows or kind.dense == (i >= structure.results)) for i, kind in enumerate(structure.kinds))
    return structure._replace(kinds=tuple(kinds))


def numbers(arrays: Sequence[Array], layout: Layout, literals: Sequence[float]) -> list[int]:
    """What a sweep takes from the table."""
    table = [layout.rows, layout.rows - bool(layout.rest), layout.columns, layout.rest, *layout.outer]
    for array, steps in zip(arrays, layout.steps, strict=True):
        table += [address(array), *steps[:-1]]
    return [*table, *np.array(literals, np.float64).view(np.int64).tolist()]


AHEAD = 2048
"""Bytes of a row that memory brings meanwhile, at least."""


def rows_ahead(read: Sequence[Array], layout: Layout) -> int:
    """How many rows beforehand to ask for what is read; 0 where rows follow one another, and memory knows what is next."""
    steps = layout.steps[-len(read) :] if read else ()
    widths = [layout.columns * x.itemsize for x in read]
    gaps = any(step[-1] and step[-2] not in (0, width) for step, width in zip(steps, widths, strict=True))
    return -(-AHEAD // max(widths)) if gaps and layout.rows > 1 else 0


class Place(NamedTuple):
    """An outer position, or a row: its coordinates, where it begins in each array, and the numbers that do not vary from there on."""

    coordinates: list[Number]
    origins: list[Number]
    singles: list[ir.Value | None]


class Sweep:
    """The walk, over what `numbers` wrote into the table."""

    def __init__(self, code: Code, structure: Structure) -> None:
        self.code = code
        self.structure = structure
        self.kinds = structure.kinds
        self.lanes = structure.lanes
        self.take = map(code.arg, count()).__next__
        self.rows, self.full, self.columns, self.rest = (self.take() for _ in range(4))
        self.sizes = [self.take() for _ in range(structure.outer)]
        self.arrays = [(self.take(), [self.take() for _ in self.sizes], self.take()) for _ in self.kinds]
        self.literals = [self._literal(self.take()) for _ in range(structure.literals)]

    def _literal(self, bits: ir.Value) -> ir.Value:
        with self.code.at_entry():
            value = self.code.b.bitcast(bits, TYPES["f64"])
            return self.code.splat(value if self.structure.number == "f64" else self.code.b.fptrunc(value, F32), self.lanes)

    def run(self, o: Number) -> Place:
        code = self.code
        coordinates: list[Number] = []
        for size in reversed(self.sizes[1:]):
            coordinates, o = [code.rem(o, size), *coordinates], code.div(o, size)
        coordinates = [o, *coordinates]
        origins = [code.total(base, *map(code.mul, coordinates, steps)) for base, steps, _ in self.arrays]
        return Place(coordinates, origins, self._singles(origins, [kind.rows for kind in self.kinds], [None] * len(self.kinds)))

    @contextmanager
    def runs(self, lo: Number, hi: Number) -> Iterator[tuple[Place, Number, Number]]:
        """The outer positions that a range of rows meets, counted through all of them, with the first row and the end in each."""
        code = self.code
        with code.loop(code.div(lo, self.rows), code.div(code.add(hi, code.sub(self.rows, 1)), self.rows)) as o:
            before = code.mul(o, self.rows)
            yield self.run(o), code.max(code.sub(lo, before), 0), code.min(code.sub(hi, before), self.rows)

    @contextmanager
    def each_row(self, run: Place, begin: Number, end: Number) -> Iterator[tuple[Place, Number]]:
        """A row, and how long it is."""
        code = self.code
        with code.loop(begin, end) as row:
            yield self.place(run, row), code.b.select(code.compare("==", row, self.full), self.rest, self.columns)

    def place(self, run: Place, row: Number) -> Place:
        code = self.code
        steps = [step if kind.rows else 0 for kind, (_, _, step) in zip(self.kinds, self.arrays, strict=True)]
        origins = [code.add(origin, code.mul(row, step)) for origin, step in zip(run.origins, steps, strict=True)]
        return Place([*run.coordinates, row], origins, self._singles(origins, [False] * len(self.kinds), run.singles))

    def _singles(self, origins: Sequence[Number], later: Sequence[bool], known: Sequence[ir.Value | None]) -> list[ir.Value | None]:
        code = self.code
        found = list(known)
        for i in range(self.structure.results, len(self.kinds)):
            if found[i] is None and not later[i] and not self.kinds[i].dense:
                found[i] = code.splat(code.load(origins[i], self.kinds[i].dtype), self.lanes)
        return found

    def expect(self, place: Place, begin: Number, end: Number, ahead: Number) -> None:
        """Asks for columns of a later row, if `ahead` is not 0."""
        code = self.code
        with code.when(code.compare("!=", ahead, 0)):
            for i, kind in enumerate(self.kinds):
                if i < self.structure.results or not (kind.rows and kind.dense):
                    continue
                row = code.add(place.origins[i], code.mul(ahead, self.arrays[i][-1]))
                with code.loop(code.at(row, begin, kind.dtype), code.at(row, end, kind.dtype), LINE) as line:
                    code.prefetch(line, near=False)

    def along(self, begin: Number, end: Number, unroll: int) -> Iterator[tuple[list[Number], ir.Value | None]]:
        """Columns where vectors begin, `unroll` of them at a time, then one at a time, then what is left with a mask."""
        code = self.code
        for together in dict.fromkeys((unroll, 1)):
            step = together * self.lanes
            whole = code.add(begin, code.mul(code.div(code.sub(end, begin), step), step))
            with code.loop(begin, whole, step) as c:
                yield [code.add(c, u * self.lanes) for u in range(together)], None
            begin = whole
        with code.when(code.compare("<", begin, end)):
            yield [begin], code.mask(code.sub(end, begin), self.lanes)

    def computation(self, place: Place, c: Number, mask: ir.Value | None) -> Computation:
        """Of what stands in a row from a column on."""

        def leaf(e: Expr) -> Typed:
            if e.op == "index":
                return self._index(place, c, e.leaf), self.structure.number
            i = self.structure.results + e.leaf
            if i >= len(self.kinds):
                return self.literals[i - len(self.kinds)], self.structure.number
            return register(self.code, self._read(place, i, c, mask), self.kinds[i].dtype)

        return Computation(self.code, leaf, self.lanes, self.structure.number)

    def _read(self, place: Place, i: int, c: Number, mask: ir.Value | None) -> ir.Value:
        single, dtype = place.singles[i], self.kinds[i].dtype
        if single is not None:
            return single
        at = self.code.at(place.origins[i], c, dtype)
        return self.code.load(at, dtype, self.lanes) if mask is None else self.code.load_masked(at, mask, dtype)

    def _index(self, place: Place, c: Number, axis: int) -> ir.Value:
        """The position along an axis, which is counted from the last; along columns it goes from lane to lane."""
        code, typ = self.code, TYPES[self.structure.number]
        start = code.splat(code.b.sitofp(code.whole(c if axis == -1 else place.coordinates[axis + 1]), typ), self.lanes)
        return start if axis != -1 else code.b.fadd(start, ir.Constant(start.type, [float(lane) for lane in range(self.lanes)]))

    def write(self, value: ir.Value, place: Place, result: int, c: Number, mask: ir.Value | None, past: Number | None = None) -> None:
        """Past the caches where `past` is given, and 1."""
        at = self.code.at(place.origins[result], c, self.kinds[result].dtype)
        if mask is not None:
            self.code.store_masked(value, at, mask)
        elif past is None:
            self.code.store(value, at)
        else:
            self.code.store_either(value, at, past)

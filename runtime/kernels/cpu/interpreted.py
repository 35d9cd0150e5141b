"""Maps of few elements: one kernel for all of them. It reads what to do from its table, one operation after the other, each over
all elements. A net has dozens of such maps; to compile each would take longer than it ever runs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import prod

import numpy as np
from llvmlite import ir

from netcompiler.scalar import COMPARE, Expr, make, nodes, operand
from runtime.arrays import Array, name_of
from runtime.kernels.cpu.code import I64, LANES, Code, Number
from runtime.kernels.cpu.driver import Step
from runtime.kernels.cpu.expression import Computation, converted, memory, register
from runtime.kernels.expressions import number_of
from runtime.kernels.layout import Layout, address, collapsed

FEW = 16384
"""Elements: maps of no more than these are run like this."""
FIELDS = 6
"""Numbers of an operation: which it is, where in scratch its result goes, and where its operands are; or, for what goes from
and to memory, an address, and the steps along the three axes."""
HEAD = 4
"""Numbers in front of the operations: how many there are, and the sizes of the three axes."""
READ = ("f32", "i64", "i32", "u32", "u16", "u8", "b1", "bits")
"""What is read as numbers; and bits, which stay what they are."""
WRITTEN = ("f32", "b1")
ARITIES = {
    **dict.fromkeys(("add", "sub", "mul", "div", "pow", "max", "min", "and", "or", *COMPARE), 2),
    **dict.fromkeys(("neg", "not", "isfinite", "uniform", "floor", "abs", "sqrt", "rsqrt", "exp", "log"), 1),
    "select": 3,
}
"""Operations that maps of few elements are made of; those with others are compiled."""
CODES = {name: i for i, name in enumerate([*(f"read {d}" for d in READ), *(f"write {d}" for d in WRITTEN), *ARITIES])}


def interpreted(results: Sequence[Array], read: Sequence[Array], exprs: Sequence[Expr], shape: Sequence[int]) -> Step | None:
    """A step that runs a map, if this is a way for it."""
    parts = dict.fromkeys(node for expr in exprs for node in nodes(expr))
    known = all(node.op in ARITIES or not node.args for node in parts)
    dtypes = [name_of(array) for array in results]
    if not known or prod(shape) > FEW or not set(dtypes) <= set(WRITTEN) or number_of([*dtypes, *map(name_of, read)]) != "f32":
        return None
    sources = {node: _source(node, read, shape) for node in parts if not node.args}
    layout = collapsed(shape, (*results, *sources.values()), {})
    return None if len(layout.outer) > 1 else _Program(layout, results, sources).step(exprs)


def _source(node: Expr, read: Sequence[Array], shape: Sequence[int]) -> Array:
    """Whatever a leaf is, as an array."""
    if node.op == "operand":
        return read[int(node.leaf)]
    if node.op == "literal":
        return np.full((), node.leaf, np.float32)
    places: Array = np.arange(shape[node.leaf], dtype=np.float32).reshape(*(-1 if axis == node.leaf else 1 for axis in range(len(shape))))
    return places


class _Program:
    """The operations of some expressions. Each has its place in scratch, which is free again behind its last reader."""

    def __init__(self, layout: Layout, results: Sequence[Array], sources: dict[Expr, Array]) -> None:
        self.layout = layout
        self.arrays = (*results, *sources.values())
        self.steps = dict(zip(sources, layout.steps[len(results) :], strict=True))
        self.results = results
        self.sources = sources
        self.bytes = 4 * LANES * (-(-prod(layout.sizes) // LANES) + 1)
        self.table: list[int] = []
        self.places: dict[Expr, int] = {}
        self.free: list[int] = []
        self.used = 0

    def step(self, exprs: Sequence[Expr]) -> Step:
        order = list(dict.fromkeys(node for expr in exprs for node in nodes(expr)))
        readers = Counter([*(arg for node in order for arg in node.args), *exprs])
        bits = {arg for node in order if node.op == "uniform" for arg in node.args}
        for node in order:
            self._operation(node, node in bits, readers)
        for result, expr, steps in zip(self.results, exprs, self.layout.steps, strict=False):
            self._emit(f"write {name_of(result)}", self.places[expr], address(result), *steps)
        table = [len(self.table) // FIELDS, *self.layout.sizes, *self.table]
        return Step((_interpreter, LANES), table, 1, scratch=self.used * self.bytes, keep=self.arrays)

    def _operation(self, node: Expr, bits: bool, readers: Counter[Expr]) -> None:
        if not node.args:
            array = self.sources[node]
            dtype = "bits" if bits else name_of(array)
            self._emit(f"read {dtype}", self._place(node), address(array), *self.steps[node])
            return
        first, *rest = (self.places[arg] for arg in node.args)
        place = self._place(node)
        if len(node.args) > ARITIES[node.op]:
            for other in rest:  # `and` and `or` of many
                self._emit(node.op, place, first, other)
                first = place
        else:
            self._emit(node.op, place, first, *rest)
        for arg in node.args:
            readers[arg] -= 1
            if not readers[arg]:
                self.free.append(self.places[arg])

    def _place(self, node: Expr) -> int:
        if not self.free:
            self.free.append(self.used * self.bytes)
            self.used += 1
        self.places[node] = self.free.pop()
        return self.places[node]

    def _emit(self, name: str, *numbers: int) -> None:
        self.table += [CODES[name], *numbers, *([0] * (FIELDS - 1 - len(numbers)))]


def _interpreter(code: Code, lanes: int) -> None:
    _Interpreter(code, lanes).write()


class _Interpreter:
    def __init__(self, code: Code, lanes: int) -> None:
        self.code, self.lanes = code, lanes
        self.count, self.outer, self.rows, self.columns = (code.arg(i) for i in range(HEAD))
        self.table = code.b.ptrtoint(code.args, I64)

    def write(self) -> None:
        code = self.code
        with code.loop(0, self.count) as i:
            self._operation(code.at(self.table, code.add(HEAD, code.mul(i, FIELDS)), "i64"))

    def _operation(self, record: Number) -> None:
        code = self.code
        name, *fields = (code.load(code.at(record, field, "i64"), "i64") for field in range(FIELDS))
        behind = code.function.append_basic_block("done")
        switch = code.b.switch(name, behind)
        for known, number in CODES.items():
            block = code.function.append_basic_block(known.replace(" ", "."))
            switch.add_case(I64(number), block)
            code.b.position_at_end(block)
            self._case(known, fields)
            code.b.branch(behind)
        code.b.position_at_end(behind)

    def _case(self, name: str, fields: Sequence[ir.Value]) -> None:
        what, _, dtype = name.partition(" ")
        place = self.code.add(self.code.scratch, fields[0])
        if what == "read":
            self._read(dtype, place, *fields[1:])
        elif what == "write":
            self._written(dtype, place, *fields[1:])
        else:
            self._computed(name, place, fields[1:])

    def _computed(self, op: str, place: Number, fields: Sequence[ir.Value]) -> None:
        code = self.code
        expr = make(op, *(operand(i) for i in range(ARITIES[op])))
        at = [code.add(code.scratch, field) for field in fields[: ARITIES[op]]]
        own = "u32" if op == "uniform" else "f32"
        with code.loop(0, code.mul(code.mul(self.outer, self.rows), self.columns), self.lanes) as i:
            values = [(code.load(code.at(each, i), own, self.lanes), own) for each in at]
            value = Computation(code, lambda e: values[e.leaf], self.lanes).value(expr)
            code.store(converted(code, value, "f32")[0], code.at(place, i))

    def _read(self, dtype: str, place: Number, base: Number, *steps: Number) -> None:
        """Rows one behind the other; each writes a little farther than it goes, and the next one over that."""
        code, own = self.code, "u32" if dtype == "bits" else dtype
        with self._each_row(base, steps) as (at, first), code.b.if_else(code.compare("==", steps[2], 0)) as (alike, apart):
            with alike:
                number = code.splat(code.load(at, own), self.lanes)
                with code.loop(0, self.columns, self.lanes) as c:
                    self._kept(number, dtype, code.at(place, code.add(first, c)))
            with apart:
                for c, mask in self._along():
                    address = code.at(at, c, own)
                    vector = code.load(address, own, self.lanes) if mask is None else code.load_masked(address, mask, own)
                    self._kept(vector, dtype, code.at(place, code.add(first, c)))

    def _kept(self, value: ir.Value, dtype: str, place: Number) -> None:
        if dtype != "bits":
            value = converted(self.code, register(self.code, value, dtype), "f32")[0]
        self.code.store(value, place)

    def _written(self, dtype: str, place: Number, base: Number, *steps: Number) -> None:
        code = self.code
        with self._each_row(base, steps) as (at, first):
            for c, mask in self._along():
                value = converted(code, (code.load(code.at(place, code.add(first, c)), lanes=self.lanes), "f32"), dtype)
                address = code.at(at, c, dtype)
                if mask is None:
                    code.store(memory(code, value, dtype), address)
                else:
                    code.store_masked(memory(code, value, dtype), address, mask)

    def _along(self) -> Iterator[tuple[Number, ir.Value | None]]:
        """Columns where vectors begin; a mask where less than one is left."""
        code = self.code
        whole = code.mul(code.div(self.columns, self.lanes), self.lanes)
        with code.loop(0, whole, self.lanes) as c:
            yield c, None
        with code.when(code.compare("<", whole, self.columns)):
            yield whole, code.mask(code.sub(self.columns, whole), self.lanes)

    @contextmanager
    def _each_row(self, base: Number, steps: Sequence[Number]) -> Iterator[tuple[Number, Number]]:
        """Where it begins in memory, and how many elements are in front of it."""
        code = self.code
        with code.loop(0, self.outer) as o, code.loop(0, self.rows) as r:
            row = code.add(code.mul(o, self.rows), r)
            yield code.total(base, code.mul(o, steps[0]), code.mul(r, steps[1])), code.mul(row, self.columns)

"""Reductions as launches: one sweep over what is reduced; where few results are made of many numbers it leaves parts of them,
which a second kernel puts together. Read next: partition.py, how threads share the work; sweep.py, the first text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

from netcompiler.plan import SIZES
from netcompiler.scalar import Expr
from runtime.arrays import Array, name_of
from runtime.kernels.cuda.code import TYPES, indented
from runtime.kernels.cuda.partition import Partition, merging
from runtime.kernels.cuda.reducers import BLOCK, REDUCERS, STRUCTS
from runtime.kernels.cuda.steps import Launch
from runtime.kernels.cuda.text import Kernel
from runtime.kernels.cuda.walk import Walk, walk
from runtime.kernels.expressions import number_of
from runtime.kernels.layout import address, collapsed


@dataclass(frozen=True)
class Reduction:
    """What is reduced: kinds, the expression of each, results in order, operands, and the axes of the shape.

    `bound` is a number in memory: so many of the first axis count. `room` is where parts lie until they are put together."""

    kinds: tuple[str, ...]
    exprs: tuple[Expr, ...]
    results: Sequence[Array]
    operands: Sequence[Array]
    shape: tuple[int, ...]
    axes: tuple[int, ...]
    bound: Array | None = None
    room: Array | None = None

    @cached_property
    def number(self) -> str:
        return number_of([name_of(array) for array in (*self.results, *self.operands)])

    @property
    def elements(self) -> int:
        """Of each result."""
        return self.results[0].size

    @cached_property
    def bytes(self) -> list[int]:
        """Of what each kind gathers for one element."""
        return [REDUCERS[kind].numbers * SIZES[self.number] for kind in self.kinds]

    @property
    def parts(self) -> int:
        """As many as there is room for."""
        return max(1, self.room.nbytes // (self.elements * sum(self.bytes))) if self.room is not None else 1

    def declared(self, many: int) -> list[str]:
        """What is gathered, at its start: g0, g1, …"""
        types = [f"{REDUCERS[kind].name}<{TYPES[self.number]}>" for kind in self.kinds]
        lines = (f"{kind} g{i}[{many}];" for i, kind in enumerate(types))
        return [*lines, *lanes(many, [f"g{i}[l].start();" for i in range(len(types))])]

    def parted(self, kernel: Kernel, parts: int) -> list[str]:
        """The texts of what was gathered of part p of element e."""
        assert self.room is not None
        begins = accumulate((parts * self.elements * size for size in self.bytes), initial=address(self.room))
        many = kernel.number(self.elements)
        types = (f"{REDUCERS[kind].name}<{TYPES[self.number]}>" for kind in self.kinds)
        return [f"(({kind}*){kernel.number(begin)})[(i64)p * {many} + e]" for kind, begin in zip(types, begins, strict=False)]

    def written(self, way: Walk, many: int) -> list[str]:
        """Lines that store results, which are the first arrays of a way."""
        results = [(i, result) for i, kind in enumerate(self.kinds) for result in REDUCERS[kind].results]
        values = (f"y{y}.at[l] = Stored<{TYPES[way.dtypes[y]]}>::of(g{i}[l].{result});" for y, (i, result) in enumerate(results))
        some = range(len(results))
        return [*way.results(some), *lanes(many, list(values)), *way.stores(some)]


def lanes(many: int, body: Sequence[str]) -> list[str]:
    return ["#pragma unroll", f"for (int l = 0; l < {many}; ++l) {{", *indented(body), "}"]


def sharing(kernel: Kernel, partition: Partition, units: int, by_line: bool, of: str) -> list[str]:
    """Lines that give a thread its unit and its turn. One that has no unit of its own goes along with the first."""
    own, turn = ("threadIdx.x / along", "threadIdx.x % along") if by_line else ("threadIdx.x % across", "threadIdx.x / across")
    return [
        f"const u32 along = {kernel.number(partition.along)}, across = {BLOCK} / along;",
        f"const u32 turn = {turn};",
        f"const {of} place = ({of})blockIdx.x * across + {own};",
        f"const bool some = place < ({of}){kernel.number(units)};",
        f"const {of} unit = some ? place : 0;",
    ]


def collected(task: Reduction, many: int, by_line: bool, stored: Sequence[str]) -> list[str]:
    """Lines that put together what the threads of a unit gathered, and store it."""
    joined = [f"together<{many}>(g{i}, turn, along, {1 if by_line else 'across'});" for i in range(len(task.kinds))]
    return [*joined, "if (turn == 0 && some) {", *indented(stored), "}"]


def merged(task: Reduction, parts: int) -> Launch:
    """Results of parts: a unit is an element."""
    kernel, way = Kernel(), walk(collapsed(task.results[0].shape, task.results, {}), task.results, 1)
    partition = merging(task.elements, parts)
    kernel.functions.append(STRUCTS)
    joins = [f"g{i}[0].join({part});" for i, part in enumerate(task.parted(kernel, parts))]
    kernel.lines = [
        *sharing(kernel, partition, task.elements, False, way.unsigned),
        *way.positions(kernel, "unit"),
        *way.addresses(kernel),
        *task.declared(1),
        f"const {way.unsigned} e = unit;",
        "#pragma unroll 4",
        f"for (u32 p = turn; p < (u32){kernel.number(parts)}; p += along) {{",
        *indented(joins),
        "}",
        *collected(task, 1, False, task.written(way, 1)),
    ]
    return kernel.launch(partition.grid(task.elements), (BLOCK, 1, 1), [task.room] if task.room is not None else [], task.results)

"""The sweep of a reduction: threads that share a result, or a pack of results side by side, each go through some of the numbers
that it is made of. Maps are computed on the way.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from netcompiler.scalar import Expr
from runtime.arrays import Array, name_of
from runtime.kernels.cuda.code import TYPES, function, indented
from runtime.kernels.cuda.gathering import Reduction, collected, lanes, merged, sharing
from runtime.kernels.cuda.partition import Partition, columns, lines
from runtime.kernels.cuda.reducers import BLOCK, STRUCTS
from runtime.kernels.cuda.steps import Launch
from runtime.kernels.cuda.text import Kernel
from runtime.kernels.cuda.walk import Walk, walk
from runtime.kernels.expressions import canonical, indexes, with_positions
from runtime.kernels.layout import collapsed

AHEAD = 4
"""Packs that a thread reads before it needs them."""
RESIDENT = 2
"""Blocks at least."""
WIDEST = 8
"""Numbers of a pack: as many accumulators of each kind a thread has."""


def reduced(task: Reduction) -> Iterator[Launch]:
    exprs, order, literals = canonical(task.exprs)
    arrays = (*task.results, *(task.operands[i] for i in order))
    indexed = indexes(task.exprs)
    layout = collapsed(task.shape, arrays, {axis: (axis in task.axes, indexed.get(axis)) for axis in range(len(task.shape))})
    gone = [bool(members) and members[0] in task.axes for members in layout.members]
    way = walk(layout, arrays, 1 if gone[-1] and task.bound is not None else WIDEST)
    sweep = _Sweep(task, way, [place for place in way.places if gone[-place]], with_positions(exprs, layout), literals)
    yield sweep.launch()
    if sweep.partition.parts > 1:
        yield merged(task, sweep.partition.parts)


@dataclass(frozen=True)
class _Sweep:
    """`gone` are the places of the axes that are reduced. By line, packs lie along the last of these; else along the results."""

    task: Reduction
    way: Walk
    gone: Sequence[int]
    exprs: Sequence[Expr]
    literals: Sequence[float]

    @property
    def kept(self) -> list[int]:
        return [place for place in self.way.places if place not in self.gone]

    @property
    def by_line(self) -> bool:
        return 1 in self.gone

    @property
    def partition(self) -> Partition:
        cut = lines if self.by_line else columns
        return cut(self.way.count(self.kept), self.way.count(self.gone), self.task.parts)

    @property
    def operands(self) -> range:
        return range(len(self.task.results), len(self.way.arrays))

    @property
    def bounds(self) -> list[Array]:
        return [] if self.task.bound is None else [self.task.bound]

    def launch(self) -> Launch:
        task, way, partition, kernel = self.task, self.way, self.partition, Kernel()
        types = [*(way.dtypes[i] for i in self.operands), *[task.number] * len(self.literals)]
        kernel.functions += [STRUCTS, function("computed", self.exprs, [task.number] * len(self.exprs), types, len(way.sizes), task.number)]
        kernel.lines = [
            *sharing(kernel, partition, way.count(self.kept), self.by_line, way.unsigned),
            *way.positions(kernel, "unit", self.kept),
            *way.addresses(kernel, self.kept),
            *way.loads([i for i in self.operands if not way.varies(i, self.gone)]),
            *task.declared(way.width),
            *self._range(kernel),
            *self._loop(kernel),
            *lanes(way.width, [f"g{i}[l].close(many);" for i in range(len(task.kinds))]),
            *self._collected(kernel),
        ]
        reads = [*(way.arrays[i] for i in self.operands), *self.bounds]
        writes = [task.room] if partition.parts > 1 and task.room is not None else list(task.results)
        return kernel.launch(partition.grid(way.count(self.kept)), (BLOCK, 1, 1), reads, writes, RESIDENT)

    def _range(self, kernel: Kernel) -> list[str]:
        """Lines that tell how `many` packs a thread goes through, and where it begins."""
        of = self.way.unsigned
        length, size = (f"({of}){kernel.number(n)}" for n in (self.partition.length, self.way.count(self.gone)))
        first = [f"const {of} first = blockIdx.y * {length};", f"{of} end = first + {length} < {size} ? first + {length} : {size};"]
        for bound in self.bounds:
            each = self.way.count(self.gone) // self.task.shape[0]
            limit = f"(i64)*(const {TYPES[name_of(bound)]}*){kernel.address(bound)} * {kernel.number(each)}"
            first += [f"const i64 limit = {limit};", f"if (limit < end) end = limit > 0 ? ({of})limit : 0;"]
        return [*first, f"const {of} begin = first + turn, many = begin < end ? (end - begin + along - 1) / along : 0;"]

    def _loop(self, kernel: Kernel) -> list[str]:
        way, number = self.way, TYPES[self.task.number]
        moving = [i for i in self.operands if way.varies(i, self.gone)]
        values = [*(f"v{i}" for i in range(len(self.exprs))), *(way.loaded(i, "l") for i in self.operands)]
        literals = [kernel.real(value, self.task.number) for value in self.literals]
        places = [f"p{place}{' + l' * (place == 1)}" for place in way.places]
        where = f"{way.width} * r + l" if self.by_line else "r"
        body = [
            f"const {way.unsigned} r = begin + i * along;",
            *way.positions(kernel, "r", self.gone),
            *(way.load(i, " + ".join([f"at{i}", *way.moves(kernel, i, self.gone)])) for i in moving),
            f"const {number} share = ({number})1 / (i + 1);",
            *lanes(
                way.width,
                [
                    f"{number} {', '.join(values[: len(self.exprs)])};",
                    f"computed({', '.join([*values, *literals, *places])});",
                    *(f"g{i}[l].take(v{i}, share, {where});" for i in range(len(self.exprs))),
                ],
            ),
        ]
        unrolled = max(1, AHEAD // max(1, len(moving)))
        return [f"#pragma unroll {unrolled}", f"for ({way.unsigned} i = 0; i < many; ++i) {{", *indented(body), "}"]

    def _collected(self, kernel: Kernel) -> list[str]:
        """By line all lanes of a pack are for one result."""
        width = self.way.width
        apart = [f"for (int l = 1; l < {width}; ++l) g{i}[0].join(g{i}[l]);" for i in range(len(self.task.kinds))]
        joined, many = (apart, 1) if self.by_line else ([], width)
        if self.partition.parts == 1:
            return [*joined, *collected(self.task, many, self.by_line, self.task.written(self.way, many))]
        parts = self.task.parted(kernel, self.partition.parts)
        stored = [f"const {self.way.unsigned} e = unit * {many} + l;", *(f"{part} = g{i}[l];" for i, part in enumerate(parts))]
        own = ["const u32 p = blockIdx.y;", *lanes(many, stored)]
        return [*joined, *collected(self.task, many, self.by_line, own)]

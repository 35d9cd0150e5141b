"""How a reduction is cut into steps: one group of neighbouring axes after the other, the outermost first, large ones in parts
that another step puts together. It is cut by shape alone, so that results are the same for any number of threads.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from math import gcd, prod
from typing import NamedTuple

import numpy as np

from netcompiler.scalar import Expr, operand
from runtime.arrays import Array, name_of
from runtime.kernels.cpu.code import LANES
from runtime.kernels.cpu.columns import LEVELS, columns
from runtime.kernels.cpu.driver import Step
from runtime.kernels.cpu.lines import UNROLL, lines
from runtime.kernels.cpu.reducers import REDUCERS
from runtime.kernels.cpu.sweep import numbers, of_one_row, rows_ahead, structured
from runtime.kernels.expressions import canonical, indexes, weight
from runtime.kernels.layout import MOST, Layout, address, collapsed, cost, pieces

WIDE = 1024
"""Columns that are reduced together: their accumulators stay near the processor."""
NARROW = 8
"""Vectors: rows that are less wide may lie side by side."""
LONG = 1024
"""Rows, or vectors of a row, that are added one after the other; more of them would lose digits."""
MOMENTS = frozenset(("moments", "merge"))
"""What comes out of these in parts is not yet what comes out at last."""


@dataclass(frozen=True)
class Reduction:
    """What is reduced: kinds, the expressions of each, results in order, operands, and the axes of the shape.

    `bound` is a number in memory: so many of the first axis count. Moments of parts are merged: of so many `parts`, of `piece`
    elements each but the last, which has what is left of the whole."""

    kinds: tuple[str, ...]
    exprs: tuple[Expr, ...]
    results: Sequence[Array]
    operands: Sequence[Array]
    shape: tuple[int, ...]
    axes: tuple[int, ...]
    bound: Array | None = None
    parts: int = 1
    piece: int = 1
    whole: int = 1

    @property
    def merges(self) -> bool:
        return "merge" in self.kinds


class Laid(NamedTuple):
    """Results and operands side by side, in the order in which the expressions name them; rows or, by line, columns are reduced."""

    layout: Layout
    arrays: tuple[Array, ...]
    exprs: tuple[Expr, ...]
    literals: list[float]
    by_line: bool

    @property
    def members(self) -> tuple[int, ...]:
        """The axes that are reduced."""
        return self.layout.members[-1 if self.by_line else -2]

    @property
    def size(self) -> int:
        return self.layout.sizes[-1 if self.by_line else -2]

    @property
    def width(self) -> int:
        """Of accumulators: whole vectors."""
        return LANES * -(-min(self.layout.columns, WIDE) // LANES)

    @property
    def splits(self) -> int:
        return -(-self.layout.columns // self.width)

    @property
    def units(self) -> int:
        return prod(self.layout.outer) * (self.layout.rows if self.by_line else self.splits)

    @property
    def cost(self) -> float:
        return cost(self.arrays, self.layout, weight(self.exprs))


def reduced(task: Reduction) -> Iterator[Step]:
    groups = _groups(task)
    if groups > 1:
        yield from _by_groups(task, groups)
    else:
        yield from _reduced(task)


def _groups(task: Reduction) -> int:
    """How many rows to lay side by side, where they are narrow and lie one behind the other: whole vectors, and several of them."""
    *rows, width = task.shape
    together = LANES // gcd(width, LANES)
    while together * width < NARROW * LANES:
        together *= 2
    plain = all(x.shape == task.shape and x.flags.c_contiguous for x in task.operands) and not indexes(task.exprs)
    apart = task.axes != tuple(range(len(rows))) or not MOMENTS.isdisjoint(task.kinds)
    return 1 if apart or not plain or width >= NARROW * LANES or prod(rows) % together or prod(rows) < 16 * together else together


def _by_groups(task: Reduction, groups: int) -> Iterator[Step]:
    """Rows side by side in groups, as wide as a whole number of vectors; then the group."""
    width = groups * task.shape[-1]
    read = [x.reshape(-1, width) for x in task.operands]
    made = [np.empty((groups, task.shape[-1]), np.float32) for _ in task.results]
    yield from _reduced(replace(task, results=[part.reshape(1, width) for part in made], operands=read, shape=read[0].shape, axes=(0,)))
    for kind, result, part in zip(task.kinds, task.results, made, strict=True):
        own = result.reshape(1, -1)
        yield from _reduced(Reduction((kind,), (operand(0),), [own], [part], part.shape, (0,)))


def _reduced(task: Reduction) -> Iterator[Step]:
    laid = _laid(task, task.results)
    parts, length = _cut(task, laid)
    gone = laid.members
    left = [axis for axis in task.axes if axis not in gone and task.shape[axis] > 1]
    if parts == 1 and not left:
        yield _step(task, laid, (), parts, length)
        return
    shape = tuple(1 if axis in gone else n for axis, n in enumerate(task.shape))
    made = [np.empty((parts, *shape), np.float32) for _ in task.results]
    yield _step(task, _laid(task, [part[0] for part in made]), made, parts, length)
    whole = laid.size // task.parts * task.whole if task.merges else _counted(task, laid)
    piece = whole if parts == 1 else length
    axes = (0, *(axis + 1 for axis in task.axes))
    rest = iter(zip(task.results, made, strict=True))
    for kind in task.kinds:
        again, values = ("merge", 2) if kind in MOMENTS else (kind, 1)
        results, read = zip(*islice(rest, values), strict=True)
        exprs = tuple(operand(i) for i in range(values))
        yield from _reduced(Reduction((again,), exprs, results, read, (parts, *shape), axes, task.bound, parts, piece, whole))


def is_line(x: Array, axis: int) -> bool:
    """Whether what lies along an axis lies densely, so that it is reduced in one go."""
    return x.shape[axis] > 1 and x.strides[axis] == x.itemsize


def _laid(task: Reduction, results: Sequence[Array]) -> Laid:
    exprs, order, literals = canonical(task.exprs)
    arrays = (*results, *(task.operands[i] for i in order))
    indexed = indexes(task.exprs)
    labels = {axis: (axis in task.axes, indexed.get(axis)) for axis in range(len(task.shape))}
    layout = collapsed(task.shape, arrays, labels)
    reduced = [i for i, members in enumerate(layout.members) if members and members[0] in task.axes]
    by_line = reduced == [len(layout.members) - 1] and not (task.merges and task.parts > 1)
    layout = layout if by_line else layout.with_rows(reduced[0] if reduced else None)
    return Laid(layout, arrays, exprs, literals, by_line)


def _cut(task: Reduction, laid: Laid) -> tuple[int, int]:
    """Into how many parts, and how long they are."""
    unit = UNROLL * LANES if laid.by_line else 1
    if task.merges or not set(task.kinds) <= set(REDUCERS):
        return 1, laid.size
    least = -(-laid.size // (LONG * unit))
    parts = max(least, pieces(laid.cost, MOST) // laid.units)
    length = unit * -(-laid.size // (parts * unit))
    return -(-laid.size // length), length


def _counted(task: Reduction, laid: Laid) -> int:
    """How many count: with a bound, for each that it counts."""
    return laid.size if task.bound is None else laid.size // task.shape[0]


def _step(task: Reduction, laid: Laid, made: Sequence[Array], parts: int, length: int) -> Step:
    layout, units = laid.layout, parts * laid.units
    bound = () if task.bound is None else (address(task.bound),)
    if laid.by_line:
        table = [laid.units, length, _counted(task, laid), task.whole]
    else:
        table = [parts, length, laid.splits, laid.width]
        table += [laid.size // task.parts, task.piece, task.whole] if task.merges else [1, 1, _counted(task, laid)]
        table.append(rows_ahead(laid.arrays[len(task.results) :], layout))
    structure = structured(laid.exprs, laid.arrays, layout, len(task.results), len(laid.literals))
    structure = of_one_row(structure) if layout.rows == 1 else structure
    bounded = "" if task.bound is None else name_of(task.bound)
    final = not made or MOMENTS.isdisjoint(task.kinds)
    steps = [part.strides[0] for part in made] or [0] * len(task.results)
    return Step(
        (lines if laid.by_line else columns, structure, task.kinds, bounded, final),
        [*numbers(laid.arrays, layout, laid.literals), *table, *bound, *steps],
        units,
        pieces(laid.cost, units),
        scratch=0 if laid.by_line else 4 * laid.width * LEVELS * sum(len(REDUCERS[kind].starts) for kind in task.kinds),
        keep=(*laid.arrays, *made),
    )

"""How arrays lie side by side: the fewest axes along which all of them run in equal steps, and how to cut them into chunks."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from runtime.arrays import Array

CHUNK = 400_000
"""Bytes that a thread moves in some 20 microseconds: less is not worth a chunk of its own."""
MOST = 64
DEPTH = 3
"""The fewest axes of a layout; those that are missing have size 1."""


@dataclass(frozen=True)
class Layout:
    """Sizes of outer axes, rows and columns; for each array its steps along them in bytes, 0 where it is broadcast."""

    sizes: tuple[int, ...]
    steps: tuple[tuple[int, ...], ...]
    members: tuple[tuple[int, ...], ...]
    """The axes of the shape that each axis is made of; none where it is there for company."""
    itemsizes: tuple[int, ...]
    rest: int = 0
    """Columns of the last row, where it is shorter than the others."""

    @property
    def rows(self) -> int:
        return self.sizes[-2]

    @property
    def columns(self) -> int:
        return self.sizes[-1]

    @property
    def outer(self) -> tuple[int, ...]:
        return self.sizes[:-2]

    @property
    def is_line(self) -> bool:
        """Whether there are columns only."""
        return prod(self.sizes[:-1]) == 1

    def position(self, axis: int) -> int | None:
        """Where an axis of the shape is, counted from the last, which is -1; None where its size is 1."""
        return next((i - len(self.members) for i, members in enumerate(self.members) if axis in members), None)

    def folded(self, width: int) -> Layout:
        """The same elements in rows of another width. What had the same columns in all rows has the same in these, repeated."""
        rows, rest = divmod(self.rows * self.columns, width)
        dense = [own[-1] and (own[-2] or self.rows == 1) for own in self.steps]
        steps = tuple((*own[:-2], width * own[-1] if whole else own[-2], own[-1]) for own, whole in zip(self.steps, dense, strict=True))
        return replace(self, sizes=(*self.outer, rows + bool(rest), width), steps=steps, rest=rest)

    def with_rows(self, position: int | None) -> Layout:
        """With another of its axes as rows; with None, one row. In place of columns that became rows there is one column."""
        axes = [*zip(self.sizes, zip(*self.steps, strict=True), self.members, strict=True)]
        row = (1, (0,) * len(self.steps), ()) if position is None else axes.pop(position)
        if position == len(axes):
            axes.append((1, self.itemsizes, ()))
        axes.insert(-1, row)
        sizes, steps, members = zip(*axes, strict=True)
        return replace(self, sizes=sizes, steps=tuple(zip(*steps, strict=True)), members=members)


def collapsed(shape: Sequence[int], arrays: Sequence[Array], labels: Mapping[int, Hashable]) -> Layout:
    """Neighbours of one label become one axis where all arrays allow it. Columns lie densely in every array, or are broadcast."""
    itemsizes = tuple(array.itemsize for array in arrays)
    strides = [np.broadcast_to(array, shape).strides for array in arrays]
    axes: list[tuple[int, tuple[int, ...], tuple[int, ...]]] = []
    for axis, size in enumerate(shape):
        if size == 1:
            continue
        steps = tuple(own[axis] for own in strides)
        before, outside, members = axes[-1] if axes else (1, (), ())
        if members and outside == tuple(step * size for step in steps) and labels.get(members[0]) == labels.get(axis):
            axes[-1] = (before * size, steps, (*members, axis))
        else:
            axes.append((size, steps, (axis,)))
    if not axes or any(step not in (0, size) for step, size in zip(axes[-1][1], itemsizes, strict=True)):
        axes.append((1, itemsizes, ()))
    axes = [(1, (0,) * len(arrays), ())] * (DEPTH - len(axes)) + axes
    sizes, steps_, whose = zip(*axes, strict=True)
    return Layout(sizes, tuple(zip(*steps_, strict=True)) if arrays else (), whose, itemsizes)


def address(array: Array) -> int:
    return int(array.__array_interface__["data"][0])


def pieces(cost: float, units: int) -> int:
    """How many chunks are worth it for work that takes as long as moving so many bytes."""
    return max(1, min(MOST, units, int(cost // CHUNK)))


def cost(arrays: Sequence[Array], layout: Layout, work: int) -> float:
    """Bytes that cross memory, or as many as could while the processor computes."""
    return max(sum(array.nbytes for array in arrays), 0.5 * work * prod(layout.sizes))

"""Values in another form. What lies in rows is copied as a map that changes nothing; where rows become columns, tile by tile."""

from __future__ import annotations

import builtins
from collections.abc import Iterator, Sequence

import numpy as np

from netcompiler.plan import Axis
from netcompiler.scalar import operand
from runtime.arrays import Array
from runtime.kernels.cpu import pointwise
from runtime.kernels.cpu.collect import collected, taken
from runtime.kernels.cpu.driver import Step
from runtime.kernels.cpu.frame import part
from runtime.kernels.cpu.reach import adjoint
from runtime.kernels.cpu.slide import slid, summed
from runtime.kernels.cpu.turn import is_turned, turned


def reshape(y: Array, x: Array, *, shape: Sequence[int]) -> Iterator[Step]:
    """Where neither can be seen in the shape of the other, by way of one that can."""
    if np.may_share_memory(view := x.reshape(shape), x):
        yield from _copied(y, view)
    elif np.may_share_memory(view := y.reshape(x.shape), y):
        yield from _copied(view, x)
    else:
        dense = np.empty(x.shape, x.dtype)
        yield from _copied(dense, x)
        yield from _copied(y, dense.reshape(shape))


def transpose(y: Array, x: Array, *, order: Sequence[int]) -> Iterator[Step]:
    yield from _copied(y, x.transpose(order))


def slice(y: Array, x: Array, *, begin: Sequence[int], end: Sequence[int], step: Sequence[int]) -> Iterator[Step]:
    yield from _copied(y, x[tuple(builtins.slice(*piece) for piece in zip(begin, end, step, strict=True))])


def concat(y: Array, *xs: Array, axis: int) -> Iterator[Step]:
    """What was computed in its place already stays there."""
    begin = 0
    for x in xs:
        part = y[(builtins.slice(None),) * axis + (builtins.slice(begin, begin + x.shape[axis]),)]
        begin += x.shape[axis]
        if part.__array_interface__ != x.__array_interface__:
            yield from _copied(part, x)


def pad(y: Array, x: Array, *, low: Sequence[int], high: Sequence[int], interior: Sequence[int]) -> Iterator[Step]:
    """Each cell of x is a window of one cell in y, the next one so many cells on; low and high may leave cells out."""
    axes = [axis for axis, ends in enumerate(zip(low, high, interior, strict=True)) if any(ends)]
    window = [Axis(1, interior[axis] + 1, -low[axis], -high[axis]) for axis in axes]
    yield slid(summed, y, x.shape, axes, window, [part(y), part(x)], look=adjoint)


def gather(y: Array, x: Array, *, table: Sequence[int], axis: int) -> Iterator[Step]:
    yield collected(y, x, [[place] if place >= 0 else [] for place in table], axis)


def scatter(y: Array, x: Array, *, table: Sequence[int], axis: int, size: int) -> Iterator[Step]:
    met: list[list[int]] = [[] for _ in range(size)]
    for cell, place in enumerate(table):
        if place >= 0:
            met[place].append(cell)
    yield collected(y, x, met, axis)


def take(y: Array, x: Array, i: Array) -> Iterator[Step]:
    yield taken(y, x, i)


def constant(y: Array, *, shape: Sequence[int], dtype: str, value: float = 0, table: Sequence[float] | None = None) -> Iterator[Step]:
    numbers = np.full(y.shape[-1:], value) if table is None else np.reshape(table, shape)
    yield from _copied(y, np.broadcast_to(numbers.astype(y.dtype), y.shape))


def _copied(y: Array, x: Array) -> Iterator[Step]:
    """Numbers of 32 bits, whatever they mean, are moved as they are."""
    if y.itemsize == 4:
        y, x = y.view(np.float32), x.view(np.float32)
    if is_turned(y, x):
        yield turned(y, x)
    else:
        yield from (step._replace(keep=(x,)) for step in pointwise.map(y, x, exprs=(operand(0),), shape=y.shape, dtype="f32"))

"""Reductions over any axes, which stay with size 1. How they are cut into steps: partition.py."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import inf

import numpy as np

from netcompiler.scalar import compare, exp, index, literal, log, logical, make, operand, select
from runtime.arrays import Array
from runtime.kernels.cpu.driver import Step
from runtime.kernels.cpu.partition import Reduction, is_line, reduced
from runtime.kernels.cpu.pointwise import map

A, B = operand(0), operand(1)


def sum(y: Array, x: Array, *, axes: Sequence[int]) -> Iterator[Step]:
    yield from reduced(Reduction(("sum",), (A,), (y,), (x,), x.shape, tuple(axes)))


def max(y: Array, x: Array, *, axes: Sequence[int]) -> Iterator[Step]:
    yield from reduced(Reduction(("max",), (A,), (y,), (x,), x.shape, tuple(axes)))


def moments(mean: Array, var: Array, x: Array, valid: Array | None = None, *, axes: Sequence[int]) -> Iterator[Step]:
    yield from reduced(Reduction(("moments",), (A,), (mean, var), (x,), x.shape, tuple(axes), valid))


def logsumexp(y: Array, x: Array, *, axis: int) -> Iterator[Step]:
    """In one step where a row lies densely; else the largest, the sum and its logarithm are steps of their own."""
    if is_line(x, axis):
        yield from reduced(Reduction(("logsumexp",), (A,), (y,), (x,), x.shape, (axis,)))
        return
    largest, total = (np.empty(y.shape, np.float32) for _ in range(2))
    shift = select(make("isfinite", B), B, literal(0))
    yield from max(largest, x, axes=(axis,))
    yield from reduced(Reduction(("sum",), (exp(A - shift),), (total,), (x, largest), x.shape, (axis,)))
    yield from map(y, total, largest, exprs=(shift + log(A),), shape=y.shape, dtype="f32")


def argmax(y: Array, x: Array, *, axis: int) -> Iterator[Step]:
    """The first of equals is the largest of the negative places where the largest stands; NaN is larger than all."""
    if is_line(x, axis):
        yield from reduced(Reduction(("argmax",), (A,), (y,), (x,), x.shape, (axis,)))
        return
    largest, place = (np.empty(y.shape, np.float32) for _ in range(2))
    here = logical("or", compare("eq", A, B), compare("ne", A, A))
    yield from max(largest, x, axes=(axis,))
    expr = select(here, make("neg", index(axis)), literal(-inf))
    yield from reduced(Reduction(("max",), (expr,), (place,), (x, largest), x.shape, (axis,)))
    yield from map(y, place, exprs=(-A,), shape=y.shape, dtype="f32")

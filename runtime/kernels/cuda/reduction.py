"""Reductions over any axes, which stay with size 1. How they become launches: sweep.py."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from netcompiler.scalar import operand
from runtime.arrays import Array
from runtime.kernels.cuda.gathering import Reduction
from runtime.kernels.cuda.steps import Launch
from runtime.kernels.cuda.sweep import reduced

A = operand(0)


def sum(y: Array, x: Array, *, axes: Sequence[int], workspace: Array | None = None) -> Iterator[Launch]:
    yield from reduced(Reduction(("sum",), (A,), (y,), (x,), x.shape, tuple(axes), None, workspace))


def max(y: Array, x: Array, *, axes: Sequence[int], workspace: Array | None = None) -> Iterator[Launch]:
    yield from reduced(Reduction(("max",), (A,), (y,), (x,), x.shape, tuple(axes), None, workspace))


def moments(
    mean: Array, var: Array, x: Array, valid: Array | None = None, *, axes: Sequence[int], workspace: Array | None = None
) -> Iterator[Launch]:
    yield from reduced(Reduction(("moments",), (A,), (mean, var), (x,), x.shape, tuple(axes), valid, workspace))


def logsumexp(y: Array, x: Array, *, axis: int, workspace: Array | None = None) -> Iterator[Launch]:
    yield from reduced(Reduction(("logsumexp",), (A,), (y,), (x,), x.shape, (axis,), None, workspace))


def argmax(y: Array, x: Array, *, axis: int, workspace: Array | None = None) -> Iterator[Launch]:
    yield from reduced(Reduction(("argmax",), (A,), (y,), (x,), x.shape, (axis,), None, workspace))

"""Fused instructions of maps and reductions over one shape: one pass over memory, what maps compute stays in registers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import numpy as np

from netcompiler.plan import Instruction, Value
from netcompiler.scalar import Expr, operand
from runtime.arrays import Array
from runtime.kernels.cpu.driver import Step
from runtime.kernels.cpu.interpreted import interpreted
from runtime.kernels.cpu.partition import Reduction, reduced
from runtime.kernels.expressions import with_leaves


def region(instruction: Instruction, views: Mapping[str, Array]) -> Iterator[Step]:
    known: dict[Value, Expr] = {value: operand(i) for i, value in enumerate(instruction.operands)}
    reductions = []
    for inner in instruction.body:
        if inner.op == "map":
            leaves = {operand(i): known[value] for i, value in enumerate(inner.operands)}
            known |= zip(inner.results, with_leaves(inner.attributes["exprs"], leaves), strict=True)
        else:
            reductions.append(inner)
    yield from _together(reductions, known, views, [views[value.name] for value in instruction.operands])


def _together(
    reductions: Sequence[Instruction], known: Mapping[Value, Expr], views: Mapping[str, Array], read: Sequence[Array]
) -> Iterator[Step]:
    """One sweep; of few elements a map and plain reductions, which need no code of their own."""
    first = reductions[0]
    shape, kinds = first.operands[0].shape, [inner.op for inner in reductions]
    exprs = [known[inner.operands[0]] for inner in reductions]
    results = [[views[value.name] for value in inner.results] for inner in reductions]
    task = partial(Reduction, shape=shape, axes=tuple(first.attributes["axes"]), bound=_bound(first, views))
    made = [np.empty(shape, np.float32) for _ in exprs]
    few = interpreted(made, read, exprs, shape)
    if few:
        yield few
        for kind, own, x in zip(kinds, results, made, strict=True):
            yield from reduced(task(kinds=(kind,), exprs=(operand(0),), results=own, operands=(x,)))
    else:
        yield from reduced(task(kinds=tuple(kinds), exprs=tuple(exprs), results=[y for own in results for y in own], operands=read))


def _bound(reduction: Instruction, views: Mapping[str, Array]) -> Array | None:
    return views[reduction.operands[1].name] if reduction.operands[1:] else None

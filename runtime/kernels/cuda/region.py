"""Fused instructions of maps and reductions over one shape: one pass over memory, what maps compute stays in registers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from netcompiler.plan import Instruction, Value
from netcompiler.scalar import ZERO, Expr, index, operand
from runtime.arrays import Array
from runtime.kernels.cuda.gathering import Reduction
from runtime.kernels.cuda.steps import Launch
from runtime.kernels.cuda.sweep import reduced
from runtime.kernels.expressions import indexes, with_leaves


def region(instruction: Instruction, views: Mapping[str, Array]) -> Iterator[Launch]:
    """A sweep for all reductions that count the same rows."""
    reductions = [inner for inner in instruction.body if inner.op != "map"]
    shape = reductions[0].operands[0].shape
    known: dict[Value, Expr] = {value: operand(i) for i, value in enumerate(instruction.operands)}
    for inner in instruction.body:
        if inner.op == "map":
            known |= zip(inner.results, _inside(inner, known, shape), strict=True)
    for bound, group in groupby(sorted(reductions, key=_bound), _bound):
        own = list(group)
        yield from reduced(
            Reduction(
                tuple(inner.op for inner in own),
                tuple(known[inner.operands[0]] for inner in own),
                [views[value.name] for inner in own for value in inner.results],
                [views[value.name] for value in instruction.operands],
                shape,
                tuple(own[0].attributes["axes"]),
                views[bound] if bound else None,
                views[instruction.scratch.name] if instruction.scratch else None,
            )
        )


def _inside(inner: Instruction, known: Mapping[Value, Expr], shape: Sequence[int]) -> tuple[Expr, ...]:
    """A map's expressions over what the region reads; its axes are the last of the region's, along which it may be broadcast."""
    exprs, own = inner.attributes["exprs"], inner.attributes["shape"]
    leaves = {operand(i): known[value] for i, value in enumerate(inner.operands)}
    places = {index(axis): index(axis + len(shape) - len(own)) if own[axis] > 1 else ZERO for axis in indexes(exprs)}
    return with_leaves(exprs, {**leaves, **places})


def _bound(reduction: Instruction) -> str:
    """The name of the number of rows that count."""
    return reduction.operands[1].name if reduction.operands[1:] else ""

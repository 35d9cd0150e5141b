"""Fused instructions of maps and reductions over one shape: one pass over memory, what maps compute stays in registers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from netcompiler.plan import Instruction, Value
from netcompiler.scalar import Expr, operand
from runtime.arrays import Array
from runtime.kernels.cpu.driver import Step
from runtime.kernels.cpu.expression import with_leaves
from runtime.kernels.cpu.partition import Reduction, reduced


def region(instruction: Instruction, views: Mapping[str, Array]) -> Iterator[Step]:
    known: dict[Value, Expr] = {value: operand(i) for i, value in enumerate(instruction.operands)}
    reductions = []
    for inner in instruction.body:
        if inner.op == "map":
            leaves = {operand(i): known[value] for i, value in enumerate(inner.operands)}
            known |= zip(inner.results, with_leaves(inner.attributes["exprs"], leaves), strict=True)
        else:
            reductions.append(inner)
    first = reductions[0]
    yield from reduced(
        Reduction(
            kinds=tuple(inner.op for inner in reductions),
            exprs=tuple(known[inner.operands[0]] for inner in reductions),
            results=[views[value.name] for inner in reductions for value in inner.results],
            operands=[views[value.name] for value in instruction.operands],
            shape=first.operands[0].shape,
            axes=tuple(first.attributes["axes"]),
            bound=views[first.operands[1].name] if first.operands[1:] else None,
        )
    )

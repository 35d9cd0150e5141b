"""Maps around a core: where a fused instruction's kernel computes them on the core's results before it writes them, and on what
the core reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from netcompiler.plan import Instruction
from netcompiler.scalar import Expr, operand
from runtime.arrays import Array


class Behind(NamedTuple):
    """The map as an instruction has it: None stands for the core among its operands."""

    exprs: Sequence[Expr]
    results: Sequence[Array]
    operands: Sequence[Array | None]


class Ahead(NamedTuple):
    """The map whose result the core reads, which is nowhere."""

    expr: Expr
    operands: Sequence[Array]


def plain(y: Array) -> Behind:
    """Nothing is done with the results."""
    return Behind((operand(0),), (y,), (None,))


def behind(instruction: Instruction, views: Mapping[str, Array]) -> Behind:
    """Of a fused instruction that ends with it. The first result stands for the core's own, which is nowhere."""
    core, outer = instruction.core, instruction.body[-1]
    read = [None if value == core.result else views[value.name] for value in outer.operands]
    return Behind(outer.attributes["exprs"], [views[value.name] for value in outer.results], read)


def ahead(instruction: Instruction, views: Mapping[str, Array]) -> dict[int, Ahead]:
    """Of a fused instruction with a core: by operand of the core what is gathered for it."""
    made = {inner.result: inner for inner in instruction.gathered}
    return {
        i: Ahead(made[value].attributes["exprs"][0], [views[read.name] for read in made[value].operands])
        for i, value in enumerate(instruction.core.operands)
        if value in made
    }

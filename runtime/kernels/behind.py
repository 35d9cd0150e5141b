"""A map behind a core: where a fused instruction's kernel computes it on the core's results before it writes them."""

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


def plain(y: Array) -> Behind:
    """Nothing is done with the results."""
    return Behind((operand(0),), (y,), (None,))


def behind(instruction: Instruction, views: Mapping[str, Array]) -> Behind:
    """Of a fused instruction with a core. The first result stands for the core's own, which is nowhere."""
    core, outer = instruction.body
    read = [None if value == core.result else views[value.name] for value in outer.operands]
    return Behind(outer.attributes["exprs"], [views[value.name] for value in outer.results], read)

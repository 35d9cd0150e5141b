"""Local rewrites and dead code. What a rewrite turns an instruction into is written again through a builder,
which sees equal instructions as one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from netcompiler.builder import Builder
from netcompiler.plan import Instruction, Plan, Program, Value


def simplify(plan: Plan) -> Plan:
    return plan.with_programs(without_dead(rewritten(program, plan.dtype)) for program in plan.programs.values())


def without_dead(program: Program) -> Program:
    """The program without instructions whose results nobody reads."""
    needed = {*program.outputs.values(), *program.successors.values()}
    kept: list[Instruction] = []
    forward = 0
    for position, instruction in zip(range(len(program.instructions) - 1, -1, -1), reversed(program.instructions), strict=True):
        if not needed.isdisjoint(instruction.results):
            needed.update(instruction.operands)
            kept.append(instruction)
            forward += position < program.forward
    if len(kept) == len(program.instructions):
        return program
    return replace(program, instructions=tuple(reversed(kept)), forward=forward)


Rewrite = Callable[[Builder, Instruction, Instruction | None], Value | None]


def _transpose_of_ones(b: Builder, i: Instruction, before: Instruction | None) -> Value | None:
    """A transpose that moves axes of size 1 only is a reshape."""
    moved = [axis for axis in i.attributes["order"] if i.operands[0].shape[axis] > 1]
    return b.reshape(i.operands[0], i.result.shape) if moved == sorted(moved) else None


def _reshape_of_reshape(b: Builder, i: Instruction, before: Instruction | None) -> Value | None:
    return b.reshape(before.operands[0], i.result.shape) if before else None


def _reshape_to_same(b: Builder, i: Instruction, before: Instruction | None) -> Value | None:
    return i.operands[0] if i.operands[0].shape == i.result.shape else None


REWRITES: Mapping[str, Sequence[Rewrite]] = {"reshape": (_reshape_to_same, _reshape_of_reshape), "transpose": (_transpose_of_ones,)}
"""By op: what is tried, in this order. Each is shown the reshape that its operand comes from, if it does."""


def rewritten(program: Program, dtype: str) -> Program:
    b = Builder(dtype, taken=highest(program))
    names: dict[Value, Value] = {}
    reshapes: dict[Value, Instruction] = {}
    forward = 0
    for position, instruction in enumerate(program.instructions):
        forward = len(b.instructions) if position == program.forward else forward
        current = instruction.reading(names)
        new = _rewritten(b, current, reshapes) if current.op in REWRITES else None
        if new is None:
            b.append(current)
        else:
            names[instruction.result] = new
        if b.instructions and b.instructions[-1].op == "reshape":
            reshapes[b.instructions[-1].result] = b.instructions[-1]
    if not names:
        return program
    outputs = {name: names.get(value, value) for name, value in program.outputs.items()}
    successors = {name: names.get(value, value) for name, value in program.successors.items()}
    return Program(program.name, tuple(b.instructions), outputs, successors, forward)


def _rewritten(b: Builder, i: Instruction, reshapes: Mapping[Value, Instruction]) -> Value | None:
    b.origin = i.origin
    return next((new for rewrite in REWRITES[i.op] if (new := rewrite(b, i, reshapes.get(i.operands[0])))), None)


def highest(program: Program) -> int:
    """The largest number that is a value's name."""
    return max((int(value.name[1:]) for i in program for value in i.results if value.name.startswith("%")), default=0)

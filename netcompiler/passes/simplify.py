"""Local rewrites and dead code. What a rewrite turns an instruction into is written again through a builder,
which sees equal instructions as one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from netcompiler.builder import Builder
from netcompiler.plan import Instruction, Plan, Program, Value


def simplify(plan: Plan) -> Plan:
    return plan.with_programs(without_dead(rewritten(program, plan.dtype)) for program in plan.programs.values())


def without_dead(program: Program) -> Program:
    """The program without instructions whose results nobody reads."""
    needed = {value.name for value in (*program.outputs.values(), *program.successors.values())}
    kept: list[Instruction] = []
    forward = 0
    for position, instruction in reversed(list(enumerate(program.instructions))):
        if needed.intersection(value.name for value in instruction.results):
            needed.update(value.name for value in instruction.operands)
            kept.append(instruction)
            forward += position < program.forward
    if len(kept) == len(program.instructions):
        return program
    return replace(program, instructions=tuple(reversed(kept)), forward=forward)


Rewrite = Callable[[Builder, Instruction, Instruction | None], Value | None]


def _transpose_of_ones(b: Builder, i: Instruction, before: Instruction | None) -> Value | None:
    """A transpose that moves axes of size 1 only is a reshape."""
    if i.op != "transpose":
        return None
    moved = [axis for axis in i.attributes["order"] if i.operands[0].shape[axis] > 1]
    return b.reshape(i.operands[0], i.result.shape) if moved == sorted(moved) else None


def _reshape_of_reshape(b: Builder, i: Instruction, before: Instruction | None) -> Value | None:
    if i.op != "reshape" or before is None or before.op != "reshape":
        return None
    return b.reshape(before.operands[0], i.result.shape)


def _reshape_to_same(b: Builder, i: Instruction, before: Instruction | None) -> Value | None:
    return i.operands[0] if i.op == "reshape" and i.operands[0].shape == i.result.shape else None


REWRITES: Sequence[Rewrite] = (_reshape_to_same, _transpose_of_ones, _reshape_of_reshape)


def rewritten(program: Program, dtype: str) -> Program:
    b = Builder(dtype, taken=highest(program))
    names: dict[Value, Value] = {}
    by: dict[Value, Instruction] = {}
    forward, changed = 0, False
    for position, instruction in enumerate(program.instructions):
        forward = len(b.instructions) if position == program.forward else forward
        operands = tuple(names.get(value, value) for value in instruction.operands)
        current = instruction.having(operands=operands) if operands != instruction.operands else instruction
        b.origin = current.origin
        new = next((value for rewrite in REWRITES if (value := rewrite(b, current, by.get(operands[0]) if operands else None))), None)
        if new is not None:
            names[instruction.result] = new
            changed = True
        else:
            b.append(current)
        for written in b.instructions[len(by) and -1 :]:
            by.update(dict.fromkeys(written.results, written))
    if not changed:
        return program
    outputs = {name: names.get(value, value) for name, value in program.outputs.items()}
    successors = {name: names.get(value, value) for name, value in program.successors.items()}
    return Program(program.name, tuple(b.instructions), outputs, successors, forward)


def highest(program: Program) -> int:
    """The largest number that is a value's name."""
    return max((int(value.name[1:]) for i in program for value in i.results if value.name.startswith("%")), default=0)

"""The backward half: each instruction's own rule, last to first, from the loss to every parameter."""

from __future__ import annotations

from dataclasses import replace

from netcompiler.builder import Builder
from netcompiler.instructions.op import OPS
from netcompiler.passes.lower import TRAINING
from netcompiler.plan import Plan, Program, Value
from netcompiler.scalar import operand

GRADIENT = "gradient of "
"""What stands before a parameter's name among the outputs of a program."""


def differentiate(plan: Plan) -> Plan:
    wrt = [state.value for state in plan.states.values() if state.segment == "parameters"]
    halves = [_with_gradients(program, wrt, plan.dtype) for program in plan.programs.values() if program.name in TRAINING]
    lost = [value.name for value in wrt if halves and f"{GRADIENT}{value.name}" not in halves[0].outputs]
    facts = [f"{name} has no gradient: the loss does not depend on it" for name in lost]
    return replace(plan.with_programs(halves), facts=(*plan.facts, *facts))


def _with_gradients(program: Program, wrt: list[Value], dtype: str) -> Program:
    b = Builder(dtype, program.instructions)
    found = gradients(b, program, program.outputs["loss"], wrt)
    outputs = {f"{GRADIENT}{value.name}": found[value] for value in wrt if value in found}
    return Program(program.name, tuple(b.instructions), {**program.outputs, **outputs}, program.successors, len(program.instructions))


def gradients(b: Builder, program: Program, loss: Value, wrt: list[Value]) -> dict[Value, Value]:
    """The gradient of each value that the loss depends on; only what leads to `wrt` is followed."""
    active = _active(program, wrt)
    b.origin = "loss"
    found: dict[Value, Value] = {loss: b.constant(1.0, loss.shape)}
    for instruction in reversed(program.instructions):
        dy = [found.get(value) for value in instruction.results]
        if all(value is None for value in dy) or not active.intersection(instruction.operands):
            continue
        b.origin = instruction.origin
        for x, dx in zip(instruction.operands, OPS[instruction.op].derive(b, instruction, dy), strict=True):
            if dx is not None and x in active:
                found[x] = b.map(operand(0) + operand(1), found[x], dx) if x in found else dx
    return found


def _active(program: Program, wrt: list[Value]) -> set[Value]:
    """All values that depend on one of `wrt`."""
    active = set(wrt)
    for instruction in program:
        if active.intersection(instruction.operands):
            active.update(instruction.results)
    return active

"""The backward half: each instruction's own rule, last to first, from the loss to every parameter."""

from __future__ import annotations

from dataclasses import replace

from netcompiler.builder import Builder
from netcompiler.instructions.op import OPS
from netcompiler.passes.lower import TRAINING
from netcompiler.passes.precision import SCALE
from netcompiler.plan import Instruction, Plan, Program, Value
from netcompiler.scalar import operand

GRADIENT = "gradient of "
"""What stands before a parameter's name among the outputs of a program."""


def differentiate(plan: Plan) -> Plan:
    wrt = [state.value for state in plan.states.values() if state.segment == "parameters"]
    scale = plan.states[SCALE].value if SCALE in plan.states else None
    halves = [_with_gradients(program, wrt, plan.dtype, scale) for program in plan.programs.values() if program.name in TRAINING]
    lost = [value.name for value in wrt if halves and f"{GRADIENT}{value.name}" not in halves[0].outputs]
    facts = [f"{name} has no gradient: the loss does not depend on it" for name in lost]
    return replace(plan.with_programs(halves), facts=(*plan.facts, *facts))


def _with_gradients(program: Program, wrt: list[Value], dtype: str, scale: Value | None) -> Program:
    b = Builder(dtype, program.instructions)
    found = gradients(b, program, program.outputs["loss"], wrt, scale)
    outputs = {f"{GRADIENT}{value.name}": found[value] for value in wrt if value in found}
    return Program(program.name, tuple(b.instructions), {**program.outputs, **outputs}, program.successors, len(program.instructions))


def gradients(b: Builder, program: Program, loss: Value, wrt: list[Value], scale: Value | None = None) -> dict[Value, Value]:
    """The gradient of each value that the loss depends on, of the value's own type; only what leads to `wrt` is followed.

    With a `scale` all but those of `wrt` are so many times as large."""
    active = _active(program, wrt)
    whole = _Unscaled(b, program, wrt, scale)
    b.origin = "loss"
    found: dict[Value, Value] = {loss: b.map(operand(0), scale, shape=loss.shape) if scale else b.constant(1.0, loss.shape)}
    for instruction in reversed(program.instructions):
        dy = [found.get(value) for value in instruction.results]
        if any(value is not None for value in dy) and active.intersection(instruction.operands):
            b.origin = instruction.origin
            for x, dx in zip(instruction.operands, OPS[instruction.op].derive(b, instruction, dy), strict=True):
                if dx is not None and x in active:
                    dx = b.kept_as(dx, x.dtype)
                    found[x] = b.map(operand(0) + operand(1), found[x], dx, dtype=x.dtype) if x in found else dx
        whole.behind(instruction, found)
    return found


class _Unscaled:
    """Divides the gradients of `wrt` by the scale, each as soon as it is whole: behind its value's first reader."""

    def __init__(self, b: Builder, program: Program, wrt: list[Value], scale: Value | None) -> None:
        self.b, self.scale = b, scale
        waiting = set(wrt if scale else ())
        self.first = {x: i for i in reversed(program.instructions) for x in i.operands if x in waiting}

    def behind(self, instruction: Instruction, found: dict[Value, Value]) -> None:
        for x in dict.fromkeys(instruction.operands) if self.scale else ():
            if self.scale and x in found and self.first.get(x) is instruction:
                found[x] = self.b.map(operand(0) / operand(1), found[x], self.scale, shape=x.shape)


def _active(program: Program, wrt: list[Value]) -> set[Value]:
    """All values that depend on one of `wrt`."""
    active = set(wrt)
    for instruction in program:
        if active.intersection(instruction.operands):
            active.update(instruction.results)
    return active

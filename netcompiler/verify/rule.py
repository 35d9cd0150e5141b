"""What a rule is: a function that looks at a plan and yields what it finds wrong. Its docstring begins with its number."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

from netcompiler.plan import Instruction, Plan, Program

Faults: TypeAlias = Iterator[str]
Rule: TypeAlias = Callable[[Plan], Faults]

WIDE = ("f32", "f64")
STATIC = ("evaluate", "infer")
"""Programs that change nothing."""


class IllegalPlan(Exception):
    """A fault of the compiler, never of a spec."""


def at(program: Program, instruction: Instruction) -> str:
    return f"{program.name}: {', '.join(value.name for value in instruction.results)} = {instruction.op}"


def lines(plan: Plan) -> Iterator[tuple[Program, Instruction]]:
    """Every instruction of every program."""
    return ((program, instruction) for program in plan.programs.values() for instruction in program)


def deep_lines(plan: Plan) -> Iterator[tuple[Program, Instruction]]:
    """Every instruction, and those inside of bodies."""
    for program, instruction in lines(plan):
        yield program, instruction
        for inner in instruction.body:
            yield program, inner

"""A plan's steps on paper: its memory is addresses at which nothing lies. For who prints kernels, or looks at what reads what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from netcompiler.plan import Instruction, Plan, Program
from runtime.arrays import Array, bytes_at
from runtime.binding import views
from runtime.kernels import cuda
from runtime.kernels.cuda.steps import Launch, Step

BEGIN, GAP = 2**44, 2**20
"""Addresses that no program has, and what lies between two segments."""


class Part(NamedTuple):
    program: Program
    instruction: Instruction
    steps: list[Step]


def memory(plan: Plan) -> dict[str, Array]:
    found, at = {}, BEGIN
    for name, size in plan.segments.items():
        found[name] = bytes_at(at, size, None)
        at += size + GAP - size % GAP
    return found


def parts(plan: Plan, there: Mapping[str, Array], seed: int = 0) -> Iterator[Part]:
    """Each instruction of each program with the steps that run it."""
    for program in plan.programs.values():
        own = views(plan, program, there)
        yield from (Part(program, instruction, cuda.bound([instruction], own, seed)) for instruction in program)


def sources(plan: Plan) -> list[str]:
    """The texts of all kernels, each once."""
    every = (step.source for part in parts(plan, memory(plan)) for step in part.steps if isinstance(step, Launch))
    return list(dict.fromkeys(every))

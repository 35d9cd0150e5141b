"""Lanes: what the backward half does for weights alone runs beside the main lane, where the target has one for that.

A weight's gradient waits for all that stands before it; the main lane goes on, and waits for it before the next but one, so that
what both read is not kept for long. Nothing is moved: run one after the other, the program is the same.
"""

from __future__ import annotations

from dataclasses import replace

from netcompiler.plan import PRODUCTS, SIDE, Instruction, Plan, Program, Value
from netcompiler.targets import Target


def schedule(plan: Plan, target: Target) -> Plan:
    if SIDE not in target.lanes:
        return plan
    return plan.with_programs(_scheduled(program) for program in plan.programs.values() if program.forward)


def _scheduled(program: Program) -> Program:
    aside = _aside(program)
    lines: list[Instruction] = []
    waiting: list[Value] = []
    """What the side lane makes and the main lane has not waited for, oldest first."""
    due, before = 0, None
    for position, instruction in enumerate(program):
        if position in aside:
            lines.append(replace(instruction, lane=SIDE, after=(before,) if before else ()))
            waiting.append(instruction.result)
            due = len(waiting) - 1
            continue
        read = [number for number, value in enumerate(waiting, 1) if value in instruction.reads]
        due = max(due, *read, 0)
        lines.append(replace(instruction, after=(waiting[due - 1],)) if due else instruction)
        waiting, due = waiting[due:], 0
        before = instruction.result
    return replace(program, instructions=tuple(lines))


def _aside(program: Program) -> set[int]:
    """Products of the backward half that no other product depends on."""
    needed: set[Value] = set()
    found: set[int] = set()
    for position in range(len(program.instructions) - 1, program.forward - 1, -1):
        instruction = program.instructions[position]
        leads = not needed.isdisjoint(instruction.results)
        if instruction.core.op in PRODUCTS and not leads:
            found.add(position)
        if instruction.core.op in PRODUCTS or leads:
            needed.update(instruction.reads)
    return found

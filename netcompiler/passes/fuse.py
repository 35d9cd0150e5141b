"""Regions that cross memory once: maps into the map that alone reads them; reductions over the same values side by side;
the map behind a core (finish.py), and maps in front of it (gather.py).

A fused instruction contains what it replaces. What the backward half keeps stays a value; what several read does, too,
unless it is cheaper to compute it for each of them (absorb.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from netcompiler.passes.absorb import REDUCED, absorbed
from netcompiler.passes.finish import finished
from netcompiler.passes.gather import gathered
from netcompiler.passes.regions import composed, region
from netcompiler.passes.why import Why, because, silent
from netcompiler.plan import HALVES, Instruction, Plan, Program, Value
from netcompiler.scalar import nodes, operand, substitute
from netcompiler.targets import TARGETS, Target

MAX_NODES = 200
"""The largest expression that one map may grow to."""


def fuse(plan: Plan, why: Why = silent) -> Plan:
    target = TARGETS[plan.target]
    return plan.with_programs(_fused(program, plan, target, why) for program in plan.programs.values())


def _fused(program: Program, plan: Plan, target: Target, why: Why) -> Program:
    regions = merged(absorbed(reductions(maps(program, why)), plan.states, why))
    return gathered(finished(regions, target, why), target, why)


def maps(program: Program, why: Why) -> Program:
    """Each map that one other map reads is written into that one, unless it is kept for the backward half."""
    readers = program.readers
    made: dict[Value, tuple[int, Instruction]] = {}
    gone: set[Value] = set()
    order: list[Instruction] = []
    for position, instruction in enumerate(program.instructions):
        if instruction.op == "map":
            for value in instruction.operands:
                where, inner = made.get(value, (0, None))
                if inner is None or readers[value] > 1:
                    continue
                reason = "it is kept for the backward half" if where < program.forward <= position else _misfit(inner, instruction)
                if reason:
                    why(because(program, inner, f"is not written into {instruction.result.name}: {reason}"))
                else:
                    instruction = composed(inner, instruction)
                    gone.add(value)
            if len(instruction.results) == 1:
                made[instruction.result] = (position, instruction)
        order.append(instruction)
    if not gone:
        return program
    ahead = [i for i in order[: program.forward] if i.result not in gone]
    behind = [i for i in order[program.forward :] if i.result not in gone]
    return replace(program, instructions=(*ahead, *behind), forward=len(ahead))


def _misfit(inner: Instruction, outer: Instruction) -> str:
    """No work is repeated by broadcasting, nothing is stored in a whole number on the way, expressions stay small."""
    if inner.result.shape != outer.attributes["shape"]:
        return f"it would be computed again for each of {outer.attributes['shape']}"
    if inner.result.dtype not in ("f32", "f64", "b1", *HALVES):
        return f"it is stored as {inner.result.dtype}"
    size = sum(1 for e in (*inner.attributes["exprs"], *outer.attributes["exprs"]) for _ in nodes(e))
    return f"the expression would have {size} parts, and {MAX_NODES} are the most" if size > MAX_NODES else ""


def reductions(program: Program) -> Program:
    """Reductions over equal axes, with the maps that they alone read, become one instruction where they can stand together."""
    if not any(instruction.op in REDUCED for instruction in program):
        return program
    readers = program.readers
    made = {value: (position, i) for position, i in enumerate(program.instructions) for value in i.results}
    groups: dict[tuple[object, ...], list[int]] = {}
    for position, instruction in enumerate(program.instructions):
        if instruction.op in REDUCED:
            x = instruction.operands[0]
            key = (x.shape, instruction.attributes["axes"], position >= program.forward, _sources(made, readers, x))
            groups.setdefault(key, []).append(position)
    placed: dict[int, Instruction] = {}
    gone: set[int] = set()
    for members in groups.values():
        taken = [made[value][0] for m in members if readers[value := program.instructions[m].operands[0]] == 1 and _is_map(made, value)]
        together = _together(program, made, members) and (taken or len(members) > 1)
        if together and not (any(t < program.forward for t in taken) and members[0] >= program.forward):
            body = [program.instructions[position] for position in sorted({*taken, *members})]
            placed[members[0]] = region(
                body, [value for m in members for value in program.instructions[m].results], program.instructions[members[0]].origin
            )
            gone.update([*taken, *members])
    if not placed:
        return program
    written = [
        (position, placed.get(position, i)) for position, i in enumerate(program.instructions) if position in placed or position not in gone
    ]
    forward = sum(position < program.forward for position, _ in written)
    return replace(program, instructions=tuple(i for _, i in written), forward=forward)


def merged(program: Program) -> Program:
    """Neighbouring maps that read the same values into the same shape become one map with several results."""
    order: list[Instruction] = []
    forward = 0
    for position, instruction in enumerate(program.instructions):
        forward = len(order) if position == program.forward else forward
        before = order[-1] if order and position != program.forward else None
        if before and _alike(before, instruction):
            order[-1] = _beside(before, instruction)
        else:
            order.append(instruction)
    return program if len(order) == len(program.instructions) else replace(program, instructions=tuple(order), forward=forward)


def _alike(one: Instruction, other: Instruction) -> bool:
    if one.op != "map" or other.op != "map" or one.attributes["shape"] != other.attributes["shape"]:
        return False
    return set(other.operands) <= set(one.operands) or (
        set(one.operands) < set(other.operands) and not set(other.operands) & set(one.results)
    )


def _beside(one: Instruction, other: Instruction) -> Instruction:
    values = list(dict.fromkeys((*one.operands, *other.operands)))
    exprs = [
        substitute(expr, {i: operand(values.index(v)) for i, v in enumerate(instruction.operands)})
        for instruction in (one, other)
        for expr in instruction.attributes["exprs"]
    ]
    results = (*one.results, *other.results)
    return replace(one, results=results, operands=tuple(values), attributes={**one.attributes, "exprs": tuple(exprs)})


def _is_map(made: dict[Value, tuple[int, Instruction]], value: Value) -> bool:
    return value in made and made[value][1].op == "map"


def _sources(made: dict[Value, tuple[int, Instruction]], readers: Counter[Value], x: Value) -> Value:
    """The largest value that a reduction reads, through a map of its own: reductions of one source stand together."""
    if _is_map(made, x) and readers[x] == 1:
        return max(made[x][1].operands, key=lambda v: (v.elements, v.name), default=x)
    return x


def _together(program: Program, made: dict[Value, tuple[int, Instruction]], members: Sequence[int]) -> bool:
    """Whether everything that the later members read is there before the first."""
    first = members[0]
    for member in members[1:]:
        x = program.instructions[member].operands[0]
        inner = made[x][1].operands if _is_map(made, x) else (x,)
        for value in (*inner, *program.instructions[member].operands[1:]):
            if value in made and made[value][0] >= first:
                return False
    return True

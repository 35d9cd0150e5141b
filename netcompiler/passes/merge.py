"""Updates of many parameters become one: equal maps over members of parallel segments are a map over a run of the segments.

The flat instruction contains the maps. memory.py lays its members side by side, and gradients beside their parameters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import repeat

from netcompiler.plan import Instruction, Plan, Program, Value


def merge(plan: Plan) -> Plan:
    step = [program for name, program in plan.programs.items() if name in ("step", "update")]
    return plan.with_programs(_merged(program, plan) for program in step)


def _merged(program: Program, plan: Plan) -> Program:
    made = {value: position for position, i in enumerate(program.instructions) for value in i.results}
    by = {value: name for name, value in program.successors.items()}
    read = {value for instruction in program for value in instruction.operands}
    groups: dict[object, list[int]] = {}
    for position, instruction in enumerate(program.instructions):
        segments = [plan.states[by[value]].segment for value in instruction.results if value in by]
        whole = instruction.op == "map" and len(segments) == len(instruction.results) and instruction.result.elements > 1
        if whole and "parameters" in segments:
            groups.setdefault(_likeness(plan, program, made, instruction), []).append(position)
    flats: dict[int, Instruction] = {}
    gone: set[int] = set()
    for members in map(_apart, repeat(program), groups.values()):
        body = tuple(program.instructions[position] for position in members)
        if len(members) > 1 and read.isdisjoint(value for instruction in body for value in instruction.results):
            flats[members[-1]] = _flat(body)
            gone.update(members)
    if not flats:
        return program
    order = [flats.get(position, i) for position, i in enumerate(program.instructions) if position in flats or position not in gone]
    return replace(program, instructions=tuple(order))


def _apart(program: Program, members: Sequence[int]) -> list[int]:
    """Members that share nothing but single numbers: two biases of one sum have one gradient, which can lie beside one of them only."""
    taken: set[Value] = set()
    kept = []
    for position in members:
        own = {value for value in program.instructions[position].operands if value.elements > 1}
        if not own & taken:
            kept.append(position)
        taken |= own
    return kept


def _likeness(plan: Plan, program: Program, made: Mapping[Value, int], instruction: Instruction) -> object:
    """Equal for maps that differ in nothing but the member that they work on."""
    operands: list[object] = []
    for value in instruction.operands:
        if value.elements == 1:
            operands.append(_source(program, made, value))
        else:
            state = plan.states.get(value.name)
            own = (state.segment, state.value.name.partition(".")[0] if state.segment == "slots" else "") if state else ()
            operands.append((value.dtype, *own))
    return instruction.attributes["exprs"], tuple(operands), tuple(value.dtype for value in instruction.results)


def _source(program: Program, made: Mapping[Value, int], value: Value) -> Value:
    """A single number under its first name, whatever shapes it has been given since."""
    while value in made and program.instructions[made[value]].op == "reshape":
        value = program.instructions[made[value]].operands[0]
    return value


def _flat(body: tuple[Instruction, ...]) -> Instruction:
    results = tuple(value for instruction in body for value in instruction.results)
    operands = tuple(dict.fromkeys(value for instruction in body for value in instruction.operands))
    return Instruction(results, "flat", operands, {}, body, origin="update")

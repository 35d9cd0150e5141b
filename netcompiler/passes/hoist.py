"""What depends on state alone moves to `prepare`, which runs when state has changed outside: folded norms, turned weights."""

from __future__ import annotations

from dataclasses import replace

from netcompiler.plan import Instruction, Plan, Program, State, Value

LASTING = ("parameters", "statistics", "frozen", "average")
HOSTS = ("evaluate", "infer")


def hoist(plan: Plan) -> Plan:
    states = dict(plan.states)
    known = {state.value for state in states.values() if state.segment in LASTING}
    moved: dict[object, tuple[Instruction, tuple[Value, ...]]] = {}
    programs = []
    for program in plan.programs.values():
        programs.append(_hoisted(program, known, states, moved) if program.name in HOSTS else program)
    if not moved:
        return plan
    successors = {value.name: i.results[n] for i, values in moved.values() for n, value in enumerate(values)}
    prepare = Program("prepare", tuple(i for i, _ in moved.values()), {}, successors)
    named = {program.name: program for program in programs}
    return replace(plan, states=states, programs={**named, "prepare": prepare})


def _hoisted(
    program: Program, known: set[Value], states: dict[str, State], moved: dict[object, tuple[Instruction, tuple[Value, ...]]]
) -> Program:
    """The program without its lasting part; equal instructions of several programs are hoisted once."""
    names: dict[Value, Value] = {}
    inside: dict[Value, Value] = {}
    left: list[Instruction] = []
    for instruction in program:
        if instruction.operands and all(value in known or value in inside for value in instruction.operands):
            operands = tuple(inside.get(value, value) for value in instruction.operands)
            key = (instruction.op, operands, tuple(instruction.attributes.items()), len(instruction.body) and id(instruction))
            if key not in moved:
                results = tuple(
                    Value(f"%{sum(len(v) for _, v in moved.values()) + n + 1}", v.dtype, v.shape) for n, v in enumerate(instruction.results)
                )
                derived = tuple(Value(f"derived{value.name[1:]}", value.dtype, value.shape) for value in results)
                for value in derived:
                    states[value.name] = State(value, "derived", origin=instruction.origin)
                moved[key] = (replace(instruction, results=results, operands=operands), derived)
            hoisted, derived = moved[key]
            inside.update(zip(instruction.results, hoisted.results, strict=True))
            names.update(zip(instruction.results, derived, strict=True))
        else:
            operands = tuple(names.get(value, value) for value in instruction.operands)
            left.append(replace(instruction, operands=operands))
    return replace(program, instructions=tuple(left), outputs={name: names.get(value, value) for name, value in program.outputs.items()})

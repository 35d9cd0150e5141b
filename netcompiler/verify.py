"""What a legal plan is. verify() raises IllegalPlan with the first rule that a plan breaks; any stage's output can be checked."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from netcompiler.instructions.op import OPS
from netcompiler.plan import Home, Instruction, Plan, Program, Value, show_plan

STATIC = ("evaluate", "infer")
WIDE = ("f32", "f64")


class IllegalPlan(Exception):
    """A fault of the compiler, never of a spec."""


def verify(plan: Plan) -> None:
    for program in plan.programs.values():
        _defined(plan, program)
        _successors(plan, program)
        _order(program)
        for instruction in program:
            _typed(instruction)
            _body(instruction)
        if plan.homes:
            _apart(plan, program, plan.homes[program.name])
    _gradients(plan)
    _keys(plan)
    _wide(plan)
    if plan.homes:
        _segments(plan)
    if show_plan(plan) != show_plan(plan):
        raise IllegalPlan("two prints of one plan differ")


def _fault(program: Program, instruction: Instruction, rule: str) -> IllegalPlan:
    return IllegalPlan(f"{program.name}: {instruction.result} = {instruction.op}: {rule}")


def _defined(plan: Plan, program: Program) -> None:
    """1: defined once, before use. 16: nothing is there that nobody reads, nothing without origin."""
    known: dict[str, Value] = {name: state.value for name, state in plan.states.items()}
    read = {value.name for value in (*program.outputs.values(), *program.successors.values())}
    read |= {value.name for instruction in program for value in instruction.operands}
    for instruction in program:
        for value in instruction.operands:
            if known.get(value.name) != value:
                raise _fault(program, instruction, f"reads {value.name}, which is not there yet")
        for value in instruction.results:
            if value.name in known:
                raise _fault(program, instruction, f"{value.name} is defined twice")
            known[value.name] = value
        if not any(value.name in read for value in instruction.results):
            raise _fault(program, instruction, "nobody reads it")
    for name, value in (*program.outputs.items(), *program.successors.items()):
        if known.get(value.name) != value:
            raise IllegalPlan(f"{program.name}: {name} is {value.name}, which is not there")


def _typed(instruction: Instruction) -> None:
    """1: types and shapes are what the instruction's own rule says."""
    if instruction.op == "fused":
        return
    types = OPS[instruction.op].types(instruction.operands, instruction.attributes)
    if types != [(value.dtype, value.shape) for value in instruction.results]:
        raise IllegalPlan(f"{instruction.result} = {instruction.op} should be {types}")


def _successors(plan: Plan, program: Program) -> None:
    """2: a successor has its state's type, and what only reads names none."""
    if program.successors and program.name in STATIC:
        raise IllegalPlan(f"{program.name} changes state")
    for name, value in program.successors.items():
        state = plan.states[name].value
        if (value.dtype, value.shape) != (state.dtype, state.shape):
            raise IllegalPlan(f"{program.name}: {value} cannot succeed {state}")


def _order(program: Program) -> None:
    """The forward half stands before the backward half."""
    if not 0 <= program.forward <= len(program.instructions):
        raise IllegalPlan(f"{program.name}: {program.forward} forward instructions of {len(program.instructions)}")


def _gradients(plan: Plan) -> None:
    """4: no parameter outside the trainable ones is changed by a step."""
    step = plan.programs.get("step")
    for name in step.successors if step else ():
        if plan.states[name].segment in ("frozen", "inputs"):
            raise IllegalPlan(f"step changes {name}, which is {plan.states[name].segment}")


def _body(instruction: Instruction) -> None:
    """5: a body is a program of its own; nothing escapes but the results."""
    if instruction.op != "fused":
        return
    known = dict.fromkeys(instruction.operands)
    for inner in instruction.body:
        if any(value not in known for value in inner.operands):
            raise IllegalPlan(f"the body of {instruction.result} reads what it does not have")
        _typed(inner)
        known.update(dict.fromkeys(inner.results))
    if any(value not in known for value in instruction.results):
        raise IllegalPlan(f"the body of {instruction.result} does not make it")


def _wide(plan: Plan) -> None:
    """7: statistics and state are kept in 32 bits or more."""
    for name, state in plan.states.items():
        if state.segment in ("parameters", "statistics", "slots", "average") and state.value.dtype not in WIDE:
            raise IllegalPlan(f"{name} is kept as {state.value.dtype}")


def _keys(plan: Plan) -> None:
    """12: streams of random numbers are told apart by their keys, clones excepted."""
    for program in plan.programs.values():
        seen: dict[tuple[int, int], str] = {}
        for instruction in program:
            if instruction.op == "random" and seen.setdefault(instruction.attributes["key"], instruction.origin) != instruction.origin:
                raise _fault(program, instruction, "two nodes draw from one stream")


def _segments(plan: Plan) -> None:
    """10: homes of states are distinct and inside their segment."""
    by: dict[str, list[tuple[int, int, str]]] = {}
    for name, home in plan.homes[""].items():
        by.setdefault(home.segment, []).append((home.offset, home.offset + plan.states[name].value.bytes, name))
    for segment, spans in by.items():
        for (_, end, one), (begin, _, other) in pairwise(sorted(spans)):
            if begin < end:
                raise IllegalPlan(f"{one} and {other} overlap in {segment}")
        if max(end for _, end, _ in spans) > plan.segments[segment]:
            raise IllegalPlan(f"{segment} is smaller than what lies in it")


def _apart(plan: Plan, program: Program, homes: Mapping[str, Home]) -> None:
    """3 and 9: a sweep over bytes. When an instruction reads a value, the last write to each of its bytes was that value's.

    It knows nothing of lifetimes or roots: it replays the program on a map of who wrote which bytes."""
    written: dict[str, list[tuple[int, int, Value]]] = {}
    for state in plan.states.values():
        _write(written, plan.homes[""][state.value.name], state.value)
    for instruction in program:
        for value in instruction.operands:
            _check(written, homes.get(value.name) or plan.homes[""][value.name], value, program, instruction)
        for value in instruction.results:
            alias = instruction.operands[0] if OPS.get(instruction.op) and OPS[instruction.op].view else None
            home = homes[value.name]
            if alias is None or home != (homes.get(alias.name) or plan.homes[""].get(alias.name)):
                _write(written, home, value)
            else:
                _rename(written, home, value)
    for name, value in program.outputs.items():
        _check(written, homes.get(value.name) or plan.homes[""][value.name], value, program, None, name)
    for name, value in program.successors.items():
        _check(written, homes.get(value.name) or plan.homes[""][value.name], value, program, None, name)


def _write(written: dict[str, list[tuple[int, int, Value]]], home: Home, value: Value) -> None:
    begin, end = home.offset, home.offset + value.bytes
    spans = [span for span in written.get(home.segment, []) if span[1] <= begin or end <= span[0]]
    written[home.segment] = [*spans, (begin, end, value)]


def _rename(written: dict[str, list[tuple[int, int, Value]]], home: Home, value: Value) -> None:
    """A view: the same bytes answer to one name more."""
    written[home.segment].append((home.offset, home.offset + value.bytes, value))


def _check(
    written: dict[str, list[tuple[int, int, Value]]], home: Home, value: Value, program: Program, reader: Instruction | None, name: str = ""
) -> None:
    if (home.offset, home.offset + value.bytes, value) not in written.get(home.segment, []):
        who = f"{reader.result.name} = {reader.op}" if reader else name
        raise IllegalPlan(f"{program.name}: {who} reads {value.name}, whose bytes have been written over")

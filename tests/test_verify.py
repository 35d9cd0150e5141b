"""The verifier: a legal plan, broken in every way that a rule forbids, one row a break."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from netcompiler.compilation import Job, stages
from netcompiler.loading import load
from netcompiler.passes.hoist import hoist
from netcompiler.plan import Home, Instruction, Plan, Program, Value
from netcompiler.scalar import operand
from netcompiler.verify import RULES, IllegalPlan, faults, verify

SPEC = """\
netc: 1
name: everything
input: [4, 8, 8]
layers:
  - {name: conv1, conv: {filters: 8, kernel: 3, padding: same, bias: false}}
  - batch_norm
  - relu
  - dropout: 0.25
  - branch:
      join: concat
      paths:
        a: [conv: {filters: 8, kernel: 1}]
        b: [conv: {filters: 4, kernel: 3, padding: same}, relu]
  - max_pool: 2
  - flatten
  - dropout: 0.5
  - {name: fc, linear: 5}
loss: cross_entropy
train: {optimizer: {adam: 0.001}, batch: 4}
"""


@cache
def plan_after(stage: str = "memory") -> Plan:
    loaded = load("-", stdin_text=SPEC)
    assert not loaded.errors, loaded.errors
    assert loaded.graph
    return dict(stages(Job(loaded.graph, loaded.recipe, "train", 4, "numpy", "f32")))[stage]


Break = Callable[[Plan], Plan]


def test_the_plan_is_legal() -> None:
    for stage in ("simplify", "differentiate", "fuse", "memory"):
        verify(plan_after(stage))


def test_the_rules_are_numbered_from_1_to_16() -> None:
    numbers = [int(number) for rule in RULES for number in (rule.__doc__ or "").partition(":")[0].split(",")]
    assert set(numbers) == set(range(1, 17))


# ways to change a plan


def in_program(name: str, change: Callable[[Program], Program]) -> Break:
    return lambda plan: replace(plan, programs={**plan.programs, name: change(plan.programs[name])})


def first(program: Program, op: str, number: int = 0) -> int:
    """The position of an instruction by what it does."""
    return [position for position, i in enumerate(program) if i.op == op][number]


def at(name: str, op: str, change: Callable[[Instruction], Instruction], number: int = 0) -> Break:
    def changed(program: Program) -> Program:
        position = first(program, op, number)
        lines = list(program.instructions)
        lines[position] = change(lines[position])
        return replace(program, instructions=tuple(lines))

    return in_program(name, changed)


def append(name: str, instruction: Callable[[Program], Instruction], output: bool = True) -> Break:
    def changed(program: Program) -> Program:
        new = instruction(program)
        outputs = {**program.outputs, "more": new.result} if output else program.outputs
        return replace(program, instructions=(*program.instructions, new), outputs=outputs)

    return in_program(name, changed)


def state(name: str, **changes: Any) -> Break:
    return lambda plan: replace(plan, states={**plan.states, name: replace(plan.states[name], **changes)})


def home(program: str, find: Callable[[Plan], str], change: Callable[[Plan, Home], Home]) -> Break:
    def changed(plan: Plan) -> Plan:
        name = find(plan)
        homes = {**plan.homes[program], name: change(plan, plan.homes[program][name])}
        return replace(plan, homes={**plan.homes, program: homes})

    return changed


def result(program: str, op: str, number: int = 0) -> Callable[[Plan], str]:
    def name(plan: Plan) -> str:
        instructions = plan.programs[program].instructions
        return instructions[first(plan.programs[program], op, number)].result.name

    return name


def flat_reversed(program: Program) -> Program:
    position = first(program, "flat")
    flat = program.instructions[position]
    turned = replace(flat, body=flat.body[::-1])
    return replace(program, instructions=(*program.instructions[:position], turned, *program.instructions[position + 1 :]))


def swapped(program: Program) -> Program:
    """The first instruction behind the second, which reads it."""
    one, other, *rest = program.instructions
    return replace(program, instructions=(other, one, *rest))


def body_of(change: Callable[[tuple[Instruction, ...]], tuple[Instruction, ...]]) -> Break:
    return at("step", "fused", lambda i: replace(i, body=change(i.body)))


def copy_of(value: Value, name: str = "%9999", origin: str = "here") -> Instruction:
    attributes = {"exprs": (operand(0),), "shape": value.shape, "dtype": value.dtype}
    return Instruction((Value(name, value.dtype, value.shape),), "map", (value,), attributes, origin=origin)


def two_ranks(plan: Plan) -> Plan:
    for ranks in (2, 4):
        plan = append("infer", lambda program, ranks=ranks: reduced(program, ranks))(plan)
    return plan


def reduced(program: Program, ranks: int) -> Instruction:
    x = next(iter(program.outputs.values()))
    return Instruction((Value(f"%{9000 + ranks}", x.dtype, x.shape),), "all_reduce", (x,), {"op": "sum", "ranks": ranks}, origin="here")


def same_keys(plan: Plan) -> Plan:
    step = plan.programs["step"]
    key = step.instructions[first(step, "random")].attributes["key"]
    return at("step", "random", lambda i: replace(i, attributes={**i.attributes, "key": key}), -1)(plan)


HALF = Value("%9998", "f16", (4, 1))
WEIGHT = "conv1.weight"


def reading_late(plan: Plan) -> Plan:
    """A weight is read when its successor lies at its address already."""
    weight = plan.states[WEIGHT].value
    late = append("step", lambda program: copy_of(weight))(plan)
    return home_of(late, "step", "%9999", Home("arena", plan.segments["arena"]))


def home_of(plan: Plan, program: str, name: str, where: Home) -> Plan:
    return replace(plan, homes={**plan.homes, program: {**plan.homes[program], name: where}}, segments={**plan.segments, "arena": 10**6})


def without_gradient(program: Program) -> Program:
    return replace(program, outputs={name: value for name, value in program.outputs.items() if name != f"gradient of {WEIGHT}"})


def two_cores(plan: Plan) -> Plan:
    step = plan.programs["step"]
    core = step.instructions[first(step, "conv")]
    other = replace(core, results=(core.result._replace(name="%9997"),))
    fused = replace(core, op="fused", attributes={}, body=(core, other), results=(core.result, other.result))
    return at("step", "conv", lambda i: fused)(plan)


def halved(plan: Plan) -> Plan:
    weight = plan.states[WEIGHT].value._replace(dtype="f16")
    return state(WEIGHT, value=weight)(plan)


def summed_in_half(plan: Plan) -> Plan:
    return at("step", "sum", lambda i: replace(i, results=(i.result._replace(dtype="f16"),)))(plan)


def homeless(plan: Plan) -> Plan:
    lost = result("step", "conv")(plan)
    return replace(plan, homes={**plan.homes, "step": {name: home for name, home in plan.homes["step"].items() if name != lost}})


def conv_in_place(plan: Plan) -> Plan:
    """The gradient of a convolution lies where the gradient of its result lies."""
    step = plan.programs["step"]
    back = step.instructions[first(step, "conv_dx")]
    return home("step", lambda plan: back.result.name, lambda plan, home: plan.homes["step"][back.operands[0].name])(plan)


def shifted_slot(plan: Plan) -> Plan:
    slot = "slot1.fc.bias"
    plan = replace(plan, segments={**plan.segments, "slots": plan.segments["slots"] + 1024})
    return home("", lambda plan: slot, lambda plan, home: replace(home, offset=home.offset + 256))(plan)


def stale(plan: Plan) -> Plan:
    plan = prepared(plan)
    return append("step", lambda program: copy_of(plan.states["derived0"].value))(plan)


def prepared_from_slots(plan: Plan) -> Plan:
    return append("prepare", lambda program: copy_of(plan.states[f"slot0.{WEIGHT}"].value))(prepared(plan))


def prepared(plan: Plan) -> Plan:
    """With a program that prepares, which only plans for inference have."""
    return replace(hoist(replace(plan, mode="infer")), mode=plan.mode)


def succeeding(name: str) -> Callable[[Program], Program]:
    """The program with one of its values as the successor of a state."""

    def changed(program: Program) -> Program:
        value = next(iter(program.outputs.values())) if program.outputs else program.instructions[0].result
        return replace(program, successors={**program.successors, name: value})

    return changed


def moved(program: str, op: str, change: Callable[[Plan, Home], Home], number: int = 0) -> Break:
    return home(program, result(program, op, number), change)


ROWS: list[tuple[int, str, str, Break]] = [
    (1, "simplify", "not there", in_program("step", swapped)),
    (1, "simplify", "is defined already", in_program("step", lambda p: replace(p, instructions=(*p.instructions, p.instructions[0])))),
    (1, "simplify", "should be", at("step", "conv", lambda i: replace(i, results=(i.result._replace(dtype="i32"),)))),
    (1, "simplify", "no such instruction", at("step", "conv", lambda i: replace(i, op="convolve"))),
    (1, "simplify", "channels", at("step", "conv", lambda i: replace(i, attributes={**i.attributes, "groups": 3}))),
    (1, "simplify", "loss is", in_program("step", lambda p: replace(p, outputs={"loss": HALF}))),
    (1, "keep", "forward instructions", in_program("step", lambda p: replace(p, forward=10_000))),
    (2, "memory", "cannot succeed", in_program("step", succeeding("tick"))),
    (2, "memory", "infer changes state", in_program("infer", succeeding("tick"))),
    (2, "memory", "no state", in_program("step", succeeding("nobody"))),
    (2, "optimise", "is frozen", state(WEIGHT, segment="frozen")),
    (3, "memory", "reads conv1.weight, whose bytes have been written over", reading_late),
    (4, "optimise", "conv1.weight has no gradient", in_program("gradients", without_gradient)),
    (4, "optimise", "is no parameter", state(WEIGHT, segment="statistics")),
    (5, "fuse", "does not have", body_of(lambda body: body[1:])),
    (5, "fuse", "does not make", body_of(lambda body: body[:-1])),
    (5, "fuse", "only fused", at("step", "conv", lambda i: replace(i, body=(i,)))),
    (5, "fuse", "several cores", two_cores),
    (5, "fuse", "twice", body_of(lambda body: (*body, body[-1]))),
    (5, "fuse", "does not read", at("step", "fused", lambda i: replace(i, operands=(*i.operands, HALF)))),
    (6, "select", "does not offer", at("step", "conv", lambda i: replace(i, kernel="winograd"))),
    (6, "select", "workspace", at("step", "conv", lambda i: replace(i, workspace=64))),
    (6, "simplify", "without a kernel", at("step", "conv", lambda i: replace(i, algorithm="direct"))),
    (7, "simplify", "is kept as f16", halved),
    (7, "simplify", "sums in f16", summed_in_half),
    (8, "memory", "is outside", moved("step", "conv", lambda plan, home: replace(home, offset=plan.segments["arena"]))),
    (8, "memory", "not aligned", moved("step", "conv", lambda plan, home: replace(home, offset=home.offset + 4))),
    (8, "memory", "too short", moved("step", "conv", lambda plan, home: replace(home, pitch=2))),
    (8, "memory", "lies nowhere", homeless),
    (9, "memory", "written over", moved("step", "conv", lambda plan, home: plan.homes["step"][result("step", "conv")(plan)], 1)),
    (9, "memory", "which it reads", conv_in_place),
    (10, "memory", "overlap in parameters", home("", lambda plan: "fc.weight", lambda plan, home: plan.homes[""][WEIGHT])),
    (10, "memory", "no multiple of 64", home("", lambda plan: "fc.bias", lambda plan, home: replace(home, offset=home.offset + 16))),
    (10, "memory", "not as far", shifted_slot),
    (10, "memory", "does not follow", in_program("step", flat_reversed)),
    (11, "select", "on lane", at("step", "moments", lambda i: replace(i, lane="side"))),
    (12, "simplify", "draws from the stream", same_keys),
    (13, "select", "which is slots", prepared_from_slots),
    (13, "select", "may be stale", stale),
    (13, "select", "prepare writes conv1.weight", lambda plan: in_program("prepare", succeeding(WEIGHT))(prepared(plan))),
    (14, "simplify", "ranks", two_ranks),
    (
        15,
        "memory",
        "live at once",
        lambda plan: replace(plan, segments={**plan.segments, "arena": plan.segments["arena"] + 4096}, facts=()),
    ),
    (16, "simplify", "nobody reads it", append("infer", lambda p: copy_of(p.outputs["output"]), output=False)),
    (16, "simplify", "come from", at("step", "conv", lambda i: replace(i, origin=""))),
    (16, "simplify", "no fixed order", at("step", "conv", lambda i: replace(i, attributes={**i.attributes, "tags": {1, 2}}))),
]


@pytest.mark.parametrize(("rule", "stage", "words", "broken"), ROWS, ids=[f"{rule} {words}" for rule, _, words, _ in ROWS])
def test_a_broken_plan_is_refused(rule: int, stage: str, words: str, broken: Break) -> None:
    plan = broken(plan_after(stage))
    with pytest.raises(IllegalPlan):
        verify(plan)
    found = next((fault for fault in faults(plan) if words in fault), "")
    numbers = found.removeprefix("rule ").partition(":")[0].split(", ")
    assert str(rule) in numbers, found


def test_every_rule_is_broken_by_a_row() -> None:
    assert {rule for rule, _, _, _ in ROWS} == set(range(1, 17))

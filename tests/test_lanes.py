"""Gradients of weights on a lane of their own: the same numbers however late it runs, and nothing written over meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import small

from netcompiler.compilation import compile
from netcompiler.listing import show_plan
from netcompiler.plan import MAIN, PRODUCTS, SIDE, Instruction, Plan
from netcompiler.targets import TARGETS
from netcompiler.verify import faults, verify
from runtime.binding import Binding
from runtime.session import Session

PLANS = Path(__file__).parent / "plans"
NETS = {name: str(PLANS / f"{name}.yaml") for name in ("residual", "inception", "dense", "signal")}


@pytest.fixture(autouse=True)
def two_lanes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TARGETS, "numpy", replace(TARGETS["numpy"], lanes=(MAIN, SIDE)))


def made(spec: str) -> Plan:
    plan = compile(spec, "train", 4, "numpy", "float64")
    verify(plan)
    return plan


@pytest.mark.parametrize("name", NETS)
def test_gradients_of_weights_run_beside_those_that_others_wait_for(name: str) -> None:
    for program in made(NETS[name]).programs.values():
        aside = [i for i in program if i.lane == SIDE]
        behind = [i for i in program.instructions[program.forward :] if i.core.op in PRODUCTS] if program.forward else []
        assert bool(aside) == bool(program.forward)
        assert {i.core.op for i in aside} <= {"conv_dw", "matmul"}
        assert all(i in aside for i in behind if i.core.op == "conv_dw")
        assert all(i.after for i in aside)


class Late(Binding):
    """Puts off what another lane does until somebody waits for it, or the program ends."""

    def bound(self, instructions: Any, views: Any) -> list[Callable[[], None]]:
        calls: list[Callable[[], None]] = []
        waiting: list[Instruction] = []
        for instruction in instructions:
            if instruction.lane == SIDE:
                waiting.append(instruction)
                continue
            names = [value.name for value in instruction.after]
            due = max((at for at, each in enumerate(waiting, 1) if each.result.name in names), default=0)
            for each in (*waiting[:due], instruction):
                calls += super().bound([each], views)
            waiting = waiting[due:]
        for each in waiting:
            calls += super().bound([each], views)
        return calls


@pytest.mark.parametrize("name", NETS)
def test_it_may_be_as_late_as_the_plan_allows(name: str) -> None:
    plan = made(NETS[name])
    shape = plan.states["in.input"].value.shape
    x, y = small.pictures(4, (shape[-1], *shape[1:-1])), small.labels(4, next(iter(plan.classes.values())))
    prompt, late = Session(plan), Session(plan)
    late.binding.__class__ = Late
    for _ in range(2):
        assert late.step(x, y) == prompt.step(x, y)
        small.same(late.gradients(x, y)[1], prompt.gradients(x, y)[1], 0)
    small.same(late.state(), prompt.state(), 0)


def test_one_lane_gives_the_same_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    both = made(NETS["residual"])
    monkeypatch.setitem(TARGETS, "numpy", replace(TARGETS["numpy"], lanes=(MAIN,)))
    one = made(NETS["residual"])
    assert not any(i.after or i.lane == SIDE for program in one.programs.values() for i in program)
    x, y = small.pictures(4, (4, 8, 8)), small.labels(4, 5)
    small.same(Session(both).gradients(x, y)[1], Session(one).gradients(x, y)[1], 0)
    assert both.segments["arena"] < 1.6 * one.segments["arena"]


def broken(change: Callable[[Instruction], Instruction], lane: str) -> list[str]:
    """What is wrong when the instructions of a lane that wait are changed."""
    plan = made(NETS["residual"])
    step = plan.programs["step"]
    instructions = tuple(change(i) if i.after and i.lane == lane else i for i in step)
    return list(faults(replace(plan, programs={**plan.programs, "step": replace(step, instructions=instructions)})))


@pytest.mark.parametrize(("lane", "words"), [(MAIN, "may be at work on"), (SIDE, "and main writes it"), (MAIN, "and side writes it")])
def test_lanes_that_do_not_wait_are_found(lane: str, words: str) -> None:
    found = broken(lambda i: replace(i, after=()), lane)
    assert any(fault.startswith(("rule 11", "rule 9, 11")) and words in fault for fault in found), found[:3]


def test_who_waits_for_itself_is_found() -> None:
    found = broken(lambda i: replace(i, after=i.results), SIDE)
    assert any("waits for" in fault for fault in found)


def test_the_plan_says_who_waits_for_whom() -> None:
    assert "lane=side after=%" in show_plan(made(NETS["residual"]))

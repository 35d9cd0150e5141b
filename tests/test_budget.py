"""train.memory: more is computed again, the numbers stay, and what cannot fit is said before anything runs."""

from __future__ import annotations

import numpy as np
import pytest

import netcompiler
import runtime
from netcompiler.diagnostics import SpecError
from netcompiler.plan import Plan


def plan_of(memory: str | None) -> Plan:
    extra = {"train.memory": memory} if memory else {}
    return netcompiler.compile("resnet-cifar:20", batch=16, dtype="float64", settings={"train.augment": "[]", **extra})


def size(plan: Plan) -> int:
    return sum(plan.segments.values())


@pytest.fixture(scope="module")
def whole() -> Plan:
    return plan_of(None)


@pytest.mark.parametrize("share", [0.97, 0.9])
def test_a_smaller_plan_gives_the_same_numbers(whole: Plan, share: float) -> None:
    small = plan_of(f"{size(whole) * share / 1e6:.3f}MB")
    assert size(small) <= size(whole) * share + 1000
    assert [fact for fact in small.facts if fact.startswith("memory ") and "more arithmetic" in fact]
    draw = np.random.default_rng(0)
    pictures, labels = draw.normal(size=(16, 3, 32, 32)), draw.integers(0, 10, 16)
    sessions = [runtime.open(plan, seed=1) for plan in (whole, small)]
    for _ in range(2):
        one, other = (session.step(pictures, labels) for session in sessions)
        assert one == pytest.approx(other, rel=1e-12)


def test_a_budget_that_is_large_enough_changes_nothing(whole: Plan) -> None:
    assert plan_of("4GB").segments == whole.segments


def test_what_cannot_fit_is_refused_with_what_it_takes() -> None:
    with pytest.raises(SpecError) as error:
        plan_of("1MB")
    [found] = error.value.diagnostics
    assert found.code == "memory"
    assert "training at batch 16 takes" in found.message
    assert "smaller batch" in found.help

"""Activations behind a max pool instead of in front of it: which go there, that nothing else changes, and what it saves."""

from __future__ import annotations

from typing import Any

import pytest
import small

from netcompiler import compilation
from netcompiler.compilation import compile
from netcompiler.passes import commute
from netcompiler.plan import Plan
from runtime.session import Session

CONV = "\n  - {name: conv, conv: {filters: 4, kernel: 3, padding: 1}}\n"
END = "  - flatten\n  - {name: fc, linear: 5}\n"

ROWS: list[tuple[str, str, bool]] = [
    ("relu", "max_pool: 2", True),
    ("relu", "max_pool: {kernel: 3, stride: 1, padding: 1}", True),
    ("relu", "max_pool: {kernel: 3, stride: 2, rounding: ceil}", True),
    ("relu6", "max_pool: 3", True),
    ("tanh", "max_pool: 2", True),
    ("map: 1.7159 * tanh(2 / 3 * x)", "max_pool: 2", True),
    ("sigmoid", "max_pool: 2", False),
    ("map: -2 * x", "max_pool: 2", False),
    ("gelu", "max_pool: 2", False),
    ("relu", "mean_pool: 2", False),
]


def wide(plan: Plan) -> int:
    """How large what is computed in front of the pool is, compared with what is behind: the maps of one operand."""
    return sum(1 for i in plan.programs["gradients"] if i.op == "window_max" and i.operands[0].name in _products(plan))


def _products(plan: Plan) -> set[str]:
    """What convolutions give, with the bias."""
    lines = plan.programs["gradients"].instructions
    own = {i.result.name for i in lines if i.op == "conv"}
    return own | {i.result.name for i in lines if i.op == "map" and i.operands[0].name in own and i.attributes["exprs"][0].op == "add"}


@pytest.mark.parametrize(("activation", "pool", "goes"), ROWS, ids=[f"{a}, {b}" for a, b, _ in ROWS])
def test_what_rises_goes_behind_the_pool_and_nothing_changes(
    activation: str, pool: str, goes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = small.text(f"{CONV}  - {activation}\n  - {pool}\n{END}")
    behind = Session(small.planned(spec))
    monkeypatch.setattr(compilation, "commute", lambda plan: plan)
    before = Session(small.planned(spec))
    assert wide(before.plan) == 0
    assert wide(behind.plan) == goes
    x, y = small.pictures(4), small.labels(4)
    (loss, gradients), (expected, others) = (session.gradients(x, y) for session in (behind, before))
    assert loss == pytest.approx(expected, rel=1e-14)
    small.same(gradients, others, 1e-13)


def test_what_others_read_stays_in_front() -> None:
    join = "  - branch: {join: concat, paths: {one: [max_pool: 2], two: [mean_pool: 2]}}\n"
    assert wide(small.planned(small.text(f"{CONV}  - relu\n{join}{END}"))) == 0


@pytest.mark.parametrize(("net", "share"), [("lenet", 0.6), ("vgg:A", 0.5), ("alexnet:2014", 0.75)])
def test_the_backward_half_keeps_less(net: str, share: float, monkeypatch: pytest.MonkeyPatch) -> None:
    def arena() -> Any:
        return compile(net, "train", 8, "numpy").segments["arena"]

    behind = arena()
    monkeypatch.setattr(compilation, "commute", lambda plan: plan)
    assert behind < share * arena()


def test_inference_is_as_it_was() -> None:
    plan = compile("lenet", "infer", 2, "numpy")
    assert commute.commute(plan) is plan

"""Losses, optimizers and metrics: their rules against JAX and NumPy, and what a recipe may ask of a step."""

from __future__ import annotations

import json
from typing import Any

import jax
import jax_net
import numpy as np
import pytest
import small

from netcompiler.compilation import compile
from netcompiler.diagnostics import SpecError
from runtime.session import Session

X, Y = small.pictures(4), small.labels(4)
MAPS = "\n  - {name: conv, conv: {filters: 3, kernel: 3}}\n"
NUMBERS = small.pictures(4, (5,), seed=3)

LOSSES: list[tuple[str, str, Any]] = [
    ("cross_entropy", small.NORMED, Y),
    ("{cross_entropy: {smoothing: 0.1}}", small.NORMED, Y),
    ("{cross_entropy: {class_weights: [1, 2, 0, 0.5, 3]}}", small.NORMED, Y),
    ("{cross_entropy: {smoothing: 0.2, class_weights: [1, 2, 0, 0.5, 3]}}", small.NORMED, Y),
    ("cross_entropy", MAPS, np.random.default_rng(2).integers(0, 3, (4, 4, 4))),
    ("hinge", small.NORMED, Y),
    ("{hinge: {margin: 0.3}}", MAPS, np.random.default_rng(2).integers(0, 3, (4, 4, 4))),
    ("binary_cross_entropy", small.NORMED, 1 / (1 + np.exp(-NUMBERS))),
    ("{binary_cross_entropy: {positive_weight: 3}}", MAPS, np.random.default_rng(2).integers(0, 2, (4, 3, 4, 4))),
    ("l2", small.NORMED, NUMBERS),
    ("l1", MAPS, small.pictures(4, (3, 4, 4), 5)),
    ("huber", small.NORMED, NUMBERS),
    ("{huber: {delta: 0.2}}", MAPS, small.pictures(4, (3, 4, 4), 5)),
]


def expected(spec: str, session: Session, x: Any, targets: Any) -> tuple[float, dict[str, Any]]:
    graph, _ = small.read(spec)
    weights = session.parameters()
    rest = {name: weights.pop(name) for name in list(weights) if "running" in name}
    given = targets if isinstance(targets, dict) else {"output": targets}
    loss, gradients = jax.value_and_grad(lambda w: jax_net.loss(graph, {**w, **rest}, {"input": x}, given, {}))(weights)
    return float(loss), {name: np.asarray(g) for name, g in gradients.items()}


def agrees(spec: str, targets: Any) -> None:
    session = Session(small.planned(spec))
    loss, gradients = session.gradients(X, targets)
    wanted, others = expected(spec, session, X, targets)
    assert loss == pytest.approx(wanted, rel=1e-12)
    small.same(gradients, others, 1e-10)


@pytest.mark.parametrize(("loss", "layers", "target"), LOSSES, ids=[f"{row[0]} {row[2].shape}" for row in LOSSES])
def test_loss(loss: str, layers: str, target: Any) -> None:
    agrees(small.text(layers, loss), target)


def test_shares_do_not_suit_every_loss() -> None:
    spec = small.text(small.NORMED, "hinge", "optimizer: {sgd: 0.1}, augment: [mixup: 0.2]")
    with pytest.raises(SpecError, match="hinge takes the number of a class, and mixup mixes classes"):
        small.planned(spec)


@pytest.mark.parametrize("score", [1000.0, -1000.0])
@pytest.mark.parametrize("loss", ["cross_entropy", "binary_cross_entropy"])
def test_losses_of_large_scores_are_finite(loss: str, score: float) -> None:
    session = Session(small.planned(small.text("\n  - {name: fc, linear: 2}\n", loss, shape="[2]")))
    session.load({"fc.weight": np.eye(2) * score})
    target = np.array([1]) if loss == "cross_entropy" else np.array([[0.0, 1.0]])
    value, gradients = session.gradients(np.array([[1.0, 0.0]]), target)
    assert value == pytest.approx(max(score, 0) + (np.log(2) if loss != "cross_entropy" else 0))
    assert np.isfinite(gradients["fc.weight"]).all()


HEADS = """netc: 1
name: heads
input: [2, 6, 6]
layers: [{name: conv, conv: {filters: 3, kernel: 3}}, flatten]
outputs:
  kind: {linear: 5, loss: cross_entropy}
  box: {linear: 4, loss: l2, weight: 0.3}
  aux: {linear: 5, loss: cross_entropy, weight: 0.1, only: train}
train: {optimizer: {sgd: 0.1}}
"""


def test_several_outputs() -> None:
    """Losses are added by weight; what only training needs is in no figure of inference."""
    targets = {"kind": Y, "box": NUMBERS[:, :4], "aux": Y}
    agrees(HEADS, targets)
    session = Session(small.planned(HEADS))
    figures = session.evaluate(X, {"kind": Y, "box": NUMBERS[:, :4]})
    assert set(figures) == {"loss", "kind.top1", "box.mae"}
    assert set(session.run(X)) == {"kind", "box"}
    kind, box = session.run(X)["kind"], session.run(X)["box"]
    chosen = np.take_along_axis(jax.nn.log_softmax(kind), Y[:, None], 1)
    assert figures["loss"] == pytest.approx(-np.mean(chosen) + 0.3 * 0.5 * np.mean(np.sum((box - targets["box"]) ** 2, 1)))


RULES: list[dict[str, Any]] = [
    {"sgd": {"rate": 0.1, "weight_decay": 0.1}},
    {"sgd": {"rate": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1, "decay_norms_and_biases": True}},
    {"adam": {"rate": 0.01, "weight_decay": 0.1}},
    {"adam": {"rate": 0.01, "beta1": 0, "beta2": 0.9}},
    {"adamw": {"rate": 0.01, "weight_decay": 0.3}},
    {"rmsprop": {"rate": 0.01}},
    {"rmsprop": {"rate": 0.01, "momentum": 0.9, "weight_decay": 0.1}},
    {"rmsprop": {"rate": 0.01, "centered": True, "alpha": 0.8}},
    {"rmsprop": {"rate": 0.01, "momentum": 0.5, "centered": True}},
    {"adagrad": {"rate": 0.05, "weight_decay": 0.1}},
    {"adagrad": {"rate": 0.05, "rate_decay": 0.3, "initial": 0.1}},
]
RECIPES = ["", ", clip: 0.2", ", layers: {fc: {rate: 10, decay: 0.5}, conv: {decay: 0}, bn: {rate: 0.1}}"]


@pytest.mark.parametrize("extra", RECIPES, ids=["plain", "clipped", "by layer"])
@pytest.mark.parametrize("rule", RULES, ids=json.dumps)
def test_optimizer(rule: dict[str, Any], extra: str) -> None:
    """Ten steps with the same gradients on both sides: the rule alone."""
    spec = small.text(small.NORMED.replace("padding: 1}", "padding: 1, bias: false}"), train=f"optimizer: {json.dumps(rule)}{extra}")
    session = Session(small.planned(spec))
    training = jax_net.Training(*small.read(spec), session.parameters())
    for step in range(10):
        x, y = small.pictures(4, seed=step), small.labels(4, seed=step)
        _, gradients = session.gradients(x, y)
        session.step(x, y)
        training.step(gradients)
    found = session.parameters()
    small.same({name: found[name] for name in training.memory}, {name: training.weights[name] for name in training.memory}, 1e-9)


@pytest.mark.parametrize("rows", [12, 11, 5])
@pytest.mark.parametrize("rule", ["{adam: {rate: 0.01, epsilon: 1e-4}}", "{sgd: {rate: 0.1, momentum: 0.9}}"])
def test_accumulation_is_a_larger_batch(rule: str, rows: int) -> None:
    layers = small.NORMED.replace("  - {name: bn, batch_norm}\n", "  - dropout: 0.3\n")
    parts = Session(small.planned(small.text(layers, train=f"optimizer: {rule}, accumulate: 3, clip: 0.5"), 4))
    whole = Session(small.planned(small.text(layers, train=f"optimizer: {rule}, clip: 0.5"), 12))
    for step in range(3):
        x, y = small.pictures(rows, seed=step), small.labels(rows, seed=step)
        small.same(parts.step(x, y), whole.step(x, y), 1e-10)
        parts.gradients(x[:4], y[:4])  # measuring between steps leaves the sums alone
    small.same(parts.parameters(), whole.parameters(), 1e-9)


def test_the_plan_of_a_part() -> None:
    assert compile("lenet", batch=10, target="numpy", settings={"train.accumulate": 4}).batch == 3


def test_frozen_layers_stay() -> None:
    spec = small.text(small.NORMED, train="optimizer: {adam: 0.01}, layers: {conv: {freeze: true}, bn: {freeze: true}}")
    plan = small.planned(spec)
    assert {state.segment for name, state in plan.states.items() if name in ("conv.weight", "conv.bias", "bn.weight")} == {"frozen"}
    assert not [i for program in plan.programs.values() for i in program if "conv_dw" in (i.op, *(inner.op for inner in i.body))]
    session = Session(plan)
    before = session.parameters()
    loss, gradients = session.gradients(X, Y)
    assert set(gradients) == {"fc.weight", "fc.bias"}
    assert loss == pytest.approx(session.evaluate(X, Y)["loss"], rel=1e-12)  # a frozen norm reads its averages
    session.step(X, Y)
    after = session.parameters()
    assert {name for name in before if not np.array_equal(before[name], after[name])} == {"fc.weight", "fc.bias"}


def test_averages() -> None:
    """The average follows the weights, is what evaluate and run read, and starts anew with loaded weights."""
    session = Session(small.planned(small.text(small.NORMED, train="optimizer: {sgd: 0.5}, ema: 0.8")))
    plain = Session(small.planned(small.text(small.NORMED, train="optimizer: {sgd: 0.5}")))
    average = session.parameters()
    for _ in range(3):
        session.step(X, Y)
        weights = session.parameters()
        average = {name: 0.8 * average[name] + 0.2 * weights[name] if "running" not in name else weights[name] for name in weights}
    small.same(session.parameters(average=True), average)
    plain.load(average)
    small.same(session.evaluate(X, Y), plain.evaluate(X, Y))
    session.load(plain.parameters())
    small.same(session.parameters(average=True), session.parameters(), 0)


@pytest.mark.parametrize("extra", ["", ", ema: 0.9", ", accumulate: 2"])
def test_a_step_that_is_not_finite_changes_nothing(extra: str) -> None:
    """Not even the count of steps: noise and the optimizer's corrections are as if it had not been."""
    layers = small.NORMED.replace("  - {name: bn, batch_norm}\n", "")
    session = Session(small.planned(small.text(layers, train=f"optimizer: {{adam: 0.01}}{extra}"), 2 if "accumulate" in extra else 4))
    session.step(X, Y)
    lasting = [name for name, state in session.plan.states.items() if state.segment not in ("inputs", "derived")]
    session.load({"fc.bias": np.array([1e308, -1e308, 0, 0, 0])})
    before = {name: session.arrays[name].copy() for name in lasting}
    assert not np.isfinite(session.step(X * 1e300, Y)["norm2"])
    assert [name for name in lasting if not np.array_equal(before[name], session.arrays[name])] == []


@pytest.mark.parametrize("bad", [0, 2, 5], ids=["first", "middle", "last"])
@pytest.mark.parametrize("target", ["numpy", "cpu"])
def test_no_part_of_a_step_that_is_not_finite_changes_statistics(target: str, bad: int) -> None:
    """Whichever part it is; the step behind it is as if it had not been."""
    spec = small.text("\n  - map: log(x)" + small.NORMED, train="optimizer: {adam: 0.01}, accumulate: 3")
    one, other = (Session(small.planned(spec, 2, "f32", target=target)) for _ in range(2))
    x, y = np.exp(small.pictures(6)).astype(np.float32), small.labels(6)
    for session in (one, other):
        session.step(x, y)
    wrong = x.copy()
    wrong[bad] = -1
    before = one.state()
    assert not np.isfinite([*one.step(wrong, y).values()]).all()
    small.same(one.state(), before, 0)
    for session in (one, other):
        session.step(x[::-1], y)
    small.same(one.state(), other.state(), 0)


def test_statistics_of_parts_follow_one_another() -> None:
    """running = 0.9 running + 0.1 of each part, one part after the other."""
    session = Session(small.planned(small.text(small.NORMED, train="optimizer: {sgd: 0.1}, accumulate: 3"), 2))
    weights, x = session.parameters(), small.pictures(6)
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1))), (3, 3), (2, 3))
    y = np.einsum("nchwij,kcij->nkhw", windows, weights["conv.weight"]) + weights["conv.bias"][:, None, None]
    expected = np.zeros(4)
    for part in (y[:2], y[2:4], y[4:]):
        expected = 0.9 * expected + 0.1 * part.mean((0, 2, 3))
    session.step(x, small.labels(6))
    np.testing.assert_allclose(session.parameters()["bn.running_mean"], expected, atol=1e-12)


def test_metrics_of_classes() -> None:
    spec = small.text(small.NORMED.replace("linear: 5", "linear: 9"), train="optimizer: {sgd: 0.1}")
    session = Session(small.planned(spec))
    labels = small.labels(4, 9)
    ranks = np.argsort(-session.run(X), 1)
    found = session.evaluate(X, labels)
    assert found["top1"] == np.mean(ranks[:, 0] == labels)
    assert found["top5"] == np.mean((ranks[:, :5] == labels[:, None]).any(1))


METRICS = [("l2", "", {"mae"}), ("l2", ", metrics: [rmse, mae]", {"rmse", "mae"}), ("cross_entropy", ", metrics: [top5]", {"top5"})]
METRICS += [("cross_entropy", ", schedule: {plateau: {factor: 0.1, patience: 1, watch: mean_iou}}", {"top1", "mean_iou"})]


@pytest.mark.parametrize(("loss", "extra", "names"), METRICS)
def test_the_recipe_says_what_is_measured(loss: str, extra: str, names: set[str]) -> None:
    plan = small.planned(small.text(small.NORMED, loss, f"optimizer: {{sgd: 0.1}}{extra}"))
    assert set(plan.programs["evaluate"].outputs) == {"loss", *names}


def test_metrics_of_numbers() -> None:
    spec = small.text(small.NORMED, "binary_cross_entropy", "optimizer: {sgd: 0.1}, metrics: [mae, rmse]")
    session = Session(small.planned(spec))
    target = np.random.default_rng(0).integers(0, 2, (3, 5))
    off = 1 / (1 + np.exp(-session.run(X[:3]))) - target
    found = session.evaluate(X[:3], target)
    assert found["mae"] == pytest.approx(np.mean(np.abs(off)))
    assert found["rmse"] == pytest.approx(np.sqrt(np.mean(off**2)))


def test_mean_iou() -> None:
    """Over the classes that occur, in the valid rows alone."""
    session = Session(small.planned(small.text(MAPS, train="optimizer: {sgd: 0.1}, metrics: [mean_iou, top1]")))
    target = np.random.default_rng(0).integers(0, 2, (3, 4, 4))
    called = session.run(X[:3]).argmax(1)
    shares = [np.sum((called == k) & (target == k)) / np.sum((called == k) | (target == k)) for k in range(3) if k in called or k in target]
    found = session.evaluate(X[:3], target)
    assert found["mean_iou"] == pytest.approx(np.mean(shares))
    assert found["top1"] == pytest.approx(np.mean(called == target))

"""Laws of plans: any legal net compiles, is legal after every stage, has the gradient that differences show, and gives the same
numbers whichever of the optional stages is left out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import runtime
from netcompiler import load
from netcompiler.compilation import STAGES, Job, stages
from netcompiler.passes.lower import lower
from netcompiler.plan import Plan
from netcompiler.verify import verify

ROWS = 3
OPTIONAL = ("fold", "keep", "fuse", "merge", "hoist")
STEPS, NEAR = (1e-6, 1e-7, 1e-5), 1e-6
"""Where a corner of a relu lies between the two sides of a difference, a nearer one shows the slope."""

Item = Any
Draw = Any


def some(count: int) -> settings:
    return settings(max_examples=count, deadline=None, derandomize=True)


# nets


@st.composite
def specs(draw: Draw) -> str:
    """A net of a few layers over a small input with one to three sides."""
    sides = draw(st.lists(st.integers(3, 6), min_size=1, max_size=3))
    items = draw(st.lists(layers(len(sides)), min_size=1, max_size=5))
    channels = draw(st.integers(1, 4))
    loss = draw(st.sampled_from(["cross_entropy", {"cross_entropy": {"smoothing": 0.1}}, "hinge"]))
    optimizer = draw(st.sampled_from([{"sgd": {"rate": 0.1, "momentum": 0.9, "weight_decay": 0.01}}, {"adam": 0.01}]))
    tail = [draw(st.sampled_from(["flatten", "global_mean_pool"])), {"linear": 3}]
    net = {"netc": 1, "name": "any", "input": [channels, *sides], "layers": [*items, *tail], "loss": loss}
    return json.dumps({**net, "train": {"optimizer": optimizer, "batch": ROWS}})


def layers(rank: int, depth: int = 1) -> st.SearchStrategy[Item]:
    plain = [convolutions(), st.sampled_from(NORMS), st.sampled_from(ACTIVATIONS), pools()]
    if depth:
        inner = st.lists(layers(rank, depth - 1), min_size=1, max_size=3)
        plain += [residuals(), branches(inner), dense()]
    return st.one_of(*plain)


ACTIVATIONS = ["relu", "tanh", "sigmoid", "gelu", "silu", "elu", {"leaky_relu": 0.1}, {"map": "x * tanh(softplus(x))"}, "scale"]
NORMS = ["batch_norm", "layer_norm", {"group_norm": {"groups": 1}}, {"lrn": {"size": 3, "alpha": 0.1, "beta": 0.75, "k": 1}}]


@st.composite
def convolutions(draw: Draw) -> Item:
    padding = draw(st.sampled_from([0, 1, 2, "same", "full"]))
    options = {"filters": 4, "kernel": draw(st.integers(1, 3)), "padding": padding}
    options |= draw(st.sampled_from([{}, {"stride": 2}, {"dilation": 2}, {"bias": False}, {"groups": 2}, {"stride": 3, "bias": False}]))
    return {draw(st.sampled_from(["conv", "conv", "conv_transpose"])): options}


@st.composite
def pools(draw: Draw) -> Item:
    kind = draw(st.sampled_from(["max_pool", "mean_pool", "lp_pool"]))
    options = {"kernel": draw(st.integers(1, 3)), "stride": draw(st.integers(1, 2)), "rounding": draw(st.sampled_from(["floor", "ceil"]))}
    return {kind: {**options, "p": 2} if kind == "lp_pool" else options}


@st.composite
def residuals(draw: Draw) -> Item:
    """What is added has the shape of what came in, and 1x1 filters give it the channels."""
    norm, activation = draw(st.sampled_from(NORMS)), draw(st.sampled_from(ACTIVATIONS))
    body = [{"conv": {"filters": 4, "kernel": 3, "padding": "same", "bias": False}}, norm, activation]
    return {"residual": {"body": body, "shortcut": [{"conv": {"filters": 4, "kernel": 1}}]}}


def branches(inner: st.SearchStrategy[list[Item]]) -> st.SearchStrategy[Item]:
    same = [{"conv": {"filters": 2, "kernel": 3, "padding": "same"}}, "relu"]
    return st.builds(lambda path: {"branch": {"join": "concat", "paths": {"a": same, "b": path}}}, inner)


@st.composite
def dense(draw: Draw) -> Item:
    step = [draw(st.sampled_from(NORMS)), "relu", {"conv": {"filters": 2, "kernel": 3, "padding": "same", "bias": False}}]
    return {"dense": {"times": draw(st.integers(1, 3)), "layers": step}}


# laws


def job(spec: str) -> Job:
    """Nets that the language refuses, a window larger than what it looks at above all, are drawn again."""
    loaded = load("-", stdin_text=spec)
    assume(not loaded.errors)
    assert loaded.graph
    return Job(loaded.graph, loaded.recipe, "train", ROWS, "numpy", "f64")


def without(left_out: Sequence[str], job: Job) -> Plan:
    plan = lower(job.graph, job.recipe, job.mode, job.batch, job.target, job.dtype)
    for name, stage in STAGES:
        if name not in left_out:
            plan = stage(plan, job)
    verify(plan)
    return plan


def batch(plan: Plan) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    rng = np.random.default_rng(7)
    n, *sides, c = plan.states["in.input"].value.shape
    return rng.normal(size=(n, c, *sides)), rng.integers(0, 3, n)


@some(150)
@given(specs())
def test_every_stage_is_legal_and_the_gradient_is_what_differences_show(spec: str) -> None:
    *_, (_, plan) = stages(job(spec), checked=True)
    session, (x, y) = runtime.open(plan), batch(plan)
    rng = np.random.default_rng(1)
    weights = {name: array + 0.1 * rng.random(array.shape) for name, array in session.parameters().items()}  # zeros are corners of a relu
    session.load(weights)
    loss, gradient = session.gradients(x, y)
    direction = {name: rng.normal(size=array.shape) for name, array in gradient.items()}
    slope = sum(float(np.sum(gradient[name] * direction[name])) for name in direction)
    length = sum(float(np.sum(np.abs(gradient[name] * direction[name]))) for name in direction)

    def apart(step: float) -> float:
        losses = []
        for sign in (1, -1):
            session.load({name: weights[name] + sign * step * direction[name] for name in direction})
            losses.append(session.gradients(x, y)[0])
        return abs((losses[0] - losses[1]) / (2 * step) - slope)

    assert np.isfinite(loss)
    assert any(apart(step) <= NEAR * max(1, length) for step in STEPS), spec


@some(60)
@given(specs())
def test_optional_stages_change_no_number(spec: str) -> None:
    work = job(spec)
    ours = numbers(without((), work))
    for left_out in (*[(name,) for name in OPTIONAL], OPTIONAL):
        theirs = numbers(without(left_out, work))
        assert ours.keys() == theirs.keys()
        for name, array in ours.items():
            scale = max(1e-6, float(np.max(np.abs(array))))
            assert np.max(np.abs(array - theirs[name])) <= 1e-9 * scale, (left_out, name, spec)


def numbers(plan: Plan) -> dict[str, np.ndarray[Any, Any]]:
    """All that people see of a net: outputs, gradients, and weights and figures after steps."""
    session, (x, y) = runtime.open(plan, poison=True), batch(plan)
    found = {"outputs": session.run(x), **session.gradients(x, y)[1]}
    for _ in range(2):
        found |= {name: np.asarray(value) for name, value in session.step(x[:2], y[:2]).items()}
    found |= {f"new {name}": array for name, array in session.parameters().items()}
    return {**found, "loss later": np.asarray(session.evaluate(x, y)["loss"])}

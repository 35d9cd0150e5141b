"""Forward and gradients of every layer and every instruction: against JAX in float64, and against central differences."""

from __future__ import annotations

import math
import zlib
from typing import Any

import jax
import jax.numpy as jnp
import jax_layers
import numpy as np
import pytest
from cases import CASES, Case

from netcompiler.compilation import Job, stages
from netcompiler.layers import KINDS
from netcompiler.load import load
from runtime.session import Session

Array = Any
Numbers = dict[str, Array]


def opened(spec: str, rows: int) -> Session:
    """A session in float64, after every stage, each looked at by the verifier."""
    loaded = load("-", stdin_text=spec)
    assert loaded.graph, [d.message for d in loaded.errors]
    assert not loaded.errors, [d.message for d in loaded.errors]
    *_, (_, plan) = stages(Job(loaded.graph, loaded.recipe, "train", rows, "numpy", "f64"), checked=True)
    return Session(plan)


def fill(session: Session, case: Case, rng: np.random.Generator) -> Numbers:
    """Every learned number and statistic by chance; what feeds special inputs passes them on as they are."""
    learned = {name for name, state in ((s.parameter, s) for s in session.plan.states.values()) if state.segment == "parameters"}
    start = session.parameters()
    values = {name: 0.7 * rng.normal(size=start[name].shape) for name in sorted(learned)}
    values |= {name: rng.uniform(0.5, 2, start[name].shape) for name in sorted(start) if "running" in name}
    if not case.smooth:
        values |= {"front.weight": np.ones_like(start["front.weight"]), "front.bias": np.zeros_like(start["front.bias"])}
    if "layer.inhibitory.weight" in values:
        values["layer.inhibitory.weight"] = np.abs(values["layer.inhibitory.weight"])
    session.load(values)
    return session.parameters()


def inputs(case: Case, rng: np.random.Generator) -> Array:
    shape = (case.rows, math.prod(case.shape))
    if case.numbers == "zeros":
        return np.zeros(shape)
    return rng.normal(size=shape) if case.smooth else rng.integers(-1, 3, shape).astype(float)


def expected(case: Case, parameters: Numbers, x: Array, target: Array) -> tuple[Array, Array, Numbers]:
    """By JAX: what inference gives, and the loss in training with its gradients."""

    def forward(p: Numbers, training: bool) -> Array:
        a = (x * p["front.weight"] + p["front.bias"]).reshape(-1, *case.shape)
        return jax_layers.net(case.items, p, a, training)

    def loss(p: Numbers) -> Array:
        return 0.5 * jnp.sum((forward(p, True) - target) ** 2) / case.rows

    @jax.jit
    def everything(p: Numbers) -> Any:
        return forward(p, False), *jax.value_and_grad(loss)(p)

    return everything({name: jnp.array(value) for name, value in parameters.items()})


def close(found: Array, wanted: Array, error: float, what: str) -> None:
    """Relative to the largest number of the tensor."""
    wanted = np.asarray(wanted)
    assert found.shape == wanted.shape, what
    worst = np.max(np.abs(found - wanted), initial=0)
    assert worst <= error * max(np.max(np.abs(wanted), initial=0), 1e-3), f"{what}: off by {worst}"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_layer(case: Case) -> None:
    rng = np.random.default_rng(zlib.crc32(case.title.encode()))
    session = opened(case.spec(), case.rows)
    parameters = fill(session, case, rng)
    x = inputs(case, rng)
    y = session.run(x)
    target = rng.normal(size=y.shape)
    loss, gradients = session.gradients(x, target)
    output, wanted_loss, wanted = expected(case, parameters, x, target)
    close(y, output, 1e-9, "output")
    close(np.array(loss), wanted_loss, 1e-9, "loss")
    for name, gradient in gradients.items():
        close(gradient, wanted[name], 1e-9, f"gradient of {name}")
    if case.smooth:
        for name, gradient in gradients.items():
            along(session, x, target, name, parameters[name], gradient, rng)


STEP = 1e-5


def along(session: Session, x: Array, target: Array, name: str, at: Array, gradient: Array, rng: np.random.Generator) -> None:
    """The slope in a random direction through all numbers of a parameter."""
    direction = rng.normal(size=at.shape)
    direction /= np.linalg.norm(direction)
    ends = []
    for step in (STEP, -STEP):
        session.load({name: at + step * direction})
        ends.append(session.gradients(x, target)[0])
    session.load({name: at})
    slope = (ends[0] - ends[1]) / (2 * STEP)
    assert abs(slope - np.sum(gradient * direction)) < 1e-6 * max(np.linalg.norm(gradient), 1e-2), f"{name}: {slope}"


def test_every_layer_has_a_case() -> None:
    used = {kind for case in CASES for item in case.items for kind in item if kind != "name"}
    assert used == set(KINDS)

"""Forward and gradients of every layer and every instruction: against JAX in float64, and against central differences."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from functools import reduce
from itertools import product
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import jax_layers
import numpy as np
import pytest
from cases import CASES, Case
from interpreter import computed

from netcompiler.builder import Builder
from netcompiler.compilation import Job, stages
from netcompiler.instructions import OPS
from netcompiler.instructions.op import Shape
from netcompiler.layers import KINDS
from netcompiler.loading import load
from netcompiler.passes.differentiate import gradients
from netcompiler.plan import Axis, Program, Value
from netcompiler.scalar import (
    Expr,
    absolute,
    add,
    cast,
    compare,
    exp,
    index,
    log,
    logical,
    make,
    maximum,
    minimum,
    operand,
    power,
    rsqrt,
    select,
    sqrt,
    unary,
    wrap,
)
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
    loss, slopes = session.gradients(x, target)
    output, wanted_loss, wanted = expected(case, parameters, x, target)
    close(y, output, 1e-9, "output")
    close(np.array(loss), wanted_loss, 1e-9, "loss")
    for name, gradient in slopes.items():
        close(gradient, wanted[name], 1e-9, f"gradient of {name}")
    if case.smooth:
        for name, gradient in slopes.items():
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


# instructions


class Rule(NamedTuple):
    """An instruction over operands of these shapes."""

    title: str
    op: str
    shapes: tuple[Shape, ...]
    attributes: dict[str, Any]
    whole: tuple[Array, ...] = ()
    """What follows the operands and is no float: rows that count."""


def rule(op: str, /, *shapes: Shape, title: str = "", whole: tuple[Array, ...] = (), **attributes: Any) -> Rule:
    return Rule(f"{op} {title}".strip(), op, shapes, attributes, whole)


def expressions() -> Iterator[Rule]:
    """Every operation of the scalar language, and the corners of its rules."""
    x, y = operand(0), operand(1)
    positive = x * x + 0.5
    rows: dict[str, Expr] = {
        "arithmetic": (x + y) * (x - y) / positive - (-x),
        "powers": power(x, wrap(2)) + power(x, wrap(3)) + power(x, wrap(4)) + power(x, wrap(-1)) * positive + power(x, wrap(0)),
        "roots": power(positive, wrap(0.5)) + power(positive, wrap(-0.5)) + power(positive, wrap(1.7)) + power(positive, y),
        "a number to the power": power(wrap(1.5), x),
        "sqrt and rsqrt": sqrt(positive) * rsqrt(positive + 1) + rsqrt(positive),
        "exp and log": exp(x) + log(positive) + unary("expm1", x) + unary("log1p", positive),
        "squashing": unary("tanh", x) + unary("sigmoid", y) + unary("softplus", x) + unary("erf", y),
        "waves": unary("sin", x) * unary("cos", y),
        "extremes": maximum(x, y) * 2 + minimum(x, y) + maximum(x, wrap(0.3)) + minimum(wrap(0.2), x) + minimum(x, wrap(-0.1)),
        "choice": select(compare("lt", x, y), x * x, y) + absolute(x - 0.1),
        "choice by truths": select(logical("and", compare("gt", x, wrap(0)), logical("not", compare("ge", y, x))), x * y, 2 * x),
        "its own result": exp(x * y),
        "position": x * index(0) + y * index(1),
        "stored": cast(x * y, "f64"),
        "what is not finite": select(make("isfinite", x), x, y),
        "without slope": make("floor", x) * y,
    }
    for title, expr in rows.items():
        yield rule("map", (2, 3), (2, 3), title=title, exprs=(expr,), shape=(2, 3), dtype="f64")
    yield rule("map", (3,), (2, 1), title="broadcast", exprs=(x * y + x,), shape=(4, 2, 3), dtype="f64")
    yield rule("map", (2, 3), (3,), title="of two results", exprs=(x * y, exp(x) + y), shape=(2, 3), dtype="f64")


KERNEL = (Axis(3, 2, 1, -1), Axis(2, 1, 1, 0, 2))
TURN = np.array([[[0, -1, 0], [1, 0, 1]], [[1, 0, 0], [0, 1, -1]]])
"""A quarter turn and a shift, and a shift alone."""

RULES = [
    *expressions(),
    rule("sum", (3, 4, 2), axes=(0, 2)),
    rule("max", (3, 4), axes=(1,)),
    rule("max", (2, 3, 4, 2), axes=(3, 1), title="over several axes"),
    rule("moments", (3, 4, 2), axes=(0, 1)),
    rule("moments", (4, 2, 3), axes=(2,), title="of rows"),
    rule("moments", (4, 3, 2), axes=(0, 1), title="of the rows that count", whole=(np.array(3, np.int32),)),
    rule("logsumexp", (3, 4), axis=1),
    *(
        rule("matmul", (2, 3)[:: -1 if ta else 1], (3, 4)[:: -1 if tb else 1], title=f"{ta:d}{tb:d}", ta=ta, tb=tb)
        for ta, tb in product((False, True), repeat=2)
    ),
    rule("matmul", (4, 1, 2, 3), (5, 4, 3), title="broadcast", ta=False, tb=True),
    rule("matmul", (3, 2), (2, 1, 3, 4), title="one matrix, many", ta=True, tb=False),
    rule("conv", (2, 8, 6, 4), (6, 3, 2, 2), window=KERNEL, groups=2),
    rule("conv_dx", (2, 3, 5, 6), (6, 3, 2, 2), window=KERNEL, groups=2, size=(8, 6)),
    rule("conv_dw", (2, 8, 6, 4), (2, 3, 5, 6), window=KERNEL, groups=2),
    rule("patches", (2, 8, 6, 3), window=KERNEL),
    rule("unpatch", (2, 3, 5, 6, 2), window=KERNEL, size=(8, 6)),
    rule("window_sum", (2, 8, 6, 3), window=KERNEL, axes=(1, 2)),
    rule("window_sum", (2, 5), window=(Axis(3, 1, 1, 1),), axes=(1,), title="over channels"),
    rule("window_spread", (2, 3, 5, 3), window=KERNEL, axes=(1, 2), size=(8, 6)),
    rule("window_max", (2, 8, 6, 3), window=KERNEL),
    rule("reshape", (2, 6), shape=(3, 4)),
    rule("transpose", (2, 3, 4), order=(2, 0, 1)),
    rule("slice", (7, 5), begin=(1, 0), end=(6, 4), step=(3, 2)),
    rule("pad", (3, 2), low=(1, -1), high=(2, 0), interior=(2, 0)),
    rule("pad", (5, 3), low=(-1, 0), high=(-2, 1), interior=(1, 0), title="that cuts between neighbours"),
    rule("concat", (2, 3), (2, 1), axis=1),
    rule("gather", (4, 2), table=(3, -1, 0, 0), axis=0),
    rule("scatter", (2, 4), table=(1, -1, 1, 0), axis=1, size=3),
    rule("all_reduce", (2, 3), op="sum", ranks=1),
    rule("resample", (2, 3, 4, 2), whole=(TURN,), size=(4, 3), filter="bilinear", border="zero"),
    rule("resample", (2, 3, 4, 2), whole=(TURN,), size=(2, 5), filter="nearest", border="edge"),
    rule("resample_dx", (2, 4, 3, 2), whole=(TURN,), size=(3, 4), filter="bilinear", border="zero"),
]

UNDERIVED = {"argmax", "take", "window_route", "random", "constant", "pack"}
"""Whole numbers, places, and what reads no float that is learned."""


@pytest.mark.parametrize("case", RULES, ids=lambda case: case.title)
def test_derivative(case: Rule) -> None:
    rng = np.random.default_rng(zlib.crc32(case.title.encode()))
    b = Builder("f64")
    values = [Value(f"x{n}", "f64", shape) for n, shape in enumerate(case.shapes)]
    others = [Value(f"i{n}", "i32", number.shape) for n, number in enumerate(case.whole)]
    results = [y for y in b.emit_all(case.op, *values, *others, **case.attributes) if y.dtype == "f64"]
    weights = [Value(f"w{n}", "f64", y.shape) for n, y in enumerate(results)]
    parts = [b.sum_to(operand(0) * operand(1), [y, w], y.shape, ()) for y, w in zip(results, weights, strict=True)]
    loss = b.map(reduce(add, map(operand, range(len(parts)))), *parts)
    forward = Program("case", tuple(b.instructions), {"loss": loss})
    found = gradients(b, forward, loss, values)

    numbers = {value.name: rng.normal(size=value.shape) for value in (*values, *weights)}
    numbers |= {value.name: number for value, number in zip(others, case.whole, strict=True)}
    there = computed(b.instructions, numbers)
    for x in values:
        slopes = np.zeros(x.shape)
        for place in np.ndindex(x.shape):
            ends = []
            for step in (STEP, -STEP):
                moved = numbers[x.name].copy()
                moved[place] += step
                ends.append(computed(forward.instructions, {**numbers, x.name: moved})[loss.name])
            slopes[place] = (ends[0] - ends[1]) / (2 * STEP)
        slope = there[found[x].name] if x in found else np.zeros(x.shape)
        close(slope, slopes, 1e-6, f"gradient of operand {x.name}")


def test_every_instruction_has_a_derivative_or_none() -> None:
    assert {case.op for case in RULES} | UNDERIVED == set(OPS)

"""Plans that keep numbers in 16 bits: what is kept how, and that they train as those in 32 bits do, on both targets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import small

from netcompiler.compilation import compile
from netcompiler.plan import HALVES, MATH, PRODUCTS, Plan
from netcompiler.targets import TARGETS
from netcompiler.verify import verify
from runtime import arrays
from runtime.session import Session

PLANS = Path(__file__).parent / "plans"
SPECS: dict[str, tuple[str, tuple[int, ...], int]] = {
    "lenet": ("lenet", (1, 32, 32), 10),
    "residual": (str(PLANS / "residual.yaml"), (4, 8, 8), 5),
}
TYPES = {"bf16": "bf16", "fp16": "f16"}


def made(spec: str, precision: str, mode: str = "train", target: str = "numpy", dtype: str = "float32", **more: Any) -> Plan:
    plan = compile(spec, mode, 8, target, dtype, {"train.precision": precision, **more})
    verify(plan)
    return plan


def batch(shape: tuple[int, ...], classes: int) -> tuple[Any, Any]:
    return small.pictures(8, shape), small.labels(8, classes)


def apart(found: Any, expected: Any) -> float:
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


def passes(plan: Plan) -> list[str]:
    """What reads or writes a value of the size of the first layer's output; products aside."""
    large = 8 * 8 * 8 * 8
    lines = plan.programs["gradients"].instructions
    return [i.op for i in lines if i.op not in PRODUCTS and any(value.elements >= large for value in (*i.results, *i.operands))]


# numbers


@pytest.mark.parametrize(("name", "jaxs"), [("bf16", jnp.bfloat16), ("f16", jnp.float16)])
def test_what_is_kept_is_what_jax_keeps(name: str, jaxs: Any) -> None:
    bits = np.random.default_rng(0).integers(0, 2**32, 20_000, np.uint64).astype(np.uint32)
    x = np.concatenate([bits.view(np.float32), np.float32([0, -0.0, np.inf, -np.inf, 1 + 2**-8, 65_520, 3.4e38, 1e-45])])
    kept = np.empty(x.shape, arrays.dtype_of(name))
    arrays.write(kept, x)
    assert arrays.name_of(kept) == name
    np.testing.assert_array_equal(arrays.numbers(kept), np.asarray(jnp.asarray(x).astype(jaxs).astype(jnp.float32)))


# what is kept how


@pytest.mark.parametrize("precision", TYPES)
@pytest.mark.parametrize("name", SPECS)
def test_products_and_what_flows_between_layers_have_16_bits_and_nothing_else(name: str, precision: str) -> None:
    half, plan = TYPES[precision], made(SPECS[name][0], precision)
    inner = [i for program in plan.programs.values() for line in program for i in (line.body or (line,))]
    products = [i for i in inner if i.op in PRODUCTS]
    assert products
    assert {value.dtype for i in products for value in (*i.results, *i.operands)} == {half}
    assert not {state.value.dtype for state in plan.states.values()} & set(HALVES)
    assert {value.dtype for program in plan.programs.values() for value in program.outputs.values()} == {"f32"}
    sums = [value for i in inner if i.op in ("sum", "moments", "logsumexp", "window_sum") for value in i.results]
    assert {value.dtype for value in sums} == {"f32"}


@pytest.mark.parametrize("precision", TYPES)
def test_norm_and_relu_cross_memory_as_often_as_in_32_bits(precision: str) -> None:
    wide, narrow = (passes(made(SPECS["residual"][0], each)) for each in ("fp32", precision))
    assert narrow == wide


def test_activations_take_half_the_memory() -> None:
    wide, narrow = (made(SPECS["residual"][0], precision, input=[4, 32, 32]).segments["arena"] for precision in ("fp32", "bf16"))
    assert narrow < 0.52 * wide


def test_in_inference_weights_are_copied_once() -> None:
    plan = made(SPECS["residual"][0], "bf16", "infer")
    copies = [name for name, value in plan.programs["prepare"].successors.items() if value.dtype == "bf16"]
    assert len(copies) == 5
    assert not any(
        value.name in plan.states and value.dtype == "f32" for i in plan.programs["infer"] for value in i.operands if i.op in PRODUCTS
    )


def test_in_64_bits_nothing_is_rounded() -> None:
    assert made("lenet", "bf16", dtype="float64").kept_in == "f64"


# numerics


@pytest.mark.parametrize("target", ["numpy", "cpu"])
@pytest.mark.parametrize("name", SPECS)
def test_ten_steps_follow_those_in_32_bits(name: str, target: str) -> None:
    spec, shape, classes = SPECS[name]
    x, y = batch(shape, classes)
    losses = {}
    for precision in ("fp32", "bf16", "fp16"):
        session = Session(made(spec, precision, target=target), poison=True)
        losses[precision] = np.array([session.step(x, y)["loss"] for _ in range(10)])
    for precision in TYPES:
        assert np.max(np.abs(losses[precision] - losses["fp32"])) <= 2e-2 * np.max(losses["fp32"])
    assert losses["fp32"][-1] < 0.95 * losses["fp32"][0]


SMOOTH = """
  - {name: conv1, conv: {filters: 8, kernel: 3, padding: 1}}
  - tanh
  - {name: bn, batch_norm}
  - mean_pool: 2
  - {name: conv2, conv: {filters: 8, kernel: 3}}
  - gelu
  - lrn: {size: 3, alpha: 0.1, beta: 0.75, k: 2}
  - lp_pool: {kernel: 2, stride: 1, p: 2}
  - flatten
  - dropout: 0.2
  - {name: fc, linear: 5}
"""


@pytest.mark.parametrize(("precision", "error"), [("bf16", 3e-2), ("fp16", 4e-3)])
@pytest.mark.parametrize("target", ["numpy", "cpu"])
def test_gradients_are_those_in_64_bits(precision: str, error: float, target: str) -> None:
    """Of a net without corners, at which a rounded number may lie on the other side."""
    x, y = batch((2, 8, 8), 5)
    spec = small.text(SMOOTH, train=f"optimizer: {{sgd: 0.1}}, precision: {precision}", shape="[2, 8, 8]")
    exact = Session(small.planned(spec, 8)).gradients(x, y)
    found = Session(small.planned(spec, 8, "f32", target=target)).gradients(x, y)
    assert found[0] == pytest.approx(exact[0], rel=error)
    scale = max(np.linalg.norm(g) for g in exact[1].values())
    for name, gradient in exact[1].items():
        assert np.linalg.norm(found[1][name] - gradient) <= error * max(np.linalg.norm(gradient), 0.05 * scale), name


@pytest.mark.parametrize(("precision", "half"), [("bf16", jnp.bfloat16), ("fp16", jnp.float16)])
def test_a_net_is_what_jax_makes_of_it(precision: str, half: Any) -> None:
    """Written down in JAX with the same numbers kept in 16 bits: equal but for the order of sums."""
    layers = "\n  - {name: conv, conv: {filters: 8, kernel: 3}}\n  - relu\n  - flatten\n  - {name: fc, linear: 5}\n"
    spec = small.text(layers, train=f"optimizer: {{sgd: 0.1}}, precision: {precision}")
    session = Session(small.planned(spec, 8, "f32"))
    x, y = batch((2, 6, 6), 5)
    weights = session.parameters()

    def loss(w: Any) -> Any:
        maps = jax.lax.conv(jnp.float32(x).astype(half), w["conv.weight"].astype(half), (1, 1), "VALID")
        active = jax.nn.relu(maps.astype(jnp.float32) + w["conv.bias"][:, None, None]).astype(half)
        scores = (active.reshape(8, -1) @ w["fc.weight"].astype(half).T).astype(jnp.float32) + w["fc.bias"]
        return -jnp.mean(jax.nn.log_softmax(scores)[jnp.arange(8), y])

    wanted, gradients = jax.value_and_grad(loss)(weights)
    found, others = session.gradients(x, y)
    assert found == pytest.approx(float(wanted), rel=1e-4)
    for name, gradient in gradients.items():
        assert apart(others[name], np.asarray(gradient)) < 1e-2, name


# the scale of the loss


def test_a_step_that_overflows_halves_the_scale_and_changes_nothing_else() -> None:
    session = Session(made(SPECS["residual"][0], "fp16"))
    x, y = batch((4, 8, 8), 5)
    session.step(x, y)
    session.arrays["scale"][...] = 2.0**24
    before = session.state()
    figures = session.step(x, y)
    after = session.state()
    assert not np.isfinite(figures["norm2"])
    assert session.is_sound(figures)
    assert {name for name in after if not np.array_equal(after[name], before[name])} == {"scale", "good"}
    assert (after["scale"].item(), after["good"].item()) == (2.0**23, 0)


@pytest.mark.parametrize(("good", "scale"), [(1998, 2.0**10), (1999, 2.0**11)])
def test_the_scale_grows_when_many_steps_were_finite(good: int, scale: float) -> None:
    session = Session(made("lenet", "fp16"))
    session.arrays["scale"][...], session.arrays["good"][...] = 2.0**10, good
    session.step(*batch((1, 32, 32), 10))
    assert session.arrays["scale"].item() == scale
    assert session.arrays["good"].item() == (good + 1) % 2000


def test_the_scale_is_in_no_figure() -> None:
    x, y = batch((1, 32, 32), 10)
    found = []
    for scale in (1.0, 2.0**12):
        session = Session(made("lenet", "fp16"))
        session.arrays["scale"][...] = scale
        found.append(session.gradients(x, y))
    assert found[0][0] == found[1][0]
    for name, gradient in found[0][1].items():
        assert apart(gradient, found[1][1][name]) < 0.1, name  # small numbers are lost without a scale


def test_accumulation_scales_every_part() -> None:
    layers = small.NORMED.replace("  - {name: bn, batch_norm}\n", "")
    parts = Session(small.planned(small.text(layers, train="optimizer: {sgd: 0.1}, accumulate: 3, precision: fp16"), 4, "f32"))
    whole = Session(small.planned(small.text(layers, train="optimizer: {sgd: 0.1}, precision: fp16"), 12, "f32"))
    x, y = small.pictures(12), small.labels(12)
    small.same(parts.step(x, y), whole.step(x, y), 1e-2)
    small.same(parts.parameters(), whole.parameters(), 1e-3)


# tf32


def test_tf32_is_said_of_products_and_passes_to_their_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = made("lenet", "tf32")
    monkeypatch.setitem(TARGETS, "numpy", replace(TARGETS["numpy"], math="tf32"))
    plan = made("lenet", "tf32")
    products = [i for program in plan.programs.values() for i in program if i.op in PRODUCTS]
    assert products
    assert all(i.attributes[MATH] == "tf32" for i in products)
    assert not any(MATH in i.attributes for program in plain.programs.values() for i in program)
    assert not any(MATH in i.attributes for program in made("lenet", "fp32").programs.values() for i in program)
    x, y = batch((1, 32, 32), 10)
    loss, other = (Session(each).gradients(x, y)[0] for each in (plan, plain))
    assert 0 < abs(loss - other) < 1e-3 * other

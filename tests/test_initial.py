"""How weights start: each tensor by its rule and its fans, from a stream of its own."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import small

from runtime.session import Session

Array = Any

WIDE = """
  - {name: conv, conv: {filters: 64, kernel: 3, padding: 1, groups: 2}}
  - {name: bn, batch_norm}
  - {name: up, conv_transpose: {filters: 32, kernel: 4, stride: 2, groups: 4}}
  - {name: gain, scale}
  - {name: norm, layer_norm}
  - {name: own, local: {filters: 2, kernel: 5}}
  - flatten
  - {name: fc, linear: 50}
"""


def started(train: str = "", layers: str = WIDE, seed: int = 0) -> dict[str, Array]:
    spec = small.text(layers, "l2", f"optimizer: {{sgd: 0.1}}{train}", "[8, 6, 6]")
    return Session(small.planned(spec, 1), seed).parameters()


FANS = {"conv.weight": (4 * 9, 64 * 9), "up.weight": (16 * 16, 32 * 16), "own.weight": (32 * 25, 2 * 25), "fc.weight": (2 * 10 * 10, 50)}
"""Inputs * taps, those of one group where there are groups, and outputs * taps, all of them."""


def test_what_is_not_written() -> None:
    found = started()
    for name, (fan_in, _) in FANS.items():
        reach = fan_in**-0.5
        assert np.max(np.abs(found[name])) <= reach
        assert np.std(found[name]) == pytest.approx(reach / math.sqrt(3), rel=0.1)
    assert {name for name, w in found.items() if not w.any()} == {name for name in found if name.endswith(("bias", "running_mean"))}
    assert {name for name, w in found.items() if np.all(w == 1)} == {"bn.weight", "bn.running_var", "gain.weight", "norm.weight"}


RULES: list[tuple[str, Any]] = [
    ("{normal: 0.3}", lambda fan_in, fan_out: 0.3),
    ("{uniform: 0.3}", lambda fan_in, fan_out: 0.3 / math.sqrt(3)),
    ("xavier", lambda fan_in, fan_out: math.sqrt(2 / (fan_in + fan_out))),
    ("{xavier: {distribution: normal, gain: 2}}", lambda fan_in, fan_out: 2 * math.sqrt(2 / (fan_in + fan_out))),
    ("he", lambda fan_in, fan_out: math.sqrt(2 / fan_in)),
    ("{he: {mode: fan_out, distribution: uniform}}", lambda fan_in, fan_out: math.sqrt(2 / fan_out)),
]


@pytest.mark.parametrize(("rule", "deviation"), RULES, ids=[rule for rule, _ in RULES])
def test_deviation(rule: str, deviation: Any) -> None:
    found = started(f", init: {rule}")
    for name, fans in FANS.items():
        assert np.std(found[name]) == pytest.approx(deviation(*fans), rel=0.1), name
        assert abs(np.mean(found[name])) < 0.15 * deviation(*fans), name
    assert np.all(found["bn.weight"] == 1)


def test_constant_biases_and_layers_of_their_own() -> None:
    found = started(", init: {constant: 0.5}, layers: {fc: {init: {uniform: [2, 3]}, bias_init: {constant: 7}}, bn: {init: {constant: 0}}}")
    assert np.all(found["conv.weight"] == 0.5)
    assert np.all(found["fc.bias"] == 7)
    assert np.all(found["bn.weight"] == 0)
    assert 2 <= found["fc.weight"].min() <= found["fc.weight"].max() <= 3


@pytest.mark.parametrize("units", [7, 300])
def test_orthogonal(units: int) -> None:
    layers = f"\n  - flatten\n  - {{name: fc, linear: {units}}}\n"
    w = started(", init: {orthogonal: {gain: 2}}", layers)["fc.weight"]
    square = w @ w.T if units < w.shape[1] else w.T @ w
    np.testing.assert_allclose(square, 4 * np.eye(len(square)), atol=1e-12)


def test_bilinear_is_upsampling() -> None:
    """The factor that a kernel is made for, 2 for 4, doubles a constant to itself, away from the border."""
    layers = "\n  - {name: up, conv_transpose: {filters: 8, kernel: 4, stride: 2, padding: 1, bias: false}}\n"
    spec = small.text(layers, "l2", "optimizer: {sgd: 0.1}, init: bilinear", "[8, 6, 6]")
    session = Session(small.planned(spec, 1))
    y = session.run(np.full((1, 8, 6, 6), 3.0))
    np.testing.assert_allclose(y[..., 1:-1, 1:-1], 3)
    np.testing.assert_allclose(session.parameters()["up.weight"][0, 0, 0], np.array([0.25, 0.75, 0.75, 0.25]) / 4)


def test_a_new_layer_leaves_the_others_as_they_are() -> None:
    before = started()
    after = started(layers=WIDE.replace("  - {name: bn", "  - {name: extra, conv: {filters: 64, kernel: 3, padding: 1}}\n  - {name: bn"))
    assert set(after) - set(before) == {"extra.weight", "extra.bias"}
    small.same(before, {name: after[name] for name in before}, 0)


def test_seeds_and_dtypes() -> None:
    spec = small.text(small.NORMED)
    one, same, other = (Session(small.planned(spec), seed).parameters() for seed in (1, 1, 2))
    small.same(one, same, 0)
    assert not np.array_equal(one["fc.weight"], other["fc.weight"])
    small.same(Session(small.planned(spec, dtype="f32"), 1).parameters(), one, 1e-7)

"""First convolutions over more channels are the same function: loss and gradients in 64 bits, over odd sizes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import small

from netcompiler.compilation import compile
from netcompiler.plan import Plan
from netcompiler.targets import TARGETS
from runtime.session import Session

WIDE = replace(TARGETS["numpy"], channels=8, depth=64)
REST = "\n  - {name: bn, batch_norm}\n  - relu\n  - flatten\n  - {name: fc, linear: 5}\n"

STEMS: list[tuple[str, str, tuple[int, ...]]] = [
    ("filters: 6, kernel: 7, stride: 2, padding: 3", "[3, 17, 14]", (6, 4, 4, 16)),
    ("filters: 6, kernel: 7, stride: 2, padding: 3, bias: false", "[3, 16, 16]", (6, 4, 4, 16)),
    ("filters: 4, kernel: 11, stride: 4, padding: 2", "[3, 35, 31]", (4, 3, 3, 48)),
    ("filters: 4, kernel: 11, stride: 4", "[1, 24, 23]", (4, 3, 3, 16)),
    ("filters: 5, kernel: [5, 2], stride: [3, 1], padding: same", "[2, 11, 9]", (5, 2, 2, 8)),
    ("filters: 5, kernel: 3, stride: 5", "[3, 13, 18]", (5, 3, 3, 8)),  # 75 channels are too many
    ("filters: 5, kernel: 3, stride: 2, dilation: 2", "[4, 11, 12]", (5, 3, 3, 8)),
    ("filters: 5, kernel: 3", "[3, 7, 6]", (5, 3, 3, 8)),
    ("filters: 5, kernel: 4, stride: 2, rounding: ceil, flip: true", "[1, 8, 7]", (5, 2, 2, 8)),
    ("filters: 4, kernel: 9, stride: 3, padding: 4", "[5, 31]", (4, 3, 16)),
    ("filters: 4, kernel: 3, stride: 2, padding: 1", "[2, 7, 6, 5]", (4, 2, 2, 2, 16)),
]


def stem(plan: Plan, program: str = "gradients") -> tuple[int, ...]:
    """The shape of the weights that the first convolution reads."""
    return next(i.core.operands[1].shape for i in plan.programs[program] if i.core.op == "conv")


@pytest.mark.parametrize("mode", ["train", "infer"])
@pytest.mark.parametrize(("conv", "shape", "weights"), STEMS, ids=[row[0] for row in STEMS])
def test_a_net_is_the_same_with_and_without(
    conv: str, shape: str, weights: tuple[int, ...], mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = small.text(f"\n  - {{name: conv, conv: {{{conv}}}}}{REST}", shape=shape)
    plain = Session(small.planned(spec, mode=mode))
    monkeypatch.setitem(TARGETS, "numpy", WIDE)
    wide = Session(small.planned(spec, mode=mode), poison=True)
    x, y = small.pictures(4, tuple(map(int, shape.strip("[]").split(",")))), small.labels(4)
    small.same(wide.parameters(), plain.parameters(), 0)
    program = "gradients" if mode == "train" else "infer"
    assert stem(wide.plan, program) == weights
    if mode == "infer":
        np.testing.assert_allclose(wide.run(x), plain.run(x), rtol=1e-11, atol=1e-12)
        return
    (loss, gradients), (expected, others) = (session.gradients(x, y) for session in (wide, plain))
    assert loss == pytest.approx(expected, rel=1e-12)
    small.same(gradients, others, 1e-10)


@pytest.mark.parametrize(("net", "shape"), [("resnet:18", (64, 4, 4, 16)), ("alexnet:2014", (64, 3, 3, 48)), ("vgg:A", (64, 3, 3, 8))])
def test_stems_of_the_zoo(net: str, shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TARGETS, "numpy", WIDE)
    plan = compile(net, "infer", 2, "numpy")
    assert stem(plan, "infer") == shape
    assert {"pad"} <= {i.op for i in plan.programs["prepare"]}


def test_layers_behind_the_first_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = small.text("\n  - conv: {filters: 3, kernel: 3}\n  - conv: {filters: 5, kernel: 3, stride: 2}\n  - flatten\n  - linear: 5\n")
    monkeypatch.setitem(TARGETS, "numpy", WIDE)
    shapes = [i.operands[1].shape for i in small.planned(spec).programs["gradients"] if i.op == "conv"]
    assert shapes == [(3, 3, 3, 8), (5, 3, 3, 3)]


def test_targets_that_ask_for_nothing_get_nothing() -> None:
    assert all((TARGETS[name].channels, TARGETS[name].depth) == (1, 0) for name in ("numpy", "cpu"))

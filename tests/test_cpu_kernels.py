"""How many kernels the step of each net of the zoo is made of: a first step compiles each of them once."""

from __future__ import annotations

import pytest

import netcompiler
from netcompiler import zoo
from runtime import binding
from runtime.binding import Binding
from runtime.kernels import cpu
from runtime.kernels.cpu.driver import Step

MOST = 60
"""Of them a first step may need."""

KERNELS = {
    "alexnet": 38,
    "all-convolutional": 29,
    "densenet": 56,
    "detector": 34,
    "encoder-decoder": 23,
    "filter-bank": 11,
    "googlenet": 59,
    "lenet": 26,
    "logistic": 7,
    "mlp": 11,
    "mobilenet": 39,
    "pose": 38,
    "residual-mlp": 13,
    "resnet": 55,
    "resnet-cifar": 41,
    "segmenter": 39,
    "speech": 19,
    "steerable": 26,
    "tdnn": 12,
    "vgg": 29,
    "zfnet": 38,
}
UNTRAINED = ("fully-convolutional", "locally-connected", "neocognitron")
"""Nets without a recipe, or without a loss."""


def test_every_net_that_is_trained_is_counted() -> None:
    assert sorted((*KERNELS, *UNTRAINED)) == sorted(zoo.names())


@pytest.mark.parametrize("name", KERNELS)
def test_a_step_is_made_of_few_kernels(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more than were counted once with vectors of 16 numbers; where vectors are shorter a few more fit."""
    kernels: set[object] = set()

    class Counted:
        def __init__(self, steps: list[Step], threads: int) -> None:
            kernels.update(step.kernel for step in steps)

    monkeypatch.setattr(cpu, "Table", Counted)
    monkeypatch.setattr(binding, "initial", lambda state, seed: None)
    plan = netcompiler.compile(name, batch=4, target="cpu", settings={"train.augment": []})
    Binding(plan, 0, poison=False).ready("step")
    assert len(kernels) <= (KERNELS[name] if cpu.pointwise.LANES == 16 else MOST)
    assert len(kernels) < MOST

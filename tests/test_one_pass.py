"""Pictures on their way from bytes to the first layer: how many kernels they go through, and that whole steps come out as the oracle's."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
import small

from netcompiler.compilation import Job, stages
from netcompiler.plan import Instruction, Plan
from runtime.data.scale import Scale
from runtime.session import Session

ROWS, SIDES = 4, (8, 9)
LAYERS = "\n  - {name: conv, conv: {filters: 4, kernel: 3}}\n  - relu\n  - flatten\n  - {name: fc, linear: 5}\n"
ONE = {
    "a window": "crop: {padding: 2}, flip",
    "a scaled window": "random_resized_crop, flip",
    "turned": "affine: {rotate: 30, translate: 2, border: mirror}",
    "turned by whole pixels": "affine: {rotate: 30, filter: nearest, border: edge}",
    "lighter, and a part erased": "crop: {padding: 1}, color_jitter: {brightness: 0.4}, erasing: {probability: 0.7, value: 0.5}",
}
MORE = {
    "two samplings": ("affine: {rotate: 30}, crop: {padding: 1}", ["resample", "fused resample"]),
    "pixels of another picture": ("flip, mixup: 0.5", ["fused resample", "take", "map"]),
    "the mean of a picture": ("flip, color_jitter: {contrast: 0.4}", ["resample", "map"]),
}
"""What needs all of a picture before the first pixel is done, or another picture, is a kernel of its own."""


def made(augment: str, target: str, bytes: bool = True, precision: str = "fp32") -> Plan:
    train = f"optimizer: {{sgd: 0.1}}, normalize: auto, precision: {precision}, augment: [{augment}]"
    graph, recipe = small.read(small.text(LAYERS, train=train, shape=str([3, *SIDES])))
    *_, (_, plan) = stages(Job(graph, recipe, "train", ROWS, target, "f32", bytes=bytes), checked=True)
    return plan


def passes(lines: Iterable[Instruction]) -> list[str]:
    """What makes pictures."""
    made = [i for i in lines if any(value.shape == (ROWS, *SIDES, 3) for value in i.results)]
    return [i.op if i.core is i else f"{i.op} {i.core.op}" for i in made]


@pytest.mark.parametrize(("target", "precision"), [("cpu", "fp32"), ("cuda", "fp32"), ("cuda", "bf16")])
@pytest.mark.parametrize("bytes", [True, False])
@pytest.mark.parametrize("augment", ONE.values(), ids=list(ONE))
def test_pictures_cross_memory_once(augment: str, bytes: bool, target: str, precision: str) -> None:
    step = made(augment, target, bytes, precision).programs["step"]
    assert passes(step) == ["fused resample"]
    [pictures] = (i for i in step if i.core.op == "resample")
    assert {value.name for value in pictures.operands} > {"in.input", "mean.input", "std.input"}


@pytest.mark.parametrize("target", ["cpu", "cuda"])
@pytest.mark.parametrize(("augment", "ops"), MORE.values(), ids=list(MORE))
def test_what_takes_more(augment: str, ops: list[str], target: str) -> None:
    step = made(augment, target).programs["step"]
    assert passes(step.instructions[: step.forward]) == ops


def test_where_nothing_is_sampled_a_map_is_all() -> None:
    assert passes(made("", "cuda").programs["step"]) == ["map"]


def steps(session: Session) -> list[float]:
    random = np.random.default_rng(0)
    session.normalize({"in.input": Scale((0.3, 0.4, 0.5), (0.2, 0.3, 0.4))})
    batches: Any = ((random.integers(0, 256, (ROWS, 3, *SIDES), np.uint8), small.labels(ROWS), np.arange(ROWS), turn) for turn in range(3))
    return [session.step(*batch)["loss"] for batch in batches]


@pytest.mark.parametrize("augment", [*ONE.values(), *(augment for augment, _ in MORE.values())])
def test_steps_on_a_processor(augment: str) -> None:
    reference, own = (Session(made(augment, target)) for target in ("numpy", "cpu"))
    own.load(reference.parameters())
    assert steps(own) == pytest.approx(steps(reference), rel=1e-4)

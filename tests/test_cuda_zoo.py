"""Every kernel of every net of the zoo compiles for GPUs, and none of them spills registers; no net writes a mask into memory."""

from __future__ import annotations

import pytest
from cuda_host import fit

from netcompiler import load, zoo
from netcompiler.compilation import Job, stages
from netcompiler.plan import Plan
from runtime.kernels.cuda import paper

LONGER = {
    "densenet": ("121", "161", "169", "201"),
    "mobilenet": ("1.0", ".75", ".5", ".25"),
    "residual-mlp": ("100", "200", "1000"),
    "resnet": ("34", "50", "101", "152", "50-v1", "101-v1", "152-v1"),
    "resnet-cifar": ("20", "32", "44", "56", "110"),
}
"""Variants that are the same net with more layers, or wider ones."""
HALVES = [("lenet", "fp16"), ("alexnet", "fp16"), ("resnet:18", "bf16"), ("googlenet", "bf16")]
compiled: set[str] = set()
"""Texts are shared by nets."""


@pytest.mark.parametrize("net", zoo.names())
def test_every_kernel_compiles_without_spills(net: str) -> None:
    variants = ("", *(f":{variant}" for variant in zoo.variants(net) if variant not in LONGER.get(net, ())))
    made = [plan for variant in variants for plan in plans(net + variant)]
    gate([text for plan in made for text in paper.sources(plan)])
    assert [mask for plan in made for mask in masks(plan)] == []


@pytest.mark.parametrize(("net", "precision"), HALVES)
def test_kernels_of_16_bits_compile_without_spills(net: str, precision: str) -> None:
    texts = [text for plan in plans(net, f"train.precision={precision}") for text in paper.sources(plan)]
    assert any(f"Pack<{precision}," in text.replace("Pack<f16", "Pack<fp16") for text in texts)
    gate(texts)


def masks(plan: Plan) -> list[str]:
    """Many truths in memory would be worth a bit each; where they are read they are computed again instead."""
    every = [instruction for program in plan.programs.values() for instruction in program]
    return [f"{value.name} {i.origin}" for i in every for value in i.results if value.dtype == "b1" and value.elements > plan.batch]


def gate(texts: list[str]) -> None:
    assert texts
    new = [text for text in dict.fromkeys(texts) if text not in compiled]
    for architecture in ("sm_80", "sm_90a"):
        fit(architecture, new)
    compiled.update(new)


def plans(spec: str, *settings: str) -> list[Plan]:
    loaded = load(spec, settings)
    assert loaded.graph
    modes = ["train"] * any(output.loss for output in loaded.graph.outputs) + ["infer"]
    made = []
    for mode in modes:
        batch = loaded.recipe.batch if loaded.recipe and mode == "train" else 1
        *_, (_, plan) = stages(Job(loaded.graph, loaded.recipe, mode, batch, "cuda", "f32"))
        made.append(plan)
    return made

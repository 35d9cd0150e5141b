"""What is measured: the step or the inference that `netc bench` and `netc profile` run, and how a peer is told of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from netcompiler.cli.target import GPU
from netcompiler.compilation import Job, stages, uncollected
from netcompiler.graph import Graph
from netcompiler.loading import Loaded
from netcompiler.optimisers.momentum import SGD
from netcompiler.passes.precision import computed_in
from netcompiler.plan import Facts, Plan
from netcompiler.recipe import Recipe
from netcompiler.report.peer import net_data
from netcompiler.targets import TARGETS
from netcompiler.tensors import spared

RATE, MOMENTUM = 0.01, 0.9
NOISE = ("dropout", "drop_path")


def plain_recipe(recipe: Recipe | None) -> Recipe:
    """SGD with momentum, with the weight decay, the precision and the memory of the net's own recipe, and nothing else of it."""
    own = recipe or Recipe()
    rule = SGD(rate=RATE, momentum=MOMENTUM)
    if own.optimizer:
        kept = {name: getattr(own.optimizer, name) for name in ("weight_decay", "decay_norms_and_biases")}
        rule = rule.model_copy(update=kept)
    return Recipe().model_copy(update={"optimizer": rule, "precision": own.precision, "memory": own.memory})


def job_of(loaded: Loaded, mode: str, batch: int, target: str, facts: Facts) -> Job:
    assert loaded.graph
    return Job(loaded.graph, plain_recipe(loaded.recipe), mode, batch, target, "f32", facts)


def plan_of(job: Job) -> Plan:
    """Raises SpecError where that cannot be."""
    with uncollected():
        *_, (_, plan) = stages(job)
    return plan


def threads_of(target: str, threads: int) -> dict[str, str]:
    """As variables of the environment. Compiled kernels call BLAS from threads of their own, each for itself."""
    blas = threads if target == "numpy" else 1
    return {"NETC_THREADS": str(threads), **dict.fromkeys(("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(blas))}


def precision_of(recipe: Recipe | None, target: str) -> str:
    return computed_in(recipe.precision if recipe else None, TARGETS[target].math)


def where(target: str, precision: str, threads: int) -> str:
    """What it runs on, as headings say it."""
    return f"{precision} on {target}" if target == GPU else f"float32, {threads} thread{'s' * (threads != 1)}"


def usual_mode(graph: Graph) -> str:
    return "train" if any(output.loss for output in graph.outputs) else "infer"


def noisy(graph: Graph) -> bool:
    """Whether two sides may have unlike losses in training."""
    return any(node.kind in NOISE for node in graph)


def job_of_peer(graph: Graph, recipe: Recipe | None, common: Mapping[str, Any]) -> dict[str, Any]:
    rule = plain_recipe(recipe).optimizer
    assert rule
    without = frozenset() if rule.decay_norms_and_biases else spared(graph)
    names = [f"{node.name}.{p.name}" for node in graph for p in node.parameters if p.learnable]
    decays = {name: rule.weight_decay for name in names if name not in without}
    return {
        **common,
        "net": net_data(graph, common["mode"]),
        "targets": [output.name for output in graph.outputs if output.loss],
        "optimizer": {"rate": RATE, "momentum": MOMENTUM, "decays": decays},
    }

"""The memory that the plans of a net take, to the byte."""

from __future__ import annotations

from collections.abc import Mapping

from netcompiler.compilation import Job, stages, uncollected
from netcompiler.footprint import Exact, numbers
from netcompiler.graph import Graph
from netcompiler.recipe import Recipe

TARGET, DTYPE = "numpy", "f32"


def exact(graph: Graph, recipe: Recipe | None, batch: int) -> Exact:
    """Raises SpecError where training cannot be made to fit into the recipe's memory."""
    trained = any(output.loss for output in graph.outputs)
    training = _segments(graph, recipe, "train", batch) if trained else {}
    return Exact(batch, _segments(graph, recipe, "infer", batch), training, numbers(recipe.precision if recipe else None))


def _segments(graph: Graph, recipe: Recipe | None, mode: str, batch: int) -> Mapping[str, int]:
    with uncollected():
        *_, (_, plan) = stages(Job(graph, recipe, mode, batch, TARGET, DTYPE))
    return plan.segments

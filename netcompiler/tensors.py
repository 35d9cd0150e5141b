"""The tensors of a layer: where each is kept, how it begins, and whether decay reaches it."""

from __future__ import annotations

from typing import Any, NamedTuple

from netcompiler.graph import Graph, Node
from netcompiler.layers.layer import Parameter, Shape
from netcompiler.plan import Start
from netcompiler.recipe import LayerSettings, Recipe
from netcompiler.recipe.initialiser import Uniform


class Tensor(NamedTuple):
    """A parameter of a layer by its full name, in PyTorch's order of axes."""

    name: str
    shape: Shape
    segment: str
    start: Any


def tensors(node: Node, recipe: Recipe) -> dict[str, Tensor]:
    """All of a layer's, by the names that the layer itself gives them."""
    settings = recipe.settings(node.name)
    return {p.name: Tensor(f"{node.name}.{p.name}", p.shape, _segment(p, settings), _start(node, p, recipe)) for p in node.parameters}


def _segment(p: Parameter, settings: LayerSettings) -> str:
    if p.learnable:
        return "frozen" if settings.freeze else "parameters"
    return "statistics" if p.name.startswith("running") else "frozen"


def _start(node: Node, p: Parameter, recipe: Recipe) -> Any:
    """A number, or the rule of the layer, else of the recipe, else the one that keeps a sum of fan_in terms in range."""
    assert node.layer
    settings = recipe.settings(node.name)
    if _is_bias(p):
        return Start(settings.bias_init, *p.fans) if settings.bias_init else 0.0
    if p.name == "running_mean":
        return 0.0
    if p.learnable and settings.init:
        return Start(settings.init, *p.fans, p.pairs)
    if p.name == "running_var" or not node.layer.weighted:
        return 1.0
    if len(p.shape) == 1:
        return 0.0  # what holds a cell back grows from nothing
    return Start(recipe.init or Uniform(range=p.fans[0] ** -0.5), *p.fans, p.pairs)


def _is_bias(p: Parameter) -> bool:
    return p.name.endswith("bias")


def spared(graph: Graph) -> frozenset[str]:
    """Parameters that decay leaves alone unless it is told otherwise: biases, and the weights of norms and scales."""
    return frozenset(
        f"{node.name}.{p.name}" for node in graph for p in node.parameters if _is_bias(p) or (node.layer and not node.layer.weighted)
    )

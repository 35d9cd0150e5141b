"""A net of the zoo as a PyTorch module, built from netc's own graph: the peer of benchmarks, so that torchvision is not needed."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from netcompiler import load
from netcompiler.graph import Graph, Node


class Net(nn.Module):
    """The nodes in written order, each a module under its own name."""

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self.graph = graph
        self.parts = nn.ModuleList([module(node) for node in graph])
        self.places = {node: place for place, node in enumerate((*graph.inputs, *graph))}

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        values = list(inputs)
        for node, part in zip(self.graph, self.parts, strict=True):
            values.append(part(*(values[self.places[x]] for x in node.inputs)))
        return values[self.places[self.graph.outputs[0].node]]


class Join(nn.Module):
    def __init__(self, how: Callable[[Sequence[torch.Tensor]], torch.Tensor]) -> None:
        super().__init__()
        self.how = how

    def forward(self, *values: torch.Tensor) -> torch.Tensor:
        return self.how(values)


def module(node: Node) -> nn.Module:
    layer: Any = node.layer
    return BUILD[node.kind](layer, node.inputs[0].shape)


def _window(layer: Any) -> dict[str, Any]:
    """The same padding in front and behind, as PyTorch has it; `same` with an odd kernel is that."""
    padding = (layer.kernel - 1) // 2 if layer.padding == "same" else layer.padding
    return {"kernel_size": layer.kernel, "stride": layer.stride or layer.kernel, "padding": padding}


BUILD: dict[str, Callable[[Any, tuple[int, ...]], nn.Module]] = {
    "conv": lambda layer, x: nn.Conv2d(x[0], layer.filters, **_window(layer), groups=layer.groups, bias=layer.bias),
    "linear": lambda layer, x: nn.Linear(x[0], layer.units, bias=layer.bias),
    "batch_norm": lambda layer, x: nn.BatchNorm2d(x[0]) if len(x) > 1 else nn.BatchNorm1d(x[0]),
    "relu": lambda layer, x: nn.ReLU(),
    "tanh": lambda layer, x: nn.Tanh(),
    "max_pool": lambda layer, x: nn.MaxPool2d(**_window(layer), ceil_mode=layer.rounding == "ceil"),
    "mean_pool": lambda layer, x: nn.AvgPool2d(**_window(layer), count_include_pad=bool(layer.count_padding)),
    "global_mean_pool": lambda layer, x: nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()),
    "flatten": lambda layer, x: nn.Flatten(),
    "dropout": lambda layer, x: nn.Dropout(layer.rate),
    "add": lambda layer, x: Join(lambda values: sum(values[1:], values[0])),
    "multiply": lambda layer, x: Join(lambda values: math.prod(values[1:], start=values[0])),
    "concat": lambda layer, x: Join(lambda values: torch.cat(list(values), 1)),
}


def build(spec: str) -> Net:
    graph = load(spec).graph
    assert graph is not None
    return Net(graph)

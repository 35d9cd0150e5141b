"""A net of netc as a PyTorch module, and steps of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from .torch_layer import Layer
from .torch_layers import function
from .torch_losses import LOSSES
from .torch_windows import Window


class Part(nn.Module):
    """A layer with its tensors, under the names that they have in netc, which are PyTorch's."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.function = function(layer)
        for name, shape in {"weight": None, "bias": None, **layer.parameters}.items():
            if name in layer.fixed:
                self.register_buffer(name, torch.zeros(shape))
            else:
                self.register_parameter(name, shape and nn.Parameter(torch.zeros(shape)))

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.function(self, *inputs)


class Net(nn.Module):
    """The layers in written order. Values go as soon as nothing reads them any more, as in a module written by hand."""

    def __init__(self, net: Mapping[str, Any]) -> None:
        super().__init__()
        layers = [as_layer(entry) for entry in net["layers"]]
        self.names = [layer.name for layer in layers]
        self.parts = nn.ModuleList(map(Part, layers))
        self.reads = [layer.inputs for layer in layers]
        self.first = len(net["inputs"])
        self.outputs: list[int] = [output["from"] for output in net["outputs"]]
        last = {x: at for at, reads in enumerate(self.reads) for x in reads}
        self.ends = [[x for x in set(reads) if last[x] == at and x not in self.outputs] for at, reads in enumerate(self.reads)]

    def forward(self, *inputs: Tensor) -> list[Tensor]:
        values = dict(enumerate(inputs))
        for at, part in enumerate(self.parts):
            values[self.first + at] = part(*[values[x] for x in self.reads[at]])
            for x in self.ends[at]:
                del values[x]
        return [values[x] for x in self.outputs]

    def tensors(self) -> dict[str, Tensor]:
        """Parameters and buffers by their full names."""
        return {
            f"{name}.{own}": tensor
            for name, part in zip(self.names, self.parts, strict=True)
            for own, tensor in (*part.named_parameters(), *part.named_buffers())
        }


def as_layer(entry: Mapping[str, Any]) -> Layer:
    return Layer(**{**entry, "windows": [Window(*window) for window in entry["windows"]]})


def loss_of(net: Mapping[str, Any], values: Sequence[Tensor], targets: Mapping[str, Tensor], training: bool = True) -> Tensor:
    """The losses of all outputs, added by weight; outside training without those that only training has."""
    outputs = [(o, y) for o, y in zip(net["outputs"], values, strict=True) if o["loss"] and (training or o["only"] != "train")]
    terms = [o["weight"] * LOSSES[o["loss"]](o["options"], y, targets[o["name"]]) for o, y in outputs]
    return torch.stack(terms).sum() if len(terms) > 1 else terms[0]


def optimizer(net: Net, settings: Mapping[str, Any]) -> torch.optim.Optimizer:
    """SGD in one pass over everything, with the decay that each parameter has in netc."""
    groups: dict[float, list[Tensor]] = {}
    for name, tensor in net.tensors().items():
        if tensor.requires_grad:
            groups.setdefault(settings["decays"].get(name, 0.0), []).append(tensor)
    each = [{"params": tensors, "weight_decay": decay} for decay, tensors in groups.items()]
    return torch.optim.SGD(each, lr=settings["rate"], momentum=settings["momentum"], fused=True)

"""Layers that change the form of a value, and softmax, which has an axis as they have. Read next: torch_layers.py."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from .torch_layer import Layer
from .torch_windows import Function


def upsample(layer: Layer) -> Function:
    stride, mode = layer.option("stride"), layer.options["mode"]
    if mode == "nearest":
        return lambda own, x: F.interpolate(x, scale_factor=stride, mode="nearest")
    if mode == "bilinear":
        order = {1: "linear", 2: "bilinear", 3: "trilinear"}[layer.sides]
        return lambda own, x: F.interpolate(x, scale_factor=stride, mode=order, align_corners=False)

    def apart(own: Any, x: Tensor) -> Tensor:
        y = x.new_zeros(len(x), *layer.y)
        y[(..., *(slice(None, None, s) for s in stride))] = x
        return y

    return apart


def downsample(layer: Layer) -> Function:
    cut = (..., *(slice(None, None, s) for s in layer.option("stride")))
    return lambda own, x: x[cut]


def pad(layer: Layer) -> Function:
    margins = [end for low_high in reversed(_margins(layer)) for end in low_high]
    return lambda own, x: F.pad(x, margins)


def crop(layer: Layer) -> Function:
    cut = (slice(None), *(slice(low, n - high) for n, (low, high) in zip(layer.x, _margins(layer), strict=True)))
    return lambda own, x: x[cut]


def _margins(layer: Layer) -> list[list[int]]:
    ends = [layer.options.get("channels", 0), *layer.option("sides")]
    return [end if isinstance(end, list) else [end, end] for end in ends]


def slice_(layer: Layer) -> Function:
    o = layer.options
    cut = (slice(None),) * _axis(layer) + (slice(o["begin"], o["end"], o["step"]),)
    return lambda own, x: x[cut]


def softmax(layer: Layer) -> Function:
    if layer.options["axis"] is None:
        return lambda own, x: x.flatten(1).softmax(1).view(x.shape)
    return lambda own, x: x.softmax(_axis(layer))


def _axis(layer: Layer) -> int:
    axis = layer.options["axis"]
    return 1 if axis == "channels" else 2 + int(axis)

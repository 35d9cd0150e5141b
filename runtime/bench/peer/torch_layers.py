"""A layer of netc as a function of PyTorch, on the tensors of its part: one row of BUILD for each kind."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from functools import reduce
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from .serving import Unable
from .torch_forms import crop, downsample, pad, slice_, softmax, upsample
from .torch_formula import written
from .torch_layer import Layer
from .torch_windows import Function, padded, pooling, sliding


def function(layer: Layer) -> Function:
    """Takes the part that has the layer's tensors, and the inputs."""
    if layer.kind not in BUILD or layer.options.get("transforms"):
        what = "transforms of a convolution" if layer.kind == "conv" else f"layer `{layer.kind}`"
        raise Unable(f"PyTorch has no {what} ({layer.name})")
    return BUILD[layer.kind](layer)


def per_channel(x: Tensor, values: Tensor) -> Tensor:
    return values.view(-1, *[1] * (x.dim() - 2))


# products


def conv(layer: Layer) -> Function:
    product = sliding(f"conv{layer.sides}d", layer.windows, groups=layer.options["groups"])
    connections, flip = layer.options["connections"], layer.options["flip"]
    if not connections and not flip:
        return lambda own, x: product(x, own.weight, own.bias)
    marks = [[float(mark == "X") for mark in row] for row in connections.split()] if connections else [[1.0]]
    mask = torch.tensor(marks).T.reshape(len(marks[0]), len(marks), *[1] * layer.sides)
    taps = list(range(2, 2 + layer.sides)) if flip else []
    return lambda own, x: product(x, (own.weight * mask).flip(taps), own.bias)


def conv_transpose(layer: Layer) -> Function:
    stamp = getattr(F, f"conv_transpose{layer.sides}d")
    settings = {name: layer.option(name) for name in ("stride", "padding", "output_padding", "dilation")}
    return lambda own, x: stamp(x, own.weight, own.bias, groups=layer.options["groups"], **settings)


def linear(layer: Layer) -> Function:
    return lambda own, x: F.linear(x, own.weight, own.bias)


def scale(layer: Layer) -> Function:
    def scaled(own: Any, x: Tensor) -> Tensor:
        y = x if own.weight is None else x * per_channel(x, own.weight)
        return y if own.bias is None else y + per_channel(x, own.bias)

    return scaled


def rbf(layer: Layer) -> Function:
    return lambda own, x: -(x[:, None] - own.centers).square().sum(2)


# pools


def max_pool(layer: Layer) -> Function:
    name, dilation = f"max_pool{layer.sides}d", [w.dilation for w in layer.windows]
    native = pooling(name, layer.windows, dilation=dilation)
    pool = native or padded(name, layer.windows, -math.inf, dilation=dilation)
    return lambda own, x: pool(x)


def mean_pool(layer: Layer) -> Function:
    """Where PyTorch cannot pad so, the mean over all cells of a window is divided by the share of those that count."""
    name, counted = f"avg_pool{layer.sides}d", bool(layer.options.get("count_padding"))
    native = pooling(name, layer.windows, count_include_pad=counted)
    if native:
        return lambda own, x: native(x)
    mean = padded(name, layer.windows, 0.0)
    around = [w.low + w.high if counted else 0 for w in layer.windows]
    cells = [w._replace(size=w.size + more, low=0, high=0) if more else w for w, more in zip(layer.windows, around, strict=True)]
    share = padded(name, cells, 0.0)(torch.ones(1, 1, *(w.size for w in cells)))
    return lambda own, x: mean(x) / share


def lp_pool(layer: Layer) -> Function:
    """The root of 0 is written apart: its slope is infinite there."""
    p, mean = layer.options["p"], mean_pool(layer)

    def norm(own: Any, x: Tensor) -> Tensor:
        powers = mean(own, x.abs().pow(p))
        return torch.where(powers > 0, torch.where(powers > 0, powers, 1.0).pow(1 / p), 0.0)

    return norm


def global_mean_pool(layer: Layer) -> Function:
    return lambda own, x: x.mean(tuple(range(2, x.dim())))


def global_max_pool(layer: Layer) -> Function:
    return lambda own, x: x.flatten(2).max(2).values


# norms


def batch_norm(layer: Layer) -> Function:
    momentum, epsilon = layer.options["momentum"], layer.options["epsilon"]
    return lambda own, x: F.batch_norm(x, own.running_mean, own.running_var, own.weight, own.bias, own.training, momentum, epsilon)


def group_norm(layer: Layer) -> Function:
    return lambda own, x: F.group_norm(x, layer.options["groups"], own.weight, own.bias, layer.options["epsilon"])


def layer_norm(layer: Layer) -> Function:
    return lambda own, x: F.layer_norm(x, layer.x, own.weight, own.bias, layer.options["epsilon"])


def lrn(layer: Layer) -> Function:
    """PyTorch divides alpha by the size always."""
    o = layer.options
    alpha = o["alpha"] * (1 if o["divide"] else o["size"])
    return lambda own, x: F.local_response_norm(x, o["size"], alpha, o["beta"], o["k"])


# noise


def dropout(layer: Layer) -> Function:
    return lambda own, x: F.dropout(x, layer.options["rate"], own.training)


def drop_path(layer: Layer) -> Function:
    rate = layer.options["rate"]

    def dropped(own: Any, x: Tensor) -> Tensor:
        return x * (torch.rand(len(x), *[1] * (x.dim() - 1)) >= rate) / (1 - rate) if own.training else x

    return dropped


# joins


def add(layer: Layer) -> Function:
    return lambda own, *xs: reduce(operator.add, xs)


def multiply(layer: Layer) -> Function:
    """A vector beside maps has a number for each map."""
    rank = len(layer.y) + 1
    return lambda own, *xs: reduce(operator.mul, (x.view(*x.shape, *[1] * (rank - x.dim())) if x.dim() < rank else x for x in xs))


# activations


def pointwise(apply: Callable[..., Tensor], **named: str) -> Callable[[Layer], Function]:
    """`named` are PyTorch's words for options."""

    def build(layer: Layer) -> Function:
        settings = {word: layer.options[name] for word, name in named.items()}
        return lambda own, x: apply(x, **settings)

    return build


def gelu(layer: Layer) -> Function:
    how = "tanh" if layer.options["approximate"] else "none"
    return lambda own, x: F.gelu(x, approximate=how)


BUILD: dict[str, Callable[[Layer], Function]] = {
    **{f.__name__: f for f in (conv, conv_transpose, linear, scale, rbf, max_pool, mean_pool, lp_pool, global_mean_pool, global_max_pool)},
    **{f.__name__: f for f in (batch_norm, group_norm, layer_norm, lrn, dropout, drop_path, upsample, downsample, pad, crop)},
    **{f.__name__: f for f in (softmax, add, multiply, gelu)},
    "slice": slice_,
    "concat": lambda layer: lambda own, *xs: torch.cat(xs, 1),
    "flatten": lambda layer: lambda own, x: x.flatten(1),
    "reshape": lambda layer: lambda own, x: x.reshape(len(x), *layer.y),
    "map": lambda layer: lambda own, x: written(layer.formula, x).expand_as(x),
    "relu": lambda layer: lambda own, x: F.relu(x, inplace=layer.in_place),
    "relu6": lambda layer: lambda own, x: F.relu6(x, inplace=layer.in_place),
    "leaky_relu": pointwise(F.leaky_relu, negative_slope="slope"),
    "elu": pointwise(F.elu, alpha="alpha"),
    "selu": pointwise(F.selu),
    "sigmoid": pointwise(torch.sigmoid),
    "tanh": pointwise(torch.tanh),
    "softplus": pointwise(F.softplus),
    "silu": pointwise(F.silu),
    "hard_swish": pointwise(F.hardswish),
    "hard_sigmoid": pointwise(F.hardsigmoid),
}

"""A whole net, its losses and its optimizers in JAX, in float64: read off the graph, without a look at any instruction.

Layers are those of jax_layers.py; noise gets its masks from outside, so that one trace serves every step.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax_layers import LAYERS, Layer

from netcompiler.graph import Graph, Node
from netcompiler.recipe import Recipe
from runtime.kernels.numpy.philox import philox

Array = Any
Numbers = dict[str, Array]
NOISE = ("dropout", "drop_path")
SPARED = ("batch_norm", "group_norm", "layer_norm", "scale")
"""Layers that decay does not reach."""


def options(node: Node) -> dict[str, Any]:
    """What a layer was given or falls back to, without what is left open."""
    assert node.layer
    every = {field.alias or name: getattr(node.layer, name) for name, field in type(node.layer).model_fields.items()}
    return {name: value for name, value in every.items() if value is not None}


def forward(graph: Graph, parameters: Numbers, inputs: Numbers, masks: Numbers) -> dict[Node, Array]:
    """The value of every node in training; everything is channels first."""
    values: dict[Node, Array] = {node: inputs[node.name] for node in graph.inputs}
    for node in graph:
        below = [values[x] for x in node.inputs]
        if node.kind in NOISE:
            values[node] = below[0] * masks[node.name]
        else:
            own = {p.name: parameters[f"{node.name}.{p.name}"] for p in node.parameters}
            values[node] = LAYERS[node.kind](Layer(options(node), own, True, node.name), *below)
    return values


def masks(graph: Graph, rows: int, tick: int) -> Numbers:
    """What noise multiplies with in a step: 0, or 1 / (1 - rate). The bits are Philox's, by name, place and tick, for seed 0."""
    found = {}
    for node in graph:
        if node.kind in NOISE:
            channels, *sides = node.shape if node.kind == "dropout" else [1] * len(node.shape)
            digest = hashlib.blake2b(f"{node.name}\0{node.kind}".encode(), digest_size=8).digest()
            key = int.from_bytes(digest[:4], "little"), int.from_bytes(digest[4:], "little")
            columns = channels * math.prod(sides)
            words = philox((np.arange(-(-columns // 4)), np.arange(rows)[:, None], np.array(0), np.array(tick)), key)
            bits = np.stack(np.broadcast_arrays(*words), -1).reshape(rows, -1)[:, :columns]
            rate = options(node)["rate"]
            kept = ((bits >> 8) / 2**24 >= rate) / (1 - rate)
            found[node.name] = np.moveaxis(kept.reshape(rows, *sides, channels), -1, 1)
    return found


def loss(graph: Graph, parameters: Numbers, inputs: Numbers, targets: Numbers, masks: Numbers) -> Array:
    """The mean over the pictures of each output's loss, added by weight."""
    values = forward(graph, parameters, inputs, masks)
    total = jnp.zeros(())
    for output in graph.outputs:
        if output.loss:
            given = {name: value for name, value in output.loss if value is not None}
            total += output.weight * jnp.mean(LOSSES[output.loss.kind](given, values[output.node], targets[output.name]))
    return total


# losses: scores (n, c, *sides) and targets -> one number a picture


def positions(each: Array) -> Array:
    """(n, *sides) -> (n,): the mean over the positions."""
    return each.reshape(len(each), -1).mean(1)


def whole(each: Array) -> Array:
    return each.reshape(len(each), -1).sum(1)


def shares(y: Array, target: Array) -> Array:
    """The target as a share for each class: (n, c, *sides)."""
    return target if target.ndim == y.ndim else jnp.moveaxis(jax.nn.one_hot(target, y.shape[1], dtype=y.dtype), -1, 1)


def cross_entropy(o: Mapping[str, Any], y: Array, target: Array) -> Array:
    t = (1 - o["smoothing"]) * shares(y, target) + o["smoothing"] / y.shape[1]
    w = jnp.array(o.get("class_weights", [1.0] * y.shape[1])).reshape(-1, *[1] * (y.ndim - 2))
    return positions(-(w * t * jax.nn.log_softmax(y, 1)).sum(1))


def binary_cross_entropy(o: Mapping[str, Any], y: Array, d: Array) -> Array:
    yes = o.get("positive_weight", 1) * d * jax.nn.log_sigmoid(y)
    return positions(-(yes + (1 - d) * jax.nn.log_sigmoid(-y)).sum(1))


def hinge(o: Mapping[str, Any], y: Array, target: Array) -> Array:
    own = jnp.take_along_axis(y, jnp.expand_dims(target, 1), 1)
    return positions(jnp.where(shares(y, target) == 1, 0, jax.nn.relu(o["margin"] - own + y)).sum(1))


def huber(o: Mapping[str, Any], y: Array, d: Array) -> Array:
    e, delta = jnp.abs(y - d), o["delta"]
    return whole(jnp.where(e <= delta, 0.5 * e**2, delta * (e - delta / 2)))


LOSSES: dict[str, Callable[[Mapping[str, Any], Array, Array], Array]] = {
    "cross_entropy": cross_entropy,
    "binary_cross_entropy": binary_cross_entropy,
    "hinge": hinge,
    "huber": huber,
    "l1": lambda o, y, d: whole(jnp.abs(y - d)),
    "l2": lambda o, y, d: whole(0.5 * (y - d) ** 2),
}


# optimizers: from the formulas, one parameter at a time; s holds what a rule remembers of it


def sgd(o: Any, w: Array, g: Array, s: Numbers, rate: float, t: int) -> Array:
    if not o.momentum:
        return w - rate * g
    s["v"] = o.momentum * s.get("v", 0) + g
    return w - rate * (g + o.momentum * s["v"] if o.nesterov else s["v"])


def adam(o: Any, w: Array, g: Array, s: Numbers, rate: float, t: int) -> Array:
    s["m"] = o.beta1 * s.get("m", 0) + (1 - o.beta1) * g
    s["v"] = o.beta2 * s.get("v", 0) + (1 - o.beta2) * g**2
    return w - rate * (s["m"] / (1 - o.beta1**t)) / (np.sqrt(s["v"] / (1 - o.beta2**t)) + o.epsilon)


def rmsprop(o: Any, w: Array, g: Array, s: Numbers, rate: float, t: int) -> Array:
    s["s"] = o.alpha * s.get("s", 0) + (1 - o.alpha) * g**2
    s["m"] = o.alpha * s.get("m", 0) + (1 - o.alpha) * g
    s["v"] = o.momentum * s.get("v", 0) + g / (np.sqrt(np.maximum(s["s"] - (s["m"] ** 2 if o.centered else 0), 0)) + o.epsilon)
    return w - rate * s["v"]


def adagrad(o: Any, w: Array, g: Array, s: Numbers, rate: float, t: int) -> Array:
    s["s"] = s.get("s", o.initial) + g**2
    return w - rate / (1 + (t - 1) * o.rate_decay) * g / (np.sqrt(s["s"]) + o.epsilon)


RULES: dict[str, Callable[..., Array]] = {"sgd": sgd, "adam": adam, "adamw": adam, "rmsprop": rmsprop, "adagrad": adagrad}


class Training:
    """Steps of a recipe's optimizer; `weights` are all parameters by name."""

    def __init__(self, graph: Graph, recipe: Recipe, weights: Numbers) -> None:
        self.spared = [f"{node.name}." for node in graph if node.kind in SPARED]
        self.recipe = recipe
        self.weights = dict(weights)
        self.memory: dict[str, Numbers] = {}
        self.t = 0

    def step(self, gradients: Numbers) -> None:
        o = self.recipe.optimizer
        assert o
        self.t += 1
        norm = math.sqrt(sum(float(np.sum(np.square(g))) for g in gradients.values()))
        shrink = min(1.0, self.recipe.clip / norm) if self.recipe.clip else 1.0
        for name, gradient in gradients.items():
            w, g = self.weights[name], shrink * np.asarray(gradient)
            settings = self.recipe.settings(name.rpartition(".")[0])
            spared = name.endswith("bias") or name.startswith(tuple(self.spared))
            decays = o.decay_norms_and_biases or not spared
            decay, rate = decays * settings.decay * o.weight_decay, settings.rate * o.rate
            if o.decoupled:
                w = w - rate * decay * w
            else:
                g = g + decay * w
            self.weights[name] = RULES[o.kind](o, w, g, self.memory.setdefault(name, {}), rate, self.t)

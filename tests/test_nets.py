"""Whole nets, one of each family of the zoo, made small: loss, every gradient and five steps against JAX in float64."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax_net
import numpy as np
import pytest

from netcompiler.compilation import Job, stages
from netcompiler.graph import Graph, Node
from netcompiler.loading import load
from netcompiler.recipe import Recipe
from runtime.session import Session

Numbers = dict[str, Any]
SGD = {"sgd": {"rate": 0.05, "momentum": 0.9, "weight_decay": 1e-3}}


class Small(NamedTuple):
    """A net of the zoo with a smaller input and all widths divided."""

    spec: str
    input: list[int]
    vars: Mapping[str, Any] = MappingProxyType({})
    divide: int = 1
    train: Mapping[str, Any] = MappingProxyType({})
    loss: str = ""
    rows: int = 3

    def text(self) -> str:
        """A spec that extends the net's: widths are patched by name."""
        file: dict[str, Any] = {"netc": 1, "name": "small", "extends": self.spec, "input": self.input}
        file |= {"vars": dict(self.vars)} if self.vars else {}
        file |= {"loss": self.loss} if self.loss else {}
        file |= {"train": {"augment": [], **self.train}}  # what is drawn has tests of its own
        if self.divide == 1:
            return json.dumps(file)
        graph = loaded(json.dumps(file))[0]
        patch = {node.name: narrow(node, self.divide) for node in graph if node.kind in ("conv", "linear", "local")}
        last = {output.node.name for output in graph.outputs}
        return json.dumps({**file, "patch": {name: item for name, item in patch.items() if name not in last}})


def narrow(node: Node, divide: int) -> dict[str, Any]:
    """The layer with fewer outputs; a depthwise one stays so."""
    assert node.layer
    written = {name: getattr(node.layer, name) for name in node.layer.model_fields_set}
    width = "units" if node.kind == "linear" else "filters"
    groups = written.get("groups", 1)
    if groups == written[width]:
        written["groups"] = max(groups // divide, 2)
    written[width] = max(written[width] // divide, 2)
    return {node.kind: written}


def loaded(text: str) -> tuple[Graph, Recipe]:
    found = load("-", stdin_text=text)
    assert not found.errors, [f"{d.message} {d.help}" for d in found.errors]
    assert found.graph
    assert found.recipe
    return found.graph, found.recipe


# Epsilons are large enough that a gradient of 0, as of a bias in front of a norm, does not turn rounding into a step.
NETS = [
    Small("alexnet", [3, 67, 67], {"classes": 5}, 24),
    Small("all-convolutional", [3, 16, 16], {"classes": 4}, 24),
    Small("densenet", [3, 33, 33], {"classes": 4, "growth": 4, "depths": [2, 2, 1, 1]}),
    Small("detector", [3, 32, 32], {"classes": 4}, 16),
    Small("encoder-decoder", [1, 16, 16], {"widths": [3, 4, 5]}, train={"optimizer": {"adam": {"rate": 1e-3, "epsilon": 1e-5}}}),
    Small("encoder-decoder:bilinear", [1, 16, 16], {"widths": [3, 4, 5]}, train={"optimizer": {"adamw": {"rate": 1e-3, "epsilon": 1e-5}}}),
    Small("filter-bank", [1, 10, 10], {"classes": 4}),
    Small("fully-convolutional", [1, 36, 32], {"classes": 4}, 4, {"optimizer": SGD}),
    Small("googlenet:aux", [3, 80, 80], {"classes": 4}, 16),
    Small("lenet", [1, 32, 32]),
    Small("lenet:1998", [1, 32, 32], train={"optimizer": {"adagrad": {"rate": 0.01, "rate_decay": 0.1, "initial": 0.1}}}),
    Small("locally-connected", [1, 14, 12], divide=5, train={"optimizer": SGD}, loss="l2"),
    Small("logistic", [1, 6, 6], {"classes": 4}),
    Small("mlp", [1, 6, 6], {"classes": 4, "hidden": [9, 7]}),
    Small("mobilenet:.25", [3, 33, 33], {"classes": 4}, 16, {"optimizer": {"rmsprop": {"rate": 1e-3, "epsilon": 1}}}),
    Small("neocognitron", [1, 16, 16], {"planes": 3}, train={"optimizer": SGD}, loss="l2"),
    Small("neocognitron:supervised", [1, 16, 16], {"planes": 3, "classes": 4}),
    Small("pose", [3, 67, 67], {"joints": 3}, 32, {"clip": 0.5}),
    Small("residual-mlp", [1, 6, 6], {"classes": 4, "width": 8, "depth": 3}),
    Small("resnet:50", [3, 33, 33], {"classes": 4, "depths": [1, 1, 1, 1]}, 16),
    Small("resnet-cifar", [3, 12, 12], {"classes": 4, "depth": 1}),
    Small("segmenter:small", [1, 32, 32], {"width": 2}),
    Small("speech:heterogeneous-dropout", [3, 40, 15], {"states": 5, "maps": 12}, 6),
    Small("steerable", [1, 12, 12], {"classes": 4}, 4, {"optimizer": {"rmsprop": {"rate": 1e-3, "momentum": 0.9, "centered": True}}}),
    Small("tdnn", [16, 15], {}),
    Small("vgg:A", [3, 32, 32], {"classes": 4}, 32),
    Small("zfnet", [3, 64, 64], {"classes": 4}, 32),
]


def targets(graph: Graph, rows: int, rng: np.random.Generator) -> Numbers:
    """Classes, or numbers in the shape of the output."""
    found: Numbers = {}
    for output in graph.outputs:
        classes, *sides = output.node.shape
        picks = output.loss is not None and output.loss.picks
        found[output.name] = rng.integers(0, classes, (rows, *sides)) if picks else rng.normal(size=(rows, classes, *sides))
    return found


def close(found: Numbers, wanted: Numbers, error: float, what: str) -> None:
    """Relative to the largest number of each tensor."""
    for name, value in found.items():
        other = np.asarray(wanted[name])
        assert value.shape == other.shape, f"{what} {name}"
        worst = np.max(np.abs(value - other))
        assert worst <= error * max(np.max(np.abs(other)), 1e-3), f"{what} {name}: off by {worst:.2e}"


@pytest.mark.parametrize("net", NETS, ids=lambda net: net.spec)
def test_net(net: Small) -> None:
    graph, recipe = loaded(net.text())
    *_, (_, plan) = stages(Job(graph, recipe, "train", net.rows, "numpy", "f64"), checked=True)
    session = Session(plan)
    rng = np.random.default_rng(zlib.crc32(net.spec.encode()))
    x = {node.name: rng.normal(size=(net.rows, *node.shape)) for node in graph.inputs}
    target = targets(graph, net.rows, rng)
    training = jax_net.Training(graph, recipe, session.parameters())
    learned = [state.parameter for state in plan.states.values() if state.segment == "parameters"]

    @jax.jit
    def derived(weights: Numbers, rest: Numbers, masks: Numbers) -> Any:
        return jax.value_and_grad(lambda w: jax_net.loss(graph, {**rest, **w}, x, target, masks))(weights)

    for step in range(5):
        rest = dict(training.weights)
        weights = {name: rest.pop(name) for name in learned}
        loss, gradients = derived(weights, rest, jax_net.masks(graph, net.rows, step))
        if step == 0:
            found, own = session.gradients(x, target)
            close({"": np.array(found)}, {"": loss}, 1e-9, "loss")
            close(own, gradients, 1e-9, "gradient of")
            assert sorted(own) == sorted(learned)
        assert session.step(x, target)["loss"] == pytest.approx(float(loss), rel=1e-7)
        training.step(gradients)
    close({name: session.parameters()[name] for name in learned}, training.weights, 1e-7, "after five steps")

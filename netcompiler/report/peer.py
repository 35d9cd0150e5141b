"""A net as plain data, everything worked out: what another library needs to build the same one."""

from __future__ import annotations

from typing import Any

from netcompiler.formula import parse_formula
from netcompiler.grammar import Term
from netcompiler.graph import Graph, Node, Output
from netcompiler.layers.mapped import Map
from netcompiler.layers.window import Windowed
from netcompiler.report.description import plain_options

OVERWRITES = ("relu", "relu6")
OVERWRITTEN = ("conv", "conv_transpose", "linear", "batch_norm", "add", "concat")
"""Layers whose backward pass does not need what they gave, so that an activation may be written over it."""


def net_data(graph: Graph, mode: str) -> dict[str, Any]:
    """Layers in written order. Values are numbered: first the inputs, then the layers."""
    train = mode == "train"
    nodes = [node for node in graph if train or node.only != "train"]
    outputs = [output for output in graph.outputs if train or output.only != "train"]
    places = {node: place for place, node in enumerate((*graph.inputs, *nodes))}
    ends = {output.node for output in outputs}
    readers = [x for node in nodes for x in node.inputs]
    alone = {x for x in set(readers) - ends if readers.count(x) == 1 and x.kind in OVERWRITTEN}
    return {
        "inputs": [node.name for node in graph.inputs],
        "layers": [{**_layer(node), "inputs": [places[x] for x in node.inputs], "in_place": _overwrites(node, alone)} for node in nodes],
        "outputs": [{**_output(output), "from": places[output.node]} for output in outputs],
    }


def _overwrites(node: Node, alone: set[Node]) -> bool:
    return node.kind in OVERWRITES and node.inputs[0] in alone


def _layer(node: Node) -> dict[str, Any]:
    assert node.layer
    return {
        "name": node.name,
        "kind": node.kind,
        "options": plain_options(node.layer),
        "x": list(node.inputs[0].shape),
        "y": list(node.shape),
        "windows": _windows(node),
        "parameters": {p.name: list(p.shape) for p in node.parameters},
        "fixed": [p.name for p in node.parameters if not p.learnable],
        "formula": _term(parse_formula(node.layer.expression).root) if isinstance(node.layer, Map) else None,
    }


def _windows(node: Node) -> list[list[int]]:
    """For each side kernel, stride, low, high, dilation, size before and behind."""
    if not isinstance(node.layer, Windowed):
        return []
    x, y = node.inputs[0].shape, node.shape
    sides = zip(node.layer.sides(x), x[1:], y[1:], strict=True)
    return [[w.kernel, w.stride, w.low, w.high, w.dilation, before, behind] for w, before, behind in sides]


def _output(output: Output) -> dict[str, Any]:
    loss = output.loss
    return {
        "name": output.name,
        "loss": loss.kind if loss else None,
        "options": plain_options(loss) if loss else {},
        "weight": output.weight,
        "only": output.only,
    }


def _term(term: Term) -> Any:
    if term.op == "value":
        return term.leaf if isinstance(term.leaf, bool) else float(term.leaf)
    return "x" if term.op == "name" else [term.op, *map(_term, term.args)]

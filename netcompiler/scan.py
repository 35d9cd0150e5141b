"""A net that reads a larger picture position by position: flatten and linear are rewritten as convolutions.

Each score of the result is what the net gives for its own block of the picture; the weights stay as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from netcompiler.diagnostics import Diagnostic, Mistake
from netcompiler.graph import Graph, Node
from netcompiler.layers import KINDS
from netcompiler.layers.layer import Layer, Shape, show

ELEMENTWISE = {"dropout", "batch_norm", "scale", "concat", "add", "multiply", "map"}
POOLS = {"global_mean_pool": "mean_pool", "global_max_pool": "max_pool"}


def scan(graph: Graph, sides: Sequence[int]) -> tuple[Graph, list[Diagnostic]]:
    """The rewritten net on an input of these sides, and what stood in the way."""
    walk = _Scan()
    try:
        inputs = tuple(walk.widen(node, sides, graph) for node in graph.inputs)
    except Mistake as mistake:
        return replace(graph, nodes=(), outputs=(), broken=True), [mistake.at(graph.inputs[0].place)]
    for node in graph:
        try:
            walk.visit(node)
        except Mistake as mistake:
            done = tuple(walk.nodes)
            return replace(graph, inputs=inputs, nodes=done, outputs=(), broken=True), [mistake.at(node.place, node.calls)]
    outputs = tuple(replace(output, node=walk.scanned[output.node]) for output in graph.outputs)
    return replace(graph, inputs=inputs, nodes=tuple(walk.nodes), outputs=outputs), _padding_note(graph)


def _padding_note(graph: Graph) -> list[Diagnostic]:
    padded = next((node for node in graph if getattr(node.layer, "padding", 0) not in (0, "valid")), None)
    if padded is None:
        return []
    note = Mistake(
        "scan-padding",
        "the zeros of padding now stand around the larger picture only, so scores differ from those of each block by itself",
        "without padding they are equal",
    )
    return [note.at(padded.place, padded.calls, "note")]


class _Scan:
    def __init__(self) -> None:
        self.scanned: dict[Node, Node] = {}
        """Each old node and the new one that gives its value at every position."""
        self.blocks: dict[Node, Shape] = {}
        """Old nodes whose vector is a block of so many sides at each position of the new one."""
        self.nodes: list[Node] = []

    def widen(self, node: Node, sides: Sequence[int], graph: Graph) -> Node:
        if len(graph.inputs) != 1 or len(node.shape) - 1 != len(sides):
            shapes = ", ".join(show(x.shape) for x in graph.inputs)
            raise Mistake(
                "scan",
                f"an input of {show(sides)} does not fit this net",
                "give one number for each side, such as 480x640 for pictures",
                [f"input: {shapes}"],
            )
        self.scanned[node] = wide = replace(node, shape=(node.shape[0], *sides))
        return wide

    def visit(self, node: Node) -> None:
        assert node.layer
        if node.kind == "flatten" and len(node.inputs[0].shape) > 1:
            self.scanned[node] = self.scanned[node.inputs[0]]
            self.blocks[node] = node.inputs[0].shape[1:]
            return
        inputs = tuple(self.scanned[x] for x in node.inputs)
        layer = self.rewritten(node, node.layer)
        new = replace(node, layer=layer, inputs=inputs, shape=layer.shape(*(x.shape for x in inputs)))
        self.scanned[node] = new
        self.nodes.append(new)

    def rewritten(self, node: Node, layer: Layer) -> Layer:
        """The layer that does at every position what this one did once."""
        old = node.inputs[0]
        rank = len(self.scanned[old].shape) - 1
        if layer.kind == "linear":
            return _made("conv", filters=node.shape[0], kernel=_brief(self.blocks.get(old, (1,) * rank)), bias=getattr(layer, "bias", True))
        if layer.kind in POOLS:
            return _made(POOLS[layer.kind], kernel=_brief(old.shape[1:]), stride=1)
        if len(old.shape) > 1:
            return layer
        if layer.kind == "softmax":
            return _made("softmax", axis="channels")
        if old in self.blocks and not layer.parameters(old.shape):
            self.blocks[node] = self.blocks[old]
        elif old in self.blocks:
            raise _once(layer)
        if layer.family != "activation" and layer.kind not in ELEMENTWISE:
            raise _once(layer)
        return layer


def _brief(sides: Shape) -> int | list[int]:
    return sides[0] if len(set(sides)) == 1 else [*sides]


def _made(kind: str, **options: object) -> Layer:
    layer: Layer = KINDS[kind](**options)
    return layer


def _once(layer: Layer) -> Mistake:
    return Mistake(
        "scan",
        f"{layer.kind} reads a vector of the whole picture, and has no form that works position by position",
        "scan nets whose vectors meet linear layers, activations and dropout only",
    )

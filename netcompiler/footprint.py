"""The memory that a net takes, in bytes: estimated before there is a plan (nothing in place, nothing recomputed), or exact."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from typing import NamedTuple

from netcompiler.graph import Graph, Node

BYTES = 4
HALF, HALVED = ("bf16", "fp16"), 2
"""Precisions that keep activations in fewer bytes, and how many."""


class Footprint(NamedTuple):
    """`needed` are the parameters without those that only training needs, `live` is the largest sum of activations that
    inference holds at once, `kept` what the backward pass reads again."""

    batch: int
    parameters: int
    activations: int
    needed: int
    live: int
    gradients: int
    state: int
    kept: int
    numbers: str
    """How activations are kept."""

    @property
    def inference(self) -> int:
        return self.needed + self.live

    @property
    def training(self) -> int:
        return self.parameters + self.gradients + self.state + self.kept


class Exact(NamedTuple):
    """What plans take, in bytes by segment; nothing for training where no output has a loss."""

    batch: int
    inference: Mapping[str, int]
    training: Mapping[str, int]
    numbers: str


PARTS = {
    "parameters": ("parameters", "frozen", "statistics"),
    "gradients": ("gradients", "sums"),
    "optimizer": ("slots", "average"),
    "activations": ("arena",),
}
"""The segments that make up each part; `other` are the rest: slots for pictures and targets, folded weights, single numbers."""


def parts(segments: Mapping[str, int]) -> dict[str, int]:
    """The bytes of each part, of what is in none, and of everything."""
    found = {name: sum(segments.get(segment, 0) for segment in members) for name, members in PARTS.items()}
    total = sum(segments.values())
    return {**found, "other": total - sum(found.values()), "total": total}


def footprint(graph: Graph, batch: int = 1, slots: int = 1, precision: str | None = None) -> Footprint:
    """`slots`: how many numbers the optimizer holds for each parameter."""
    parts = BYTES // HALVED if precision in HALF else 1
    learnable = BYTES * sum(node.params for node in graph)
    return Footprint(
        batch=batch,
        parameters=sum(map(_parameters, graph)),
        activations=batch * sum(_bytes(node) for node in graph if _root(node) is node) // parts,
        needed=sum(_parameters(node) for node in graph if node.only != "train"),
        live=batch * _live(graph) // parts,
        gradients=learnable,
        state=slots * learnable,
        kept=batch * _kept(graph) // parts,
        numbers=numbers(precision),
    )


def numbers(precision: str | None) -> str:
    """How numbers are kept, in words."""
    return f"{precision}, weights in float32" if precision in HALF else "float32"


def _parameters(node: Node) -> int:
    return BYTES * (node.params + node.buffers)


def _bytes(node: Node) -> int:
    return BYTES * math.prod(node.shape)


def _root(node: Node) -> Node:
    """The node whose memory this one's output lies in."""
    while node.layer and node.layer.view:
        node = node.inputs[0]
    return node


def _live(graph: Graph) -> int:
    """Walks through inference, freeing each value behind its last reader; outputs stay."""
    steps = [node for node in graph if node.only != "train"]
    last = {_root(node): at for at, node in enumerate(steps)}
    for at, node in enumerate(steps):
        last |= {_root(x): at for x in node.inputs}
    last |= {_root(output.node): len(steps) for output in graph.outputs}
    freed: defaultdict[int, int] = defaultdict(int)
    for node, at in last.items():
        freed[at] += _bytes(node)
    live = peak = sum(_bytes(node) for node in graph.inputs if node in last)
    for at, node in enumerate(steps):
        live += _bytes(node) if _root(node) is node else 0
        peak = max(peak, live)
        live -= freed[at]
    return peak


def _kept(graph: Graph) -> int:
    """Each value once, however many layers read it again; an index is a byte an output."""
    values: set[Node] = set()
    indices = 0
    for node in graph:
        keeps = node.layer.keeps if node.layer else "nothing"
        if keeps == "input":
            values |= {_root(x) for x in node.inputs}
        elif keeps == "output":
            values.add(_root(node))
        elif keeps == "index":
            indices += math.prod(node.shape)
    return sum(_bytes(node) for node in values) + indices

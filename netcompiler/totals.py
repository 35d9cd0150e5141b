"""The figures of a whole net for one picture. What only training needs counts in params and buffers, and nowhere else."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

from netcompiler.graph import Graph, Node


class Totals(NamedTuple):
    params: int
    buffers: int
    neurons: int
    depth: int
    connections: int
    macs: int
    flops: int


def totals(graph: Graph) -> Totals:
    run = [node for node in graph if node.only != "train"]
    return Totals(
        params=sum(node.params for node in graph),
        buffers=sum(node.buffers for node in graph),
        neurons=sum(math.prod(node.shape) for node in run if _weighted(node)),
        depth=_depth(graph),
        connections=sum(node.cost.connections for node in run),
        macs=sum(node.cost.macs for node in run),
        flops=sum(node.cost.flops for node in run),
    )


def macs(nodes: Iterable[Node]) -> int:
    """The MACs of some nodes, by the rule of the totals."""
    return sum(node.cost.macs for node in nodes if node.only != "train")


def _weighted(node: Node) -> bool:
    return node.layer is not None and node.layer.weighted


def _depth(graph: Graph) -> int:
    """The most layers with weights on any path from an input to an output."""
    depth = dict.fromkeys(graph.inputs, 0)
    for node in graph:
        depth[node] = max((depth[x] for x in node.inputs), default=0) + _weighted(node)
    ends = [output.node for output in graph.outputs] or graph.nodes
    return max((depth[node] for node in ends), default=0)

"""The rows of the table: a layer each, or a whole scope where the net is deeper than asked for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

from netcompiler.graph import Graph, Node
from netcompiler.layers.layer import Reach, Shape, show
from netcompiler.report.description import described
from netcompiler.totals import macs


@dataclass(frozen=True)
class Row:
    """`what` is the layer's kind or the block's name, `reads` where the row gets its input when it is not the row above."""

    name: str
    what: str
    detail: str
    nodes: tuple[Node, ...]
    reads: str
    reach: Reach | None

    @property
    def shape(self) -> Shape:
        return self.nodes[-1].shape

    @property
    def output(self) -> str:
        return show(self.shape)

    @cached_property
    def params(self) -> int:
        return sum(node.params for node in self.nodes)

    @cached_property
    def macs(self) -> int:
        return macs(self.nodes)


def rows(graph: Graph, depth: int | None = 2) -> list[Row]:
    """Names of more than `depth` parts are folded into their scope; None folds nothing."""
    groups: list[tuple[str, tuple[Node, ...]]] = [(node.name, (node,)) for node in graph.inputs]
    groups += [(name, tuple(nodes)) for name, nodes in groupby(graph, lambda node: scope(node.name, depth))]
    groups = [(nodes[0].name if len(nodes) == 1 else name, nodes) for name, nodes in groups]
    labels = {node: node.name for _, nodes in groups for node in nodes} | {nodes[-1]: name for name, nodes in groups}
    above: Node | None = None
    result = []
    for name, nodes in groups:
        result.append(Row(name, *_what(graph, name, nodes), nodes, _reads(name, nodes, above, labels), graph.fields[nodes[-1]]))
        above = nodes[-1]
    return result


def scope(name: str, depth: int | None) -> str:
    return name if depth is None else ".".join(name.split(".")[:depth])


def _what(graph: Graph, name: str, nodes: tuple[Node, ...]) -> tuple[str, str]:
    note = " (training only)" if all(node.only == "train" for node in nodes) else ""
    if len(nodes) > 1:
        what = graph.scopes.get(name, "")
        return what, f"{what}, {len(nodes)} layers{note}".lstrip(", ")
    layer = nodes[0].layer
    if layer is None:
        return "", ""
    return layer.kind, described(layer) + note


def _reads(name: str, nodes: tuple[Node, ...], above: Node | None, labels: dict[Node, str]) -> str:
    inside = set(nodes)
    outer = list(dict.fromkeys(x for node in nodes for x in node.inputs if x not in inside))
    if not outer or outer == [above]:
        return ""
    texts = [relative(labels[x], name) for x in outer]
    return ", ".join(texts if len(texts) <= 4 else [*texts[:2], f"{len(texts) - 3} more", texts[-1]])


def relative(name: str, reader: str) -> str:
    """The name as the reader may write it: without the scopes they share. A mere number keeps them."""
    parts = name.split(".")
    shared = 0
    for mine, other in zip(parts[:-1], reader.split(".")[:-1], strict=False):
        if mine != other:
            break
        shared += 1
    short = ".".join(parts[shared:])
    return name if short.isdigit() else short

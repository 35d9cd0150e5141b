"""Graph -> plan: layers, losses and metrics as instructions; the forward half of every program.

Nothing here is a derivative. Read next: differentiate.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce

from netcompiler.builder import Builder
from netcompiler.graph import Graph, Node, Output
from netcompiler.lowering import Lowering
from netcompiler.metrics import top
from netcompiler.plan import Plan, Program, State, Value
from netcompiler.scalar import add, operand

PROGRAMS = {"train": ("step", "gradients", "evaluate", "infer"), "infer": ("infer",)}
"""The programs of each mode; `gradients` is a step that changes nothing."""

TOP = (1, 5)


def lower(graph: Graph, mode: str, batch: int, target: str, dtype: str) -> Plan:
    states: dict[str, State] = {}
    programs = [_Walk(graph, states, batch, dtype, name).program() for name in PROGRAMS[mode]]
    spec = f"{graph.name}:{graph.variant}" if graph.variant else graph.name
    return Plan(spec, mode, batch, target, dtype, states, {program.name: program for program in programs})


class _Walk:
    """One program: every node once, in the order of the graph."""

    def __init__(self, graph: Graph, states: dict[str, State], batch: int, dtype: str, program: str) -> None:
        self.graph = graph
        self.name = program
        self.b = Builder(dtype)
        self.at = Lowering(self.b, states, batch, training=program in ("step", "gradients"))
        self.values: dict[Node, Value] = {}
        self.outputs: dict[str, Value] = {}

    def program(self) -> Program:
        for node in self.graph.inputs:
            shape = (self.at.batch, *node.shape[1:], node.shape[0])
            self.values[node] = self.at.state(f"in.{node.name}", "inputs", self.b.dtype, shape).value
        for node in self._nodes():
            self._node(node)
        if self.name == "infer":
            self.outputs = {output.name: self.values[output.node] for output in self._given()}
        else:
            self._losses()
        return Program(self.name, tuple(self.b.instructions), self.outputs, self.at.successors if self.name == "step" else {})

    def _given(self) -> list[Output]:
        return [output for output in self.graph.outputs if self.at.training or output.only != "train"]

    def _nodes(self) -> Iterable[Node]:
        return (node for node in self.graph if self.at.training or node.only != "train")

    def _node(self, node: Node) -> None:
        assert node.layer
        self.at.name = node.name
        self.at.sizes = {p.name: (f"{node.name}.{p.name}", p.shape, p.learnable) for p in node.parameters}
        self.b.origin = f"{node.place.source.name}:{node.place.line} {node.name}"
        self.values[node] = node.layer.lower(self.at, *(self.values[x] for x in node.inputs))

    def _losses(self) -> None:
        """The mean over the pictures of each loss, added by weight; then the metrics of what chooses a class."""
        terms: list[tuple[float, Value]] = []
        for output in self._given():
            if output.loss is None:
                continue
            y = self.values[output.node]
            self.b.origin = f"{output.place.source.name}:{output.place.line} {output.name}"
            self.at.name = output.name
            target = self._target(output, y)
            terms.append((output.weight, self.at.mean_of_rows(output.loss.lower(self.at, y, target))))
            if output.loss.picks:
                prefix = "" if len(self.graph.outputs) == 1 else f"{output.name}."
                for k in TOP:
                    if k < y.shape[-1]:
                        self.outputs[f"{prefix}top{k}"] = self.at.mean_of_rows(top(self.at, y, target, k))
        if terms:
            total = reduce(add, [weight * operand(i) for i, (weight, _) in enumerate(terms)])
            self.outputs = {"loss": self.at.map(total, *(value for _, value in terms)), **self.outputs}

    def _target(self, output: Output, y: Value) -> Value:
        """The number of a class with 1 in the place of the channels, or numbers in the shape of the output."""
        assert output.loss
        shape = (*y.shape[:-1], 1) if output.loss.picks else y.shape
        return self.at.state(f"target.{output.name}", "inputs", "i32" if output.loss.picks else self.b.dtype, shape).value

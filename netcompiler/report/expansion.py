"""The flat spec: every layer one item, every value as a number or a text, and beside it where it came from.

It is a spec again: `netc expand SPEC | netc check -` counts the same net.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from netcompiler.graph import Graph, Node, Output
from netcompiler.options import Kind, Options
from netcompiler.recipe import Recipe
from netcompiler.report.description import MERGED, option_names
from netcompiler.report.origins import Origins, line
from netcompiler.source import Mapping
from netcompiler.source import Node as Written

PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./+*()-]*( [A-Za-z0-9_./+*()-]+)*")
NO_TEXT = {"true", "false", "null"}
COMMENT = 44


class Line(NamedTuple):
    text: str
    origin: str = ""


def as_text(graph: Graph, recipe: Recipe | None, settings: Sequence[str] = (), defaults: bool = False) -> str:
    """`settings` are the texts of --set that led to the graph."""
    lines = list(_Expansion(graph, recipe, settings, defaults).lines())
    column = min(COMMENT, max(len(text) for text, _ in lines))
    return "".join(f"{text:<{column}}  # {origin}\n" if origin else f"{text}\n" for text, origin in lines)


class _Expansion:
    def __init__(self, graph: Graph, recipe: Recipe | None, settings: Sequence[str], defaults: bool) -> None:
        self.graph = graph
        self.recipe = recipe
        self.defaults = defaults
        self.names = _flat_names(graph)
        self.origins = Origins(graph, settings)
        self.heads = {output: self.layers_of(output) for output in graph.outputs}

    def lines(self) -> Iterator[Line]:
        graph = self.graph
        yield Line("netc: 1", self.origins.top("netc"))
        yield Line(f"name: {flow(graph.name)}", self.origins.top("name"))
        if graph.doc:
            yield Line(f"doc: {flow(graph.doc)}")
        yield from self.inputs()
        yield Line("layers:")
        above = graph.inputs[-1] if len(graph.inputs) == 1 else None
        apart = {node for head in self.heads.values() for node in head}
        trunk = [node for node in graph if node not in apart]
        for node in trunk:
            yield from _indented(self.item(node, above), "  - ", "    ")
            above = node
        yield from self.outputs(trunk[-1] if trunk else None)
        if self.recipe:
            yield Line("train:", self.origins.top("train"))
            yield from _indented(self.settings(self.recipe, self.origins.written("train"), "train"), "  ")

    def inputs(self) -> Iterator[Line]:
        if [node.name for node in self.graph.inputs] == ["input"]:
            yield Line(f"input: {flow(list(self.graph.inputs[0].shape))}", self.origins.top("input") or self.origins.top("inputs"))
            return
        yield Line("inputs:")
        for node in self.graph.inputs:
            yield Line(f"  {node.name}: {flow(list(node.shape))}", line(node.place))

    def item(self, node: Node, above: Node | None, named: bool = True) -> Iterator[Line]:
        """name, from and kind with its options, a line each."""
        assert node.layer
        if named:
            calls = "".join(f", in {call.block} called at {line(call.place)}" for call in reversed(node.calls))
            yield Line(f"name: {self.names[node]}", f"{node.name}{calls}")
        merges = MERGED in type(node.layer).model_fields
        if not merges and node.inputs != (above,):
            yield Line(f"from: {self.names[node.inputs[0]]}")
        yield Line(f"{node.kind}:", line(node.place))
        if merges:
            yield Line(f"  {MERGED}: {flow([self.names[x] for x in node.inputs])}")
        else:
            yield from _indented(self.settings(node.layer, node.options), "  ")

    def settings(self, options: Options, written: Written | None, path: str = "") -> Iterator[Line]:
        """What was written of some options, each with its place; with `defaults` the rest too. `path` is that of --set."""
        short = not isinstance(written, Mapping)
        for name, key in option_names(options):
            if name not in options.model_fields_set and not self.defaults:
                continue
            value = getattr(options, name)
            if value is None:
                continue
            entry = written.entries.get(key) if isinstance(written, Mapping) else written if short else None
            inner = f"{path}.{key}" if path else ""
            yield from self.value(key, value, entry, self.origin(name in options.model_fields_set, entry, inner), inner)

    def origin(self, given: bool, entry: Written | None, path: str) -> str:
        override = self.origins.override(path) if path else ""
        return override or (self.origins.value(entry) if entry and given else "" if given else "default")

    def value(self, key: str, value: Any, written: Written | None, origin: str, path: str) -> Iterator[Line]:
        if isinstance(value, Options):
            yield from self.choice(key, value, written, origin, path)
        elif isinstance(value, list) and any(isinstance(one, Options) for one in value):
            yield Line(f"{key}:", origin)
            for one in value:
                yield from _indented(self.choice(one.kind, one, None, "", ""), "  - ", "    ")
        elif isinstance(value, dict) and any(isinstance(one, Options) for one in value.values()):
            yield Line(f"{key}:", origin)
            for name, one in value.items():
                inner = written.entries.get(name) if isinstance(written, Mapping) else None
                yield from _indented(self.choice(flow(name), one, inner, "", f"{path}.{name}"), "  ")
        elif isinstance(value, str) and "\n" in value.strip():
            yield Line(f"{key}: |", origin)
            yield from (Line(f"  {row}") for row in value.strip("\n").split("\n"))
        else:
            yield Line(f"{key}: {flow(value)}", origin)

    def choice(self, key: str, value: Options, written: Written | None, origin: str, path: str) -> Iterator[Line]:
        """A key with options under it; a kind stands between the two."""
        kind = value.kind if isinstance(value, Kind) and value.kind != key else ""
        inner = written.entries.get(kind) if kind and isinstance(written, Mapping) else None if kind else written
        lines = list(self.settings(value, inner, f"{path}.{kind}" if kind else path))
        if kind and not lines:
            yield Line(f"{key}: {kind}", origin)
            return
        yield Line(f"{key}:", origin)
        if kind:
            yield Line(f"  {kind}:")
        yield from _indented(lines, "    " if kind else "  ")

    def outputs(self, last: Node | None) -> Iterator[Line]:
        outputs = self.graph.outputs
        if len(outputs) == 1 and outputs[0].name == "output" and not self.heads[outputs[0]] and outputs[0].node is last:
            if outputs[0].loss:
                yield from self.choice("loss", outputs[0].loss, self.origins.written("loss"), self.origins.top("loss"), "loss")
            return
        yield Line("outputs:")
        for output in outputs:
            yield Line(f"  {flow(output.name)}:", line(output.place))
            yield from _indented(self.output(output, last), "    ")

    def output(self, output: Output, last: Node | None) -> Iterator[Line]:
        head = self.heads[output]
        if len(head) == 1:
            yield from self.item(head[0], last, named=False)
        elif head:
            yield from self.head(head, last)
        elif output.node is not last:
            yield Line(f"from: {self.names[output.node]}")
        if output.loss:
            yield from self.choice("loss", output.loss, None, "", "")
        for key, value in (("weight", None if output.weight == 1 else output.weight), ("target", output.target), ("only", output.only)):
            if value:
                yield Line(f"{key}: {flow(value)}")

    def head(self, head: Sequence[Node], last: Node | None) -> Iterator[Line]:
        start = next(x for node in head for x in node.inputs if x not in head)
        if start is not last:
            yield Line(f"from: {self.names[start]}")
        yield Line("sequence:")
        yield Line("  layers:")
        above = start
        for node in head:
            yield from _indented(self.item(node, above), "    - ", "      ")
            above = node

    def layers_of(self, output: Output) -> list[Node]:
        """The layers written under an output; without a section of outputs they are all in the trunk."""
        return [node for node in self.graph if node.name.split(".")[0] == output.name] if self.origins.written("outputs") else []


def _flat_names(graph: Graph) -> dict[Node, str]:
    """layer1.0.conv1 becomes layer1_0_conv1, a mere number gets its kind in front."""
    names: dict[Node, str] = {node: node.name for node in graph.inputs}
    taken = {"above", "input", *names.values(), *(output.name for output in graph.outputs)}
    for node in graph:
        name = node.name.replace(".", "_")
        name = name if re.search("[A-Za-z]", name) else f"{node.kind}_{name}"
        while name in taken:
            name += "_"
        taken.add(name)
        names[node] = name
    return names


def _indented(lines: Iterable[Line], first: str, rest: str | None = None) -> Iterator[Line]:
    for at, (text, origin) in enumerate(lines):
        yield Line((first if at == 0 or rest is None else rest) + text, origin)


def flow(value: Any) -> str:
    """A value in YAML's flow style."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(flow, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{flow(key)}: {flow(inner)}' for key, inner in value.items())}}}"
    if isinstance(value, str):
        return value if PLAIN.fullmatch(value) and value not in NO_TEXT else json.dumps(value, ensure_ascii=False)
    return repr(value)

"""Where the values of a net came from: the files behind it, its variant, and --set, weakest first."""

from __future__ import annotations

import re
from collections.abc import Sequence

from netcompiler.graph import Graph
from netcompiler.source import Mapping, Node, Place, Source, parse

SETTING = "--set"
IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Origins:
    def __init__(self, graph: Graph, settings: Sequence[str] = ()) -> None:
        self.trees = _trees(graph)
        self.variant = graph.variant
        self.settings = {setting.partition("=")[0] for setting in settings}

    def top(self, key: str) -> str:
        """Of a top key of the spec."""
        return self._strongest(key, [tree.entries.get(key) for tree in self.trees])

    def value(self, written: Node) -> str:
        """Of a value: its line, and the expression it was worked out from with the variables in it."""
        text = _text(written) if written.dynamic else ""
        parts = [f"{line(written.place)} {text}".rstrip()]
        for name in dict.fromkeys(IDENTIFIER.findall(text)):
            place = self._strongest(name, [_entry(tree, "vars", name) for tree in self.trees])
            parts += [f"{name} {place}"] if place else []
        return ", ".join(parts)

    def written(self, key: str) -> Node | None:
        """A top key's value as the files have it."""
        return next((tree.entries[key] for tree in self.trees if key in tree.entries), None)

    def override(self, path: str) -> str:
        """What --set or the variant has put at a path; nothing where neither has."""
        if path in self.settings:
            return SETTING
        chosen = [_entry(tree, "variants", self.variant, path) for tree in self.trees] if self.variant else []
        return next((line(node.place) for node in chosen if node), "")

    def _strongest(self, path: str, files: Sequence[Node | None]) -> str:
        return self.override(path) or next((line(node.place) for node in files if node), "")


def line(place: Place) -> str:
    return f"{place.source.name}:{place.line}"


def _entry(tree: Mapping, *path: str) -> Node | None:
    node: Node | None = tree
    for key in path:
        node = node.entries.get(key) if isinstance(node, Mapping) else None
    return node


def _text(written: Node) -> str:
    place = written.place
    text = place.source.lines[place.line - 1][place.column - 1 :]
    return text[: place.end_column - place.column] if place.line == place.end_line else text


def _trees(graph: Graph) -> list[Mapping]:
    """The files, the spec itself first."""
    sources: dict[str, Source] = {}
    for place in (thing.place for thing in (*graph.inputs, *graph, *graph.outputs)):
        sources.setdefault(place.source.name, place.source)
    ordered = sorted(sources.values(), key=lambda source: source.name != graph.spec)
    trees = [parse(source) for source in ordered if source.name != SETTING]
    return [tree for tree in trees if isinstance(tree, Mapping)]

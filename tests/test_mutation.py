"""No key of the zoo is there for nothing: deleted, renamed or written twice, each gives an error or another net, never silence.

A mutation changes the text, at the places of the parsed tree.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

import pytest
import yaml

from netcompiler import load, zoo
from netcompiler.diagnostics import Diagnostic
from netcompiler.loading import Loaded


class Entry(NamedTuple):
    """A key with its value: where both stand in the text, and in what sort of mapping."""

    key: str
    line: int
    column: int
    begin: int
    colon: int
    end: int
    after: int
    """Where the next entry of the same mapping begins, else the end of this one."""
    flow: bool
    alone: bool
    """A pair in a list without braces of its own: [conv: 3, relu]."""


def entries(text: str) -> list[Entry]:
    return list(_entries(yaml.compose(text, Loader=yaml.SafeLoader), text))


def _entries(node: Any, text: str) -> Iterator[Entry]:
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _entries(item, text)
    if not isinstance(node, yaml.MappingNode):
        return
    alone = bool(node.flow_style) and text[node.start_mark.index] != "{"
    for at, (key, value) in enumerate(node.value):
        begin, end = key.start_mark.index, _end(value, key, text)
        after = node.value[at + 1][0].start_mark.index if at + 1 < len(node.value) else end
        mark = key.start_mark
        yield Entry(key.value, mark.line + 1, mark.column, begin, key.end_mark.index, end, after, bool(node.flow_style), alone)
        yield from _entries(value, text)


def _end(value: Any, key: Any, text: str) -> int:
    """Behind the last character of a value, without the comment and the blank lines that follow a block."""
    end = max(value.end_mark.index, key.end_mark.index)
    while isinstance(value, yaml.CollectionNode) and not value.flow_style and value.value:
        last = value.value[-1]
        value = last[1] if isinstance(last, tuple) else last
        end = value.end_mark.index
    return len(text[:end].rstrip())


def deleted(text: str, entry: Entry) -> str:
    if not entry.flow or entry.after > entry.end:
        return text[: entry.begin] + text[entry.after :]
    before = text[: entry.begin].rstrip()
    return before.removesuffix(",") + text[entry.end :]


def renamed(text: str, entry: Entry) -> str:
    return f"{text[: entry.begin]}{entry.key}z{text[entry.colon :]}"


def doubled(text: str, entry: Entry) -> str:
    glue = ", " if entry.flow else "\n" + " " * entry.column
    return text[: entry.begin] + text[entry.begin : entry.end] + glue + text[entry.begin :]


MUTATIONS = {"deleted": deleted, "renamed": renamed, "doubled": doubled}


def meaning(loaded: Loaded) -> object:
    """All that a spec comes to, without places."""
    graph = loaded.graph
    assert graph
    nodes = [(x.name, repr(x.layer), [y.name for y in x.inputs], x.shape, x.only) for x in (*graph.inputs, *graph.nodes)]
    outputs = [(x.name, x.node.name, repr(x.loss), x.weight, x.target, x.only) for x in graph.outputs]
    return graph.name, graph.doc, nodes, outputs, graph.scopes, repr(loaded.recipe)


def read(text: str, variant: str | None) -> Loaded:
    return load(f"-:{variant}" if variant else "-", stdin_text=text)


@cache
def original(name: str, variant: str | None) -> object:
    return meaning(read(zoo.read(name)[0], variant))


def effect(name: str, text: str) -> list[Diagnostic] | str:
    """The errors of a text, else what is different from the net of this name."""
    loaded = read(text, None)
    if loaded.errors:
        return loaded.errors
    if meaning(loaded) != original(name, None):
        return "another net"
    for variant in zoo.variants(name):
        changed = read(text, variant)
        if changed.errors:
            return "a variant less"
        if meaning(changed) != original(name, variant):
            return "another variant"
    return ""


def silent(name: str, mutation: str) -> Iterator[str]:
    text = zoo.read(name)[0]
    for entry in entries(text):
        found = effect(name, MUTATIONS[mutation](text, entry))
        if not found:
            yield f"{name}:{entry.line}:{entry.column + 1} {entry.key} {mutation}: nothing is said"
        if mutation == "doubled" and not entry.alone and not any(d.code == "duplicate-key" for d in found if isinstance(d, Diagnostic)):
            yield f"{name}:{entry.line}:{entry.column + 1} {entry.key} {mutation}: {found}"


@pytest.mark.parametrize("mutation", MUTATIONS)
@pytest.mark.parametrize("name", zoo.names())
def test_no_key_is_there_for_nothing(name: str, mutation: str) -> None:
    assert list(silent(name, mutation)) == []


def test_a_file_has_many_keys() -> None:
    assert sum(len(entries(zoo.read(name)[0])) for name in zoo.names()) > 900


def test_the_mutations() -> None:
    text = "a: 1  # one\nb: {c: 1, d: [e: 2, f]}\ng:\n  - h: 3\n    i: 4\n"
    assert [entry.key for entry in entries(text)] == ["a", "b", "c", "d", "e", "g", "h", "i"]
    a, _b, c, d, e, _g, h, i = entries(text)
    assert deleted(text, a) == text.removeprefix("a: 1  # one\n")
    assert deleted(text, c) == text.replace("c: 1, ", "")
    assert deleted(text, d) == text.replace(", d: [e: 2, f]", "")
    assert deleted(text, e) == text.replace("e: 2", "")
    assert deleted(text, h) == text.replace("h: 3\n    ", "")
    assert deleted(text, i) == text.replace("i: 4", "")
    assert doubled(text, a) == "a: 1\n" + text
    assert doubled(text, e) == text.replace("e: 2", "e: 2, e: 2")
    assert doubled(text, h) == text.replace("h: 3", "h: 3\n    h: 3")
    assert renamed(text, i) == text.replace("i: 4", "iz: 4")

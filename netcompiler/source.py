"""YAML 1.2 text -> a tree of nodes, each with its place in the file.

Nothing here knows what a layer is. Read next: document.py, which turns the tree into items.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, NamedTuple, TypeAlias

import yaml

from netcompiler.diagnostics import Diagnostic, SpecError
from netcompiler.slips import explain

MAX_BYTES = 4_000_000
MAX_NODES = 200_000
MAX_DEPTH = 60
MAX_DIGITS = 40

BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

WHOLE = re.compile(r"[-+]?(0|[1-9][0-9]*)")
DECIMAL = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]{1,2})?")


@dataclass(frozen=True, eq=False)
class Source:
    """A text and the name that messages give it."""

    name: str
    text: str

    @cached_property
    def lines(self) -> list[str]:
        return BREAK.split(self.text.removeprefix("\ufeff"))


class Place(NamedTuple):
    """A span of a source; lines and columns count from 1, the end is exclusive."""

    source: Source
    line: int
    column: int
    end_line: int
    end_column: int

    def __str__(self) -> str:
        return f"{self.source.name}:{self.line}:{self.column}"

    def part(self, begin: int, length: int) -> Place:
        """A stretch of a one-line scalar, `begin` characters after its first."""
        column = self.column + begin
        return Place(self.source, self.line, column, self.line, column + length)


class Node:
    """A value of the file. `dynamic` says that some text in it starts with `$`."""

    __slots__ = ("dynamic", "place")

    def __init__(self, place: Place, dynamic: bool) -> None:
        self.place = place
        self.dynamic = dynamic


Value: TypeAlias = "int | Fraction | bool | str | None"


class Scalar(Node):
    """A number (exact), truth, text or null; `raw` is the text as written, `quoted` whether it had quotes."""

    __slots__ = ("quoted", "raw", "value")

    def __init__(self, place: Place, value: Value, raw: str, quoted: bool = False) -> None:
        super().__init__(place, isinstance(value, str) and value.startswith("$"))
        self.value = value
        self.raw = raw
        self.quoted = quoted


class Items(Node):
    """A YAML list."""

    __slots__ = ("items",)

    def __init__(self, place: Place, items: list[Node]) -> None:
        super().__init__(place, any(item.dynamic for item in items))
        self.items = items


class Mapping(Node):
    """A YAML mapping: keys are texts as written; `keys` holds their places."""

    __slots__ = ("entries", "keys")

    def __init__(self, place: Place, entries: dict[str, Node], keys: dict[str, Place]) -> None:
        super().__init__(place, any(value.dynamic for value in entries.values()))
        self.entries = entries
        self.keys = keys

    def key(self, name: str) -> Place:
        return self.keys.get(name, self.place)


def plain(node: Node) -> Any:
    """The node as Python data: exact numbers become int where whole, else float."""
    if isinstance(node, Mapping):
        return {key: plain(value) for key, value in node.entries.items()}
    if isinstance(node, Items):
        return [plain(item) for item in node.items]
    assert isinstance(node, Scalar)
    return number(node.value)


def number(value: Any) -> Any:
    if isinstance(value, Fraction):
        return value.numerator if value.denominator == 1 else float(value)
    return value


def resolve(text: str) -> Value:
    """The value of a plain scalar, by YAML 1.2's core schema; what fits nothing stays text."""
    if text in ("null", "~", ""):
        return None
    if text in ("true", "false"):
        return text == "true"
    if len(text) <= MAX_DIGITS and (text[0].isdigit() or text[0] in "+-."):
        if WHOLE.fullmatch(text):
            return int(text)
        if DECIMAL.fullmatch(text):
            return Fraction(text)
    return text


def parse(source: Source, shown: Source | None = None, found: list[Diagnostic] | None = None) -> Node:
    """The one document of a source; raises SpecError where it is not YAML as netc reads it.

    Places point into `shown`, where that is another text of the same lines and columns. With `found`, mistakes that
    leave the meaning of the rest clear go there, and the tree is the result."""
    builder = _Builder(shown or source)
    loader: Any = getattr(yaml, "CLoader", yaml.Loader)
    try:
        _check_characters(source, shown or source)
        tree = builder.build(yaml.parse(source.text, Loader=loader))
    except yaml.MarkedYAMLError as error:
        raise SpecError(*builder.found, *_unless_a_follow_up(_slip(shown or source, error), builder.found)) from None
    if found is None or any(mistake.code not in HARMLESS for mistake in builder.found):
        if builder.found:
            raise SpecError(*builder.found)
    else:
        found += builder.found
    return tree


HARMLESS = {"duplicate-key", "anchor", "tag"}


def _slip(source: Source, error: yaml.MarkedYAMLError) -> Diagnostic:
    mark, message, help = explain(error, source.lines)
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    if line > len(source.lines):  # the parser adds a line break to a text that ends without one
        line, column = len(source.lines), len(source.lines[-1]) + 1
    return Diagnostic("syntax", Place(source, line, column, line, column + 1), message, (), help)


def _unless_a_follow_up(slip: Diagnostic, found: list[Diagnostic]) -> list[Diagnostic]:
    return [] if any(earlier.place.line == slip.place.line for earlier in found) else [slip]


def _check_characters(source: Source, shown: Source) -> None:
    if len(source.text) > MAX_BYTES:
        raise _error(shown, 1, 1, "too-large", f"this text is larger than {MAX_BYTES // 1_000_000} MB", "a spec is a page or two")
    if match := FORBIDDEN.search(source.text.removeprefix("\ufeff")):
        before = BREAK.split(match.string[: match.start()])
        message = f"the character U+{ord(match[0]):04X} may not stand in YAML"
        help = "remove it, or write it as an escape in double quotes"
        raise _error(shown, len(before), len(before[-1]) + 1, "syntax", message, help)


class _Builder:
    """Puts events together without recursion, so that nesting is bounded by us and not by the stack."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.found: list[Diagnostic] = []
        self.nodes = 0

    def build(self, events: Iterator[Any]) -> Node:
        root: Node | None = None
        stack: list[_Open] = []
        for event in events:
            self._refuse(event, root, stack)
            node: Node | None = None
            if isinstance(event, yaml.ScalarEvent):
                node = self._scalar(event)
            elif isinstance(event, yaml.AliasEvent):
                node = Scalar(self._place(event), f"*{event.anchor}", f"*{event.anchor}")
            elif isinstance(event, yaml.SequenceStartEvent | yaml.MappingStartEvent):
                if stack and stack[-1].wants_key:
                    raise SpecError(*self.found, self._at(event, "syntax", "a key must be a plain text", "write a name before the colon"))
                stack.append(_Open(self._place(event), isinstance(event, yaml.MappingStartEvent)))
            elif isinstance(event, yaml.SequenceEndEvent | yaml.MappingEndEvent):
                node = stack.pop().close(event)
            if node is None:
                continue
            if stack:
                self._put(stack[-1], node)
            else:
                root = node
        if root is None or (isinstance(root, Scalar) and root.value is None):
            raise _error(self.source, 1, 1, "empty", "there is nothing in this file", "`netc new NAME` writes a spec to start from")
        return root

    def _refuse(self, event: Any, root: Node | None, stack: list[_Open]) -> None:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise SpecError(*self.found, self._at(event, "too-large", f"more than {MAX_NODES:,} values", "let `repeat` write them"))
        if len(stack) >= MAX_DEPTH:
            raise SpecError(*self.found, self._at(event, "depth", f"nested more than {MAX_DEPTH} deep", "put inner parts into blocks"))
        if isinstance(event, yaml.DocumentStartEvent) and root is not None:
            raise SpecError(*self.found, self._at(event, "documents", "a file holds one document", "put the second into a file of its own"))
        if isinstance(event, yaml.AliasEvent):
            self._once(self._at(event, "alias", "aliases (*name) are not part of the language", INSTEAD.format("*")))
        elif getattr(event, "anchor", None) is not None:
            self._once(self._at(event, "anchor", "anchors (&name) are not part of the language", INSTEAD.format("&")))
        elif getattr(event, "tag", None) is not None:
            self._once(self._at(event, "tag", "tags (!name) are not part of the language", "quote a text that starts with `!`"))

    def _once(self, mistake: Diagnostic) -> None:
        """What the language lacks is said where it is used first."""
        if all(mistake.code != earlier.code for earlier in self.found):
            self.found.append(mistake)

    def _scalar(self, event: Any) -> Scalar:
        quoted = bool(event.style)
        scalar = Scalar(self._place(event), event.value if quoted else resolve(event.value), event.value, quoted)
        if scalar.dynamic and _unbalanced(event.value):
            self.found.append(_unquoted(scalar))
            scalar.dynamic = False
        return scalar

    def _put(self, top: _Open, node: Node) -> None:
        if not top.wants_key:
            top.add(node)
            return
        assert isinstance(node, Scalar)
        key = node.raw
        top.pending = key
        if _unbalanced(key):
            if not self.found or self.found[-1].code != "unbalanced":  # else it is the other half
                self.found.append(_unquoted(node))
        elif key == "<<":
            help = "`extends` builds on another spec, a block names a group of layers"
            self._once(Diagnostic("merge-key", node.place, "merge keys (<<) are not part of the language", (), help))
        elif key in top.keys:
            help = "take one out, or give each layer of a list a `- ` of its own"
            facts = (f"first at {top.keys[key]}",)
            self.found.append(Diagnostic("duplicate-key", node.place, f"the key `{key}` is written twice", facts, help))
        else:
            top.keys[key] = node.place

    def _place(self, event: Any) -> Place:
        start, end = event.start_mark, event.end_mark
        return Place(self.source, start.line + 1, start.column + 1, end.line + 1, end.column + 1)

    def _at(self, event: Any, code: str, message: str, help: str) -> Diagnostic:
        return Diagnostic(code, self._place(event), message, (), help)


class _Open:
    """A list or mapping whose end has not been read yet."""

    __slots__ = ("entries", "items", "keys", "mapping", "pending", "place")

    def __init__(self, place: Place, mapping: bool) -> None:
        self.place = place
        self.mapping = mapping
        self.items: list[Node] = []
        self.entries: dict[str, Node] = {}
        self.keys: dict[str, Place] = {}
        self.pending: str | None = None

    @property
    def wants_key(self) -> bool:
        return self.mapping and self.pending is None

    def add(self, node: Node) -> None:
        if self.pending is None:
            self.items.append(node)
        else:
            self.entries.setdefault(self.pending, node)  # of two values of one key the first counts
            self.pending = None

    def close(self, event: Any) -> Node:
        end = event.end_mark
        place = self.place._replace(end_line=end.line + 1, end_column=end.column + 1)
        return Mapping(place, self.entries, self.keys) if self.mapping else Items(place, self.items)


INSTEAD = "a block, a variable or $name says it once; quote a text that starts with `{}`"


def _unquoted(node: Scalar) -> Diagnostic:
    help = "quote this: in [..] and {..} a comma or a bracket ends a text without quotes"
    return Diagnostic("unbalanced", node.place, f"the parentheses of `{node.raw}` do not match", (), help)


def _unbalanced(text: str) -> bool:
    depth = 0
    for character in text:
        depth += (character == "(") - (character == ")")
        if depth < 0:
            return True
    return depth != 0


def _error(source: Source, line: int, column: int, code: str, message: str, help: str) -> SpecError:
    return SpecError(Diagnostic(code, Place(source, line, column, line, column + 1), message, (), help))

"""Values of a file: exact numbers, texts and lists out of nodes, and nodes with values in place of `$`."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from netcompiler.arithmetic import Lookup
from netcompiler.diagnostics import Mistake
from netcompiler.expression import parse_value
from netcompiler.formula import parse_formula, show_term, with_constants
from netcompiler.options import Formula, Options, Structure
from netcompiler.reader import fields_of, mark_of, text_place
from netcompiler.source import Items, Mapping, Node, Place, Scalar


class Misplaced(Exception):
    """A mistake with its place."""

    def __init__(self, mistake: Mistake, place: Place) -> None:
        super().__init__(mistake.message)
        self.mistake = mistake
        self.place = place


def exact(node: Node) -> Any:
    """A node as a value of an expression: numbers stay exact."""
    if isinstance(node, Items):
        return [exact(item) for item in node.items]
    if isinstance(node, Mapping):
        raise Misplaced(
            Mistake("wrong-type", "a mapping stands where a value is expected", "a value is a number, a truth, a text or a list"),
            node.place,
        )
    assert isinstance(node, Scalar)
    value = node.value
    return value.numerator if isinstance(value, Fraction) and value.denominator == 1 else value


def substitute(node: Node, lookup: Lookup) -> Node:
    """A node with values in place of every `$`; the same node where there is none."""
    if not node.dynamic:
        return node
    if isinstance(node, Mapping):
        return Mapping(node.place, {key: substitute(value, lookup) for key, value in node.entries.items()}, node.keys)
    if isinstance(node, Items):
        return Items(node.place, [substitute(item, lookup) for item in node.items])
    assert isinstance(node, Scalar)
    return as_node(_placed(node, lambda: parse_value(node.raw).evaluate(lookup)), node)


def as_node(value: Any, at: Scalar) -> Node:
    """A value as if it had been written at a place."""
    if isinstance(value, list):
        return Items(at.place, [as_node(item, at) for item in value])
    scalar = Scalar(at.place, value, value if isinstance(value, str) else at.raw)
    scalar.dynamic = False
    return scalar


def substitute_options(model: type[Options], node: Node | None, lookup: Lookup) -> Node | None:
    """The options of a model with values in place; lists of items and the like are left as they are."""
    if node is None:
        return None
    fields = fields_of(model)
    formulas = [key for key, field in fields.items() if mark_of(field, Formula)]
    if not isinstance(node, Mapping):
        return _with_constants(node, lookup) if formulas and isinstance(node, Scalar) else substitute(node, lookup)
    entries = dict(node.entries)
    for key, value in node.entries.items():
        if key in formulas and isinstance(value, Scalar):
            entries[key] = _with_constants(value, lookup)
        elif key in fields and not mark_of(fields[key], Structure):
            entries[key] = substitute(value, lookup)
    return Mapping(node.place, entries, node.keys)


def _with_constants(node: Scalar, lookup: Lookup) -> Node:
    """A formula over x with the values of all other names written into it."""
    if node.dynamic or not isinstance(node.value, str):
        return substitute(node, lookup)
    return as_node(_placed(node, lambda: show_term(with_constants(parse_formula(node.raw).root, lookup))), node)


def _placed(node: Scalar, work: Callable[[], Any]) -> Any:
    try:
        return work()
    except Mistake as mistake:
        raise Misplaced(mistake, text_place(node)) from None

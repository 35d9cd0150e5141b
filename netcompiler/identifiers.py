"""IDs as written: variables, arguments, columns. What each means where, whether it is used, and what is asked for in vain."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from netcompiler.diagnostics import Mistake, closest, did_you_mean
from netcompiler.expression import Expression, parse_template, parse_value
from netcompiler.formula import parse_formula
from netcompiler.grammar import ID, TAKEN
from netcompiler.reader import Findings, text_place
from netcompiler.source import Items, Mapping, Node, Place, Scalar

Binding = tuple[str, str, str]
"""What an ID means: its sort (variable, argument, column, block), its owner, its name."""


@dataclass
class Visible:
    """The IDs that an expression may use, and whether `$in`, `$size` and `$index` mean something there."""

    ids: dict[str, Binding]
    receives: bool = True
    turns: bool = False

    def words(self) -> set[str]:
        return {*self.ids, *({"in", "size"} if self.receives else ()), *({"index"} if self.turns else ())}


class Uses:
    """What a file and all its variants declare and use."""

    def __init__(self) -> None:
        self.declared: dict[Binding, Place] = {}
        self.used: set[Binding] = set()

    def unused(self) -> Iterator[tuple[Binding, Place]]:
        return ((binding, place) for binding, place in self.declared.items() if binding not in self.used)


def block(name: str) -> Binding:
    return "block", "", name


class Identifiers:
    """Checks declarations and uses as they are read."""

    def __init__(self, findings: Findings, uses: Uses) -> None:
        self.findings = findings
        self.uses = uses

    def declare(self, name: str, place: Place, binding: Binding, ids: dict[str, Binding]) -> None:
        """Adds an ID to `ids`, in which nothing may hide anything."""
        if not re.fullmatch(ID, name):
            help = "use letters, digits and _, with a letter first"
            self.findings.error("name", place, f"`{name}` cannot be the name of a {binding[0]}", help)
            return
        if name in TAKEN:
            message = f"`{name}` has a meaning of its own: no {binding[0]} may be called so"
            self.findings.error("taken", place, message, "choose another name")
        elif name in ids:
            sort, owner, _ = ids[name]
            message = f"`{name}` is {f'an argument of {owner}' if sort == 'argument' else f'a {sort}'} already"
            self.uses.used.add(ids[name])
            self.findings.error("hides", place, message, "nothing hides anything: choose another name")
        self.uses.declared.setdefault(binding, place)
        self.findings.variables.add(name)
        ids[name] = binding

    def expressions(self, node: Node, visible: Visible) -> None:
        """Checks every name in every `$` of a node."""
        if not node.dynamic:
            return
        if isinstance(node, Mapping):
            for value in node.entries.values():
                self.expressions(value, visible)
        elif isinstance(node, Items):
            for value in node.items:
                self.expressions(value, visible)
        elif isinstance(node, Scalar):
            try:
                self._names(parse_value(node.raw), node, visible)
            except Mistake as mistake:
                self.findings.add(mistake.at(text_place(node)))

    def template(self, node: Scalar, visible: Visible) -> None:
        """Checks the names in a text that has `$` inside."""
        try:
            for part in parse_template(node.raw):
                if isinstance(part, Expression):
                    self._names(part, node, visible)
        except Mistake as mistake:
            self.findings.add(mistake.at(text_place(node)))

    def formula(self, node: Scalar, visible: Visible) -> None:
        """Checks the names in a formula over x."""
        if node.dynamic:
            if not re.fullmatch(rf"\$({ID}|\(.*\))", node.raw):
                help = f"write {node.raw.replace('$', '')}"
                self.findings.error("expression", text_place(node), "a formula names variables without `$`", help)
                self.mentioned(node, visible)
            return
        try:
            formula = parse_formula(node.raw)
        except Mistake:
            return  # read_options says it
        self._names(formula, node, Visible({**visible.ids, "x": ("formula", "", "x")}, visible.receives, visible.turns))

    def mentioned(self, node: Node | None, visible: Visible) -> None:
        """What stands in a part that cannot be read counts as used, so that nothing is said of it but the part's own mistake."""
        if isinstance(node, Mapping):
            self.uses.used.update(map(block, node.entries))
            for value in node.entries.values():
                self.mentioned(value, visible)
        elif isinstance(node, Items):
            for value in node.items:
                self.mentioned(value, visible)
        elif isinstance(node, Scalar):
            self.uses.used.add(block(node.raw))
            words = re.findall(ID, node.raw) if "$" in node.raw else ()
            self.uses.used.update(visible.ids[word] for word in words if word in visible.ids)

    def meant(self, word: str, known: dict[str, Binding]) -> None:
        """What a misspelt word stands for counts as used."""
        if near := closest(word, known):
            self.uses.used.add(known[near])

    def _names(self, expression: Expression, node: Scalar, visible: Visible) -> None:
        for name, span in expression.names():
            if name in visible.ids:
                self.uses.used.add(visible.ids[name])
            elif name not in visible.words():
                self.meant(name, visible.ids)
                self.findings.add(_unknown(name, visible, span).at(text_place(node)))


def _unknown(name: str, visible: Visible, span: tuple[int, int]) -> Mistake:
    if name == "index":
        message = "`$index` is the turn of a repeat, and there is none around this"
        return Mistake("unknown-variable", message, "pass it to a block as an argument", span=span)
    if name == "x":
        return Mistake(
            "unknown-variable", "`x` is the input of a formula, and this is none", "write map: and the formula without `$`", span=span
        )
    if name in ("in", "size"):
        message = f"`${name}` is what an item receives, and nothing is received here"
        return Mistake("unknown-variable", message, "write the number", span=span)
    return Mistake("unknown-variable", f"there is no variable `{name}` here", did_you_mean(name, visible.words()), span=span)

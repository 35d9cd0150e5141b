"""Where expressions stand in a file: `$name`, `$(expr)`, and texts with either inside.

Read before: grammar.py and arithmetic.py, what stands between the parentheses and what it comes to.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, NamedTuple

from netcompiler.arithmetic import Lookup, evaluate, show_value
from netcompiler.diagnostics import Mistake
from netcompiler.grammar import ID, Term, parse

LONGEST_WORD = 100


class Expression(NamedTuple):
    """A parsed text; places in mistakes count from the start of the scalar it stood in, plus `offset`."""

    root: Term
    offset: int = 0

    def evaluate(self, lookup: Lookup) -> Any:
        try:
            return evaluate(self.root, lookup)
        except Mistake as mistake:
            raise mistake.moved(self.offset) from None

    def names(self) -> list[tuple[str, tuple[int, int]]]:
        """Each name in it, with its span."""
        return [(term.leaf, (term.at + self.offset, term.length)) for term in self.root.names()]


@lru_cache(maxsize=4096)
def parse_value(scalar: str) -> Expression:
    """`$name` or `$(expr)`, which must be the whole scalar."""
    if re.fullmatch(rf"\${ID}", scalar):
        return Expression(Term("name", leaf=scalar[1:], at=1, length=len(scalar) - 1))
    if scalar.startswith("$(") and scalar.endswith(")"):
        return Expression(parse(scalar[2:-1], 2))
    raise Mistake("expression", f"`{scalar}` is neither $name nor $(expression)", "put arithmetic into parentheses: $(2 * filters)")


@lru_cache(maxsize=4096)
def parse_template(text: str) -> tuple[str | Expression, ...]:
    """A text in which `$ID` and `$(expr)` stand for values: `layer$stage`."""
    parts: list[str | Expression] = []
    at = 0
    while (dollar := text.find("$", at)) >= 0:
        parts.append(text[at:dollar])
        at = _end_of_value(text, dollar)
        try:
            parts.append(Expression(parse_value(text[dollar:at]).root, dollar))
        except Mistake as mistake:
            raise mistake.moved(dollar) from None
    return (*parts, text[at:])


def fill(template: tuple[str | Expression, ...], lookup: Lookup) -> str:
    return "".join(part if isinstance(part, str) else _as_word(part.evaluate(lookup)) for part in template)


def _as_word(value: Any) -> str:
    """A value as it may stand inside a name."""
    if isinstance(value, bool | list):
        raise Mistake("name", f"{show_value(value)} cannot be part of a name", "take a number or a text")
    if isinstance(value, str) and len(value) > LONGEST_WORD:
        raise Mistake("name", f"a text of {len(value):,} characters cannot be part of a name", f"use at most {LONGEST_WORD}")
    return show_value(value) if not isinstance(value, str) else value


def _end_of_value(text: str, dollar: int) -> int:
    if match := re.compile(ID).match(text, dollar + 1):
        return match.end()
    depth = 0
    for at in range(dollar + 1, len(text)):
        depth += (text[at] == "(") - (text[at] == ")")
        if depth == 0:
            return at + 1 if at > dollar + 1 else at
    return len(text)

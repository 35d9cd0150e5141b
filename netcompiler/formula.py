"""Formulas over x, as `map` takes them: the grammar of $(...) without `$`, in floats, with functions of its own."""

from __future__ import annotations

from functools import lru_cache

from netcompiler.arithmetic import Lookup, show_value, sign, sort_of
from netcompiler.expression import Expression
from netcompiler.grammar import COMPARE, POINTWISE, Term, parse

ARITY = {name: 2 if name in ("min", "max") else 1 for name in POINTWISE}
NUMBER, TRUTH = "a number", "a truth"
SIGNS = {"+", "-", "*", "/", "**", "negate", "if", "and", "or", "not", *COMPARE}


@lru_cache(maxsize=1024)
def parse_formula(text: str) -> Expression:
    root = parse(text, functions=POINTWISE)
    _check(root)
    if _sort(root) == TRUTH:
        raise root.wrong("a formula gives a number, and this gives true or false", "write `1 if … else 0`")
    return Expression(root)


def _check(term: Term) -> None:
    if term.op == "value" and isinstance(term.leaf, str):
        raise term.wrong("a formula works on numbers, and this is a text")
    if term.op in POINTWISE:
        if len(term.args) != ARITY[term.op]:
            raise term.wrong(f"`{term.op}` takes {ARITY[term.op]} here, not {len(term.args)}")
    elif term.op not in SIGNS | {"value", "name"}:
        raise term.wrong(f"`{term.op}` has no use in a formula over x", f"there are {', '.join(sorted(POINTWISE))}")
    for arg in term.args:
        _check(arg)


def _sort(term: Term) -> str:
    """What a term gives: a number, a truth, or what only the value of a constant will tell. Raises Mistake where sorts clash."""
    if term.op in ("value", "name"):
        return "" if term.op == "name" and term.leaf != "x" else sort_of(term.leaf) if term.op == "value" else NUMBER
    sorts = [_sort(arg) for arg in term.args]
    wanted = [TRUTH] if term.op == "if" else [TRUTH] * len(sorts) if term.op in ("and", "or", "not") else [NUMBER] * len(sorts)
    for sort, want in zip(sorts, wanted, strict=False):
        if sort and sort != want:
            raise term.wrong(f"`{sign(term.op)}` needs {want} here, not {sort}", "compare it: x > 0" if want == TRUTH else "")
    if term.op == "if":
        return sorts[1] or sorts[2]
    return TRUTH if term.op in ("and", "or", "not", *COMPARE) else NUMBER


def with_constants(term: Term, lookup: Lookup) -> Term:
    """A formula with every name but x replaced by its value."""
    if term.op != "name" or term.leaf == "x":
        return term._replace(args=tuple(with_constants(arg, lookup) for arg in term.args))
    value = lookup(term.leaf)
    if isinstance(value, str | list):
        raise term.wrong(f"a formula works on numbers, and `{term.leaf}` is {sort_of(value)}")
    return term._replace(op="value", leaf=value)


def operations(term: Term) -> int:
    """How many operations, comparisons and functions a formula has."""
    return (term.op not in ("value", "name")) + sum(operations(arg) for arg in term.args)


BINDING = {
    "if": 0,
    "or": 1,
    "and": 2,
    "not": 3,
    **dict.fromkeys(COMPARE, 4),
    "+": 5,
    "-": 5,
    "*": 6,
    "/": 6,
    "//": 6,
    "%": 6,
    "negate": 7,
    "**": 8,
}
LEAF = 9


def show_term(term: Term) -> str:
    """The text of a term, with the parentheses it needs."""
    if term.op == "value":
        shown = f'"{term.leaf}"' if isinstance(term.leaf, str) else show_value(term.leaf)
        return f"({shown})" if shown.startswith("-") or "/" in shown else shown
    if term.op == "name":
        return str(term.leaf)
    binding = BINDING.get(term.op, LEAF)
    if term.op == "if":
        condition, then, other = term.args
        return f"{_inner(then, 1)} if {_inner(condition, 1)} else {_inner(other, 0)}"
    if term.op in ("negate", "not"):
        return ("-" if term.op == "negate" else "not ") + _inner(term.args[0], binding)
    if term.op == "[]":
        return f"{_inner(term.args[0], LEAF)}[{show_term(term.args[1])}]"
    if binding < LEAF:
        left, right = term.args
        right_first = term.op == "**"
        return f"{_inner(left, binding + right_first)} {term.op} {_inner(right, binding + (0 if right_first else 1))}"
    return f"{term.op}({', '.join(map(show_term, term.args))})"


def _inner(term: Term, least: int) -> str:
    text = show_term(term)
    return text if BINDING.get(term.op, LEAF) >= least else f"({text})"

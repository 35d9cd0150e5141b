"""What an expression comes to: operations on exact numbers, truths, texts and lists. Nothing is converted silently.

Names are looked up by a function that the caller gives; nothing else is reachable. Read before: grammar.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

from netcompiler.diagnostics import Mistake
from netcompiler.grammar import FUNCTIONS, POINTWISE, Term

MAX_EXPONENT = 64
MAX_BITS = 63

Lookup = Callable[[str], Any]


def show_value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Fraction) and value.denominator != 1:
        short = f"{float(value):.12g}"
        return short if Fraction(short) == value else f"{value.numerator}/{value.denominator}"
    if isinstance(value, list):
        return f"[{', '.join(map(show_value, value))}]"
    return "null" if value is None else str(value)


def sort_of(value: Any) -> str:
    """The word for a value's type."""
    if isinstance(value, bool):
        return "a truth"
    if isinstance(value, int | Fraction | float):
        return "a number"
    return "a text" if isinstance(value, str) else "a list" if isinstance(value, list) else "nothing"


def evaluate(term: Term, lookup: Lookup) -> Any:
    if term.op == "value":
        return term.leaf
    if term.op == "name":
        return lookup(term.leaf)
    if term.op in LAZY:
        return LAZY[term.op](term, lookup)
    values = [evaluate(arg, lookup) for arg in term.args]
    try:
        result = OPERATIONS[term.op](*values)
    except Mistake as mistake:
        mistake.span = mistake.span or (term.at, term.length)
        raise
    except (KeyError, TypeError):
        raise term.wrong(_misfit(term.op, values)) from None
    if isinstance(result, Fraction) and result.denominator == 1:
        result = result.numerator
    if isinstance(result, int | Fraction) and max(result.numerator.bit_length(), result.denominator.bit_length()) > MAX_BITS:
        raise term.wrong(f"the result of `{sign(term.op)}` does not fit into 64 bits")
    return result


def sign(op: str) -> str:
    """How an operation is written."""
    return "-" if op == "negate" else op


def _misfit(op: str, values: list[Any]) -> str:
    if op in POINTWISE - FUNCTIONS:
        return f"`{op}` is a function of `map`, not of $(...)"
    sorts = " and ".join(sort_of(value) for value in values)
    return f"`{sign(op)}` cannot take {sorts}"


# only the side that is chosen is computed


def _truth(term: Term, lookup: Lookup, of: str) -> bool:
    value = evaluate(term, lookup)
    if not isinstance(value, bool):
        raise term.wrong(f"`{of}` needs true or false, and this is {show_value(value)}", "compare it: x > 0")
    return value


def _choose(term: Term, lookup: Lookup) -> Any:
    condition, then, other = term.args
    return evaluate(then if _truth(condition, lookup, "if") else other, lookup)


LAZY: dict[str, Callable[[Term, Lookup], Any]] = {
    "if": _choose,
    "and": lambda term, lookup: all(_truth(arg, lookup, "and") for arg in term.args),
    "or": lambda term, lookup: any(_truth(arg, lookup, "or") for arg in term.args),
    "not": lambda term, lookup: not _truth(term.args[0], lookup, "not"),
}


# operations: TypeError where they cannot take a value


def _numbers(*values: Any) -> list[Fraction]:
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int | Fraction):
            raise TypeError
    return [Fraction(value) for value in values]


def _arithmetic(operation: Callable[[Fraction, Fraction], Any]) -> Callable[[Any, Any], Any]:
    def apply(a: Any, b: Any) -> Any:
        try:
            return operation(*_numbers(a, b))
        except ZeroDivisionError:
            raise Mistake("expression", "division by zero") from None

    return apply


def _power(a: Fraction, b: Fraction) -> Fraction:
    if b.denominator != 1 or abs(b) > MAX_EXPONENT:
        raise Mistake("expression", f"an exponent is a whole number from -{MAX_EXPONENT} to {MAX_EXPONENT}")
    return a**b.numerator


def _equal(a: Any, b: Any) -> bool:
    if sort_of(a) != sort_of(b):
        raise TypeError
    return bool(a == b)


def _several(values: tuple[Any, ...]) -> list[Fraction]:
    """The arguments of min, max and sum: several numbers, or one list of them."""
    if len(values) == 1 and isinstance(values[0], list):
        values = tuple(values[0])
    return _numbers(*values)


def _extreme(choose: Callable[[list[Fraction]], Fraction]) -> Callable[..., Fraction]:
    def apply(*values: Any) -> Fraction:
        numbers = _several(values)
        if not numbers:
            raise Mistake("expression", "an empty list has no smallest or largest value")
        return choose(numbers)

    return apply


def _round(x: Any, multiple: Any = 1) -> Fraction:
    value, step = _numbers(x, multiple)
    if step <= 0:
        raise Mistake("expression", "round(x, m) goes to a multiple of m, which must be above 0")
    return (value / step + Fraction(1, 2)) // 1 * step


def _length(value: Any) -> int:
    if not isinstance(value, list):
        raise TypeError
    return len(value)


def _item(values: Any, index: Any) -> Any:
    if not isinstance(values, list):
        raise TypeError
    [position] = _numbers(index)
    if position.denominator != 1 or not 0 <= position < len(values):
        range = f"it goes from 0 to {len(values) - 1}" if values else "it is empty"
        raise Mistake("expression", f"[{show_value(position)}] is outside a list of {len(values)}: {range}")
    return values[position.numerator]


OPERATIONS: Mapping[str, Callable[..., Any]] = {
    "+": _arithmetic(lambda a, b: a + b),
    "-": _arithmetic(lambda a, b: a - b),
    "*": _arithmetic(lambda a, b: a * b),
    "/": _arithmetic(lambda a, b: a / b),
    "//": _arithmetic(lambda a, b: a // b),
    "%": _arithmetic(lambda a, b: a % b),
    "**": _arithmetic(_power),
    "<": _arithmetic(lambda a, b: a < b),
    "<=": _arithmetic(lambda a, b: a <= b),
    ">": _arithmetic(lambda a, b: a > b),
    ">=": _arithmetic(lambda a, b: a >= b),
    "==": _equal,
    "!=": lambda a, b: not _equal(a, b),
    "negate": lambda a: -_numbers(a)[0],
    "[]": _item,
    "min": _extreme(min),
    "max": _extreme(max),
    "sum": lambda *values: sum(_several(values), Fraction(0)),
    "abs": lambda a: abs(_numbers(a)[0]),
    "floor": lambda a: _numbers(a)[0] // 1,
    "ceil": lambda a: -(-_numbers(a)[0] // 1),
    "round": _round,
    "len": _length,
}

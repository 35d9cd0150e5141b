"""The arithmetic of the language: `$name`, `$(expr)`, texts with `$` inside, and formulas over x.

    expr = or [if or else expr]     or = and {or and}     and = not {and not}     not = "not" not | sum [compare sum]
    sum  = term {(+ | -) term}      term = unary {(* | / | // | %) unary}         unary = - unary | power
    power = atom [** unary]         atom = NUMBER | true | false | "text" | ID | atom[expr] | fn(expr{, expr}) | (expr)

Numbers are exact fractions. Names are looked up by a function that the caller gives; nothing else is reachable.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from functools import lru_cache
from typing import Any, NamedTuple

from netcompiler.diagnostics import Mistake

MAX_LENGTH = 1000
MAX_DEPTH = 50
MAX_EXPONENT = 64
MAX_BITS = 63

FUNCTIONS = {"min", "max", "abs", "floor", "ceil", "round", "sum", "len"}
POINTWISE = {
    "abs",
    "min",
    "max",
    "exp",
    "expm1",
    "log",
    "log1p",
    "sqrt",
    "rsqrt",
    "tanh",
    "sigmoid",
    "softplus",
    "relu",
    "erf",
    "sin",
    "cos",
}
WORDS = {"if", "else", "and", "or", "not", "true", "false"}
TAKEN = {"in", "size", "index", "above", "input", "same", "x", *WORDS, *FUNCTIONS, *POINTWISE}
"""Words that no variable, argument or column may be called."""

ID = r"[A-Za-z_][A-Za-z0-9_]*"
TOKEN = re.compile(
    rf'\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{{1,2}})?)|(?P<name>{ID})|(?P<text>"[^"]*")|(?P<mark>\*\*|//|[=!<>]=|[-+*/%<>()\[\],]))'
)
COMPARE = {"==", "!=", "<", "<=", ">", ">="}


class Token(NamedTuple):
    sort: str
    text: str
    at: int


class Term(NamedTuple):
    """A node of an expression: an operation on terms, or a leaf (`value` or `name`) with its content in `leaf`."""

    op: str
    args: tuple[Term, ...] = ()
    leaf: Any = None
    at: int = 0
    length: int = 1

    def names(self) -> Iterator[Term]:
        if self.op == "name":
            yield self
        for arg in self.args:
            yield from arg.names()


Lookup = Callable[[str], Any]


class Expression(NamedTuple):
    """A parsed text; places in mistakes count from the start of the scalar it stood in."""

    root: Term

    def evaluate(self, lookup: Lookup) -> Any:
        return _evaluate(self.root, lookup)


@lru_cache(maxsize=4096)
def parse_value(scalar: str) -> Expression:
    """`$name` or `$(expr)`, which must be the whole scalar."""
    if re.fullmatch(rf"\${ID}", scalar):
        return Expression(Term("name", leaf=scalar[1:], at=1, length=len(scalar) - 1))
    if scalar.startswith("$(") and scalar.endswith(")"):
        return Expression(_Parser(scalar[2:-1], 2).whole())
    raise Mistake("expression", f"`{scalar}` is neither $name nor $(expression)", "put arithmetic into parentheses: $(2 * filters)")


@lru_cache(maxsize=1024)
def parse_formula(text: str) -> Expression:
    """A pointwise formula over x: the same grammar without `$`, with functions of its own."""
    root = _Parser(text, 0).whole()
    _check_formula(root)
    return Expression(root)


@lru_cache(maxsize=4096)
def parse_template(text: str) -> tuple[str | Expression, ...]:
    """A text in which `$ID` and `$(expr)` stand for values: `layer$stage`."""
    parts: list[str | Expression] = []
    at = 0
    while at < len(text):
        dollar = text.find("$", at)
        if dollar < 0:
            parts.append(text[at:])
            break
        if dollar > at:
            parts.append(text[at:dollar])
        at = _end_of_value(text, dollar)
        value = parse_value(text[dollar:at])
        parts.append(Expression(_shift(value.root, dollar)))
    return tuple(parts)


def fill(template: tuple[str | Expression, ...], lookup: Lookup) -> str:
    return "".join(part if isinstance(part, str) else as_word(part.evaluate(lookup)) for part in template)


def as_word(value: Any) -> str:
    """A value as it may stand inside a name."""
    if isinstance(value, bool | list):
        raise Mistake("name", f"{show_value(value)} cannot be part of a name")
    return show_value(value) if not isinstance(value, str) else value


def show_value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Fraction) and value.denominator != 1:
        short = f"{float(value):.12g}"
        return short if Fraction(short) == value else f"{value.numerator}/{value.denominator}"
    if isinstance(value, list):
        return f"[{', '.join(map(show_value, value))}]"
    return str(value)


def sort_of(value: Any) -> str:
    """The word for a value's type."""
    if isinstance(value, bool):
        return "a truth"
    if isinstance(value, int | Fraction | float):
        return "a number"
    return "a text" if isinstance(value, str) else "a list" if isinstance(value, list) else "nothing"


def _end_of_value(text: str, dollar: int) -> int:
    match = re.compile(ID).match(text, dollar + 1)
    if match:
        return match.end()
    depth = 0
    for at in range(dollar + 1, len(text)):
        depth += (text[at] == "(") - (text[at] == ")")
        if depth == 0:
            return at + 1 if at > dollar + 1 else at
    return len(text)


def _shift(term: Term, by: int) -> Term:
    return term._replace(at=term.at + by, args=tuple(_shift(arg, by) for arg in term.args))


class _Parser:
    """One method a rule of the grammar."""

    def __init__(self, text: str, offset: int) -> None:
        if len(text) > MAX_LENGTH:
            raise Mistake("expression", f"an expression has at most {MAX_LENGTH:,} characters, and this one {len(text):,}")
        self.text = text
        self.offset = offset
        self.tokens = list(self._tokens())
        self.next = 0
        self.depth = 0

    def _tokens(self) -> Iterator[Token]:
        at = 0
        while self.text[at:].strip():
            match = TOKEN.match(self.text, at)
            if not match:
                at += len(self.text[at:]) - len(self.text[at:].lstrip())
                help = 'texts stand in double quotes: "text"' if self.text[at] == "'" else ""
                raise Mistake("expression", f"`{self.text[at]}` does not belong here", help, span=(self.offset + at, 1))
            sort = match.lastgroup or ""
            yield Token(sort, match[sort], self.offset + match.start(sort))
            at = match.end()

    def whole(self) -> Term:
        if not self.tokens:
            raise Mistake("expression", "an empty expression", "write a value between the parentheses")
        term = self.expr()
        if self.next < len(self.tokens):
            raise self.wrong(f"`{self.tokens[self.next].text}` does not belong here")
        return term

    def peek(self, *texts: str) -> bool:
        return self.next < len(self.tokens) and self.tokens[self.next].sort != "text" and self.tokens[self.next].text in texts

    def take(self, *texts: str) -> Token | None:
        if not self.peek(*texts):
            return None
        self.next += 1
        return self.tokens[self.next - 1]

    def need(self, text: str) -> None:
        if not self.take(text):
            found = f"`{self.tokens[self.next].text}`" if self.next < len(self.tokens) else "the end"
            raise self.wrong(f"expected `{text}`, found {found}")

    def wrong(self, message: str) -> Mistake:
        end = self.offset + len(self.text)
        token = self.tokens[self.next] if self.next < len(self.tokens) else Token("end", " ", end)
        return Mistake("expression", message, span=(token.at, len(token.text)))

    def expr(self) -> Term:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self.wrong(f"an expression nests at most {MAX_DEPTH} deep")
        term = self.either()
        if token := self.take("if"):
            condition = self.either()
            self.need("else")
            term = Term("if", (condition, term, self.expr()), at=token.at, length=2)
        self.depth -= 1
        return term

    def either(self) -> Term:
        term = self.both()
        while token := self.take("or"):
            term = Term("or", (term, self.both()), at=token.at, length=2)
        return term

    def both(self) -> Term:
        term = self.negation()
        while token := self.take("and"):
            term = Term("and", (term, self.negation()), at=token.at, length=3)
        return term

    def negation(self) -> Term:
        if token := self.take("not"):
            self.deeper()
            term = Term("not", (self.negation(),), at=token.at, length=3)
            self.depth -= 1
            return term
        term = self.sum()
        if token := self.take(*COMPARE):
            term = Term(token.text, (term, self.sum()), at=token.at, length=len(token.text))
            if self.peek(*COMPARE):
                raise self.wrong("comparisons do not chain: join two with `and`")
        return term

    def sum(self) -> Term:
        term = self.term()
        while token := self.take("+", "-"):
            term = Term(token.text, (term, self.term()), at=token.at)
        return term

    def term(self) -> Term:
        term = self.unary()
        while token := self.take("*", "/", "//", "%"):
            term = Term(token.text, (term, self.unary()), at=token.at, length=len(token.text))
        return term

    def unary(self) -> Term:
        if token := self.take("-"):
            self.deeper()
            term = Term("negate", (self.unary(),), at=token.at)
            self.depth -= 1
            return term
        return self.power()

    def deeper(self) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self.wrong(f"an expression nests at most {MAX_DEPTH} deep")

    def power(self) -> Term:
        term = self.atom()
        if token := self.take("**"):
            self.deeper()
            term = Term("**", (term, self.unary()), at=token.at, length=2)
            self.depth -= 1
        return term

    def atom(self) -> Term:
        term = self.leaf()
        while token := self.take("["):
            term = Term("[]", (term, self.expr()), at=token.at)
            self.need("]")
        return term

    def leaf(self) -> Term:
        if self.take("("):
            term = self.expr()
            self.need(")")
            return term
        if self.next == len(self.tokens):
            raise self.wrong("the expression stops where a value is expected")
        token = self.tokens[self.next]
        length = len(token.text)
        if token.sort == "mark" or token.text in WORDS - {"true", "false"}:
            raise self.wrong(f"`{token.text}` stands where a value is expected")
        self.next += 1
        if token.sort == "number":
            return Term("value", leaf=_simple(Fraction(token.text)), at=token.at, length=length)
        if token.sort == "text":
            return Term("value", leaf=token.text[1:-1], at=token.at, length=length)
        if token.text in ("true", "false"):
            return Term("value", leaf=token.text == "true", at=token.at, length=length)
        if self.peek("("):
            return self.call(token)
        return Term("name", leaf=token.text, at=token.at, length=length)

    def call(self, token: Token) -> Term:
        if token.text not in FUNCTIONS | POINTWISE:
            known = ", ".join(sorted(FUNCTIONS))
            raise Mistake("expression", f"there is no function `{token.text}`", f"there are {known}", span=(token.at, len(token.text)))
        self.need("(")
        args = [self.expr()]
        while self.take(","):
            args.append(self.expr())
        self.need(")")
        return Term(token.text, tuple(args), at=token.at, length=len(token.text))


def _simple(value: Fraction) -> int | Fraction:
    return value.numerator if value.denominator == 1 else value


def _evaluate(term: Term, lookup: Lookup) -> Any:
    if term.op == "value":
        return term.leaf
    if term.op == "name":
        return lookup(term.leaf)
    if term.op in LAZY:
        return LAZY[term.op](term, lookup)
    values = [_evaluate(arg, lookup) for arg in term.args]
    try:
        result = OPERATIONS[term.op](*values)
    except Mistake as mistake:
        mistake.span = mistake.span or (term.at, term.length)
        raise
    except (KeyError, TypeError):
        raise _at(term, _misfit(term.op, values)) from None
    if isinstance(result, Fraction):
        result = _simple(result)
    if isinstance(result, int | Fraction) and max(result.numerator.bit_length(), result.denominator.bit_length()) > MAX_BITS:
        raise _at(term, f"the result of `{term.op}` does not fit into 64 bits")
    return result


def _at(term: Term, message: str, help: str = "") -> Mistake:
    return Mistake("expression", message, help, span=(term.at, term.length))


def _misfit(op: str, values: list[Any]) -> str:
    if op in POINTWISE - FUNCTIONS:
        return f"`{op}` is a function of `map`, not of $(...)"
    sorts = " and ".join(sort_of(value) for value in values)
    return f"`{'-' if op == 'negate' else op}` cannot take {sorts}"


def _truth(term: Term, lookup: Lookup, of: str) -> bool:
    value = _evaluate(term, lookup)
    if not isinstance(value, bool):
        raise _at(term, f"`{of}` needs true or false, and this is {show_value(value)}", "compare it: x > 0")
    return value


def _choose(term: Term, lookup: Lookup) -> Any:
    condition, then, other = term.args
    return _evaluate(then if _truth(condition, lookup, "if") else other, lookup)


def _and(term: Term, lookup: Lookup) -> bool:
    return _truth(term.args[0], lookup, "and") and _truth(term.args[1], lookup, "and")


def _or(term: Term, lookup: Lookup) -> bool:
    return _truth(term.args[0], lookup, "or") or _truth(term.args[1], lookup, "or")


LAZY: dict[str, Callable[[Term, Lookup], Any]] = {
    "if": _choose,
    "and": _and,
    "or": _or,
    "not": lambda term, lookup: not _truth(term.args[0], lookup, "not"),
}


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
    if max(a.numerator.bit_length(), a.denominator.bit_length()) * abs(b) > 64 * (MAX_BITS + 1):
        raise Mistake("expression", "the result of `**` does not fit into 64 bits")
    return a**b.numerator


def _same_sort(a: Any, b: Any) -> None:
    if sort_of(a) != sort_of(b):
        raise TypeError


def _equal(a: Any, b: Any) -> bool:
    _same_sort(a, b)
    return bool(a == b)


def _spread(values: tuple[Any, ...]) -> list[Fraction]:
    """The arguments of min, max, sum: several numbers, or one list of them."""
    if len(values) == 1 and isinstance(values[0], list):
        values = tuple(values[0])
    if not values:
        raise Mistake("expression", "an empty list has no smallest or largest value")
    return _numbers(*values)


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
        raise Mistake("expression", f"[{show_value(index)}] is outside a list of {len(values)}: it goes from 0 to {len(values) - 1}")
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
    "min": lambda *values: min(_spread(values)),
    "max": lambda *values: max(_spread(values)),
    "sum": lambda *values: sum(_numbers(*(values[0] if len(values) == 1 and isinstance(values[0], list) else values)), Fraction(0)),
    "abs": lambda a: abs(_numbers(a)[0]),
    "floor": lambda a: _numbers(a)[0] // 1,
    "ceil": lambda a: -(-_numbers(a)[0] // 1),
    "round": _round,
    "len": _length,
}

POINTWISE_ARITY = {name: 2 if name in ("min", "max") else 1 for name in POINTWISE}
POINTWISE_OPS = {"+", "-", "*", "/", "**", "negate", "if", "and", "or", "not", *COMPARE}


def _check_formula(term: Term) -> None:
    if term.op == "value" and isinstance(term.leaf, str):
        raise _at(term, "a formula works on numbers, and this is a text")
    if term.op in POINTWISE:
        if len(term.args) != POINTWISE_ARITY[term.op]:
            raise _at(term, f"`{term.op}` takes {POINTWISE_ARITY[term.op]} here, not {len(term.args)}")
    elif term.op not in POINTWISE_OPS | {"value", "name"}:
        raise _at(term, f"`{term.op}` has no use in a formula over x", f"there are {', '.join(sorted(POINTWISE))}")
    for arg in term.args:
        _check_formula(arg)


def with_constants(term: Term, lookup: Lookup) -> Term:
    """A formula with every name but x replaced by its value."""
    if term.op != "name" or term.leaf == "x":
        return term._replace(args=tuple(with_constants(arg, lookup) for arg in term.args))
    value = lookup(term.leaf)
    if isinstance(value, str | list):
        raise _at(term, f"a formula works on numbers, and `{term.leaf}` is {sort_of(value)}")
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

"""The grammar of expressions: text -> terms.

    expr = or [if or else expr]     or = and {or and}     and = not {and not}     not = "not" not | sum [compare sum]
    sum  = term {(+ | -) term}      term = unary {(* | / | // | %) unary}         unary = - unary | power
    power = atom [** unary]         atom = NUMBER | true | false | "text" | ID | atom[expr] | fn(expr{, expr}) | (expr)

Read next: arithmetic.py, what a term comes to; expression.py, where terms stand in a file; formula.py, terms over x.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Set
from fractions import Fraction
from typing import Any, NamedTuple

from netcompiler.diagnostics import Mistake, did_you_mean

MAX_LENGTH = 1000
MAX_DEPTH = 50
MAX_LEVELS = 100
"""Operations above one another: a chain a + b + c has one for each sign."""

FUNCTIONS = {"min", "max", "abs", "floor", "ceil", "round", "sum", "len"}
POINTWISE = {
    *("abs", "min", "max", "exp", "expm1", "log", "log1p", "sqrt", "rsqrt"),
    *("tanh", "sigmoid", "softplus", "relu", "erf", "sin", "cos"),
}
WORDS = {"if", "else", "and", "or", "not", "true", "false"}
TAKEN = {"in", "size", "index", "above", "input", "same", "x", *WORDS, *FUNCTIONS, *POINTWISE}
"""Words that no variable, argument or column may be called."""

ID = r"[A-Za-z_][A-Za-z0-9_]*"
NUMBER = r"(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,2})?"
TOKEN = re.compile(rf'\s*(?:(?P<number>{NUMBER})|(?P<name>{ID})|(?P<text>"[^"]*")|(?P<mark>\*\*|//|[=!<>]=|[-+*/%<>()\[\],]))')
COMPARE = {"==", "!=", "<", "<=", ">", ">="}

FOREIGN = {
    "'": 'texts stand in double quotes: "text"',
    "=": "`==` compares",
    "!": "write `not`",
    "&": "write `and`",
    "|": "write `or`",
    "^": "a power is written `**`",
    "?": "write `a if condition else b`",
    "$": "inside the parentheses names stand without `$`",
}
"""Signs of other languages, and what is written here."""


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
    levels: int = 0

    def names(self) -> Iterator[Term]:
        waiting = [self]
        while waiting:
            term = waiting.pop()
            if term.op == "name":
                yield term
            waiting += reversed(term.args)

    def wrong(self, message: str, help: str = "") -> Mistake:
        return Mistake("expression", message, help, span=(self.at, self.length))


def parse(text: str, offset: int = 0, functions: Set[str] = FUNCTIONS) -> Term:
    """The term of a whole text; places count from `offset` characters before it. `functions` are those to suggest."""
    return _Parser(text, offset, functions).whole()


class _Parser:
    """One method a rule of the grammar."""

    def __init__(self, text: str, offset: int, functions: Set[str]) -> None:
        if len(text) > MAX_LENGTH:
            raise Mistake(
                "expression", f"an expression has at most {MAX_LENGTH:,} characters, and this one {len(text):,}", "use several variables"
            )
        self.text = text
        self.offset = offset
        self.functions = functions
        self.tokens = list(self._tokens())
        self.next = 0
        self.depth = 0

    def _tokens(self) -> Iterator[Token]:
        at = 0
        while rest := self.text[at:].lstrip():
            match = TOKEN.match(self.text, at)
            if not match:
                raise self._foreign(rest[0], len(self.text) - len(rest))
            sort = match.lastgroup or ""
            yield Token(sort, match[sort], self.offset + match.start(sort))
            at = match.end()

    def _foreign(self, sign: str, at: int) -> Mistake:
        if sign == '"':
            return Mistake("expression", "this text is not closed", 'add the second `"`', span=(self.offset + at, len(self.text) - at))
        return Mistake("expression", f"`{sign}` does not belong here", FOREIGN.get(sign, ""), span=(self.offset + at, 1))

    def whole(self) -> Term:
        if not self.tokens:
            raise Mistake("expression", "an empty expression", "write a value between the parentheses")
        term = self.expr()
        if self.next < len(self.tokens):
            raise self.wrong(f"`{self.tokens[self.next].text}` does not belong here")
        return term

    # tokens

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

    def join(self, op: str, token: Token, *args: Term) -> Term:
        levels = 1 + max(arg.levels for arg in args)
        if levels > MAX_LEVELS:
            raise self.wrong(f"an expression has at most {MAX_LEVELS} operations above one another")
        return Term(op, args, None, token.at, len(token.text), levels)

    def deeper(self) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self.wrong(f"an expression nests at most {MAX_DEPTH} deep")

    # rules

    def expr(self) -> Term:
        self.deeper()
        term = self.either()
        if token := self.take("if"):
            condition = self.either()
            self.need("else")
            term = self.join("if", token, condition, term, self.expr())
        self.depth -= 1
        return term

    def either(self) -> Term:
        term = self.both()
        while token := self.take("or"):
            term = self.join("or", token, term, self.both())
        return term

    def both(self) -> Term:
        term = self.negation()
        while token := self.take("and"):
            term = self.join("and", token, term, self.negation())
        return term

    def negation(self) -> Term:
        if token := self.take("not"):
            self.deeper()
            term = self.join("not", token, self.negation())
            self.depth -= 1
            return term
        term = self.sum()
        if token := self.take(*COMPARE):
            term = self.join(token.text, token, term, self.sum())
            if self.peek(*COMPARE):
                raise self.wrong("comparisons do not chain: join two with `and`")
        return term

    def sum(self) -> Term:
        term = self.term()
        while token := self.take("+", "-"):
            term = self.join(token.text, token, term, self.term())
        return term

    def term(self) -> Term:
        term = self.unary()
        while token := self.take("*", "/", "//", "%"):
            term = self.join(token.text, token, term, self.unary())
        return term

    def unary(self) -> Term:
        if token := self.take("-"):
            self.deeper()
            term = self.join("negate", token, self.unary())
            self.depth -= 1
            return term
        return self.power()

    def power(self) -> Term:
        term = self.atom()
        if token := self.take("**"):
            self.deeper()
            term = self.join("**", token, term, self.unary())
            self.depth -= 1
        return term

    def atom(self) -> Term:
        term = self.leaf()
        while token := self.take("["):
            term = self.join("[]", token, term, self.expr())
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
        if token.sort == "mark" or token.text in WORDS - {"true", "false"}:
            raise self.wrong(f"`{token.text}` stands where a value is expected")
        self.next += 1
        if token.sort == "name" and token.text not in WORDS:
            return self.call(token) if self.peek("(") else Term("name", (), token.text, token.at, len(token.text))
        return Term("value", (), _value(token), token.at, len(token.text))

    def call(self, token: Token) -> Term:
        if token.text not in FUNCTIONS | POINTWISE:
            help = did_you_mean(token.text, self.functions) or f"there are {', '.join(sorted(self.functions))}"
            raise Mistake("expression", f"there is no function `{token.text}`", help, span=(token.at, len(token.text)))
        self.need("(")
        args = [self.expr()]
        while self.take(","):
            args.append(self.expr())
        self.need(")")
        return self.join(token.text, token, *args)


def _value(token: Token) -> int | Fraction | bool | str:
    if token.sort == "text":
        return token.text[1:-1]
    if token.sort == "name":
        return token.text == "true"
    value = Fraction(token.text)
    return value.numerator if value.denominator == 1 else value

"""The scalar language of maps: expressions over operands, hash-consed, simplified when built, with their derivatives.

It imports nothing. Who computes them: the generators and the oracle beside each target's kernels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial, reduce
from typing import Any, TypeAlias

Number: TypeAlias = "int | float"


class Expr:
    """An operation on expressions, or a leaf: operand i, a literal, the index along an axis. Equal ones are one object."""

    __slots__ = ("args", "leaf", "op")
    op: str
    args: tuple[Expr, ...]
    leaf: Any

    def __add__(self, other: Expr | Number) -> Expr:
        return add(self, wrap(other))

    def __radd__(self, other: Number) -> Expr:
        return add(wrap(other), self)

    def __sub__(self, other: Expr | Number) -> Expr:
        return sub(self, wrap(other))

    def __rsub__(self, other: Number) -> Expr:
        return sub(wrap(other), self)

    def __mul__(self, other: Expr | Number) -> Expr:
        return mul(self, wrap(other))

    def __rmul__(self, other: Number) -> Expr:
        return mul(wrap(other), self)

    def __truediv__(self, other: Expr | Number) -> Expr:
        return div(self, wrap(other))

    def __rtruediv__(self, other: Number) -> Expr:
        return div(wrap(other), self)

    def __neg__(self) -> Expr:
        return neg(self)

    def show(self, names: Sequence[str]) -> str:
        """The text of an expression, with the operands' names."""
        return _show(self, names, 0)

    def __repr__(self) -> str:
        return self.show([f"a{i}" for i in range(1 + max(operands(self), default=0))])


_POOL: dict[tuple[Any, ...], Expr] = {}


def make(op: str, *args: Expr, leaf: Any = None) -> Expr:
    """The one object of an expression, as it is: nothing is simplified here."""
    key = (op, leaf.__class__, leaf if leaf == leaf else "nan", math.copysign(1, leaf) if leaf.__class__ is float else 0, *map(id, args))
    found = _POOL.get(key)
    if found is None:
        found = Expr()
        found.op, found.args, found.leaf = op, args, leaf
        _POOL[key] = found
    return found


@cache
def operand(i: int) -> Expr:
    return make("operand", leaf=i)


def literal(value: Number) -> Expr:
    return make("literal", leaf=float(value))


def index(axis: int) -> Expr:
    """The element's own position along an axis of the map's shape."""
    return make("index", leaf=axis)


def wrap(value: Expr | Number) -> Expr:
    return value if isinstance(value, Expr) else literal(value)


ZERO, ONE = literal(0), literal(1)


def _both(a: Expr, b: Expr) -> bool:
    return a.op == b.op == "literal"


def add(a: Expr, b: Expr) -> Expr:
    if a is ZERO:
        return b
    if b is ZERO:
        return a
    if b.op == "neg":
        return sub(a, b.args[0])
    return literal(a.leaf + b.leaf) if _both(a, b) else make("add", a, b)


def sub(a: Expr, b: Expr) -> Expr:
    if b is ZERO:
        return a
    if a is ZERO:
        return neg(b)
    return literal(a.leaf - b.leaf) if _both(a, b) else make("sub", a, b)


def mul(a: Expr, b: Expr) -> Expr:
    if ZERO in (a, b):
        return ZERO
    if a is ONE:
        return b
    if b is ONE:
        return a
    if _both(a, b):
        return literal(a.leaf * b.leaf)
    if b.op == "literal":
        a, b = b, a
    if a.op == "literal" and b.op == "mul" and b.args[0].op == "literal":
        return mul(literal(a.leaf * b.args[0].leaf), b.args[1])
    if a.op == "literal" and a.leaf == -1:
        return neg(b)
    if b.op == "select" and ZERO in b.args[1:]:
        condition, then, other = b.args
        return select(condition, mul(a, then), mul(a, other))
    if a.op == "select" and ZERO in a.args[1:]:
        condition, then, other = a.args
        return select(condition, mul(then, b), mul(other, b))
    return make("mul", a, b)


def div(a: Expr, b: Expr) -> Expr:
    if a is ZERO:
        return ZERO
    if b is ONE:
        return a
    if _both(a, b) and b.leaf:
        return literal(a.leaf / b.leaf)
    if b.op == "literal" and b.leaf and math.frexp(b.leaf)[0] in (0.5, -0.5):
        return mul(literal(1 / b.leaf), a)  # exact for powers of two
    return make("div", a, b)


def neg(a: Expr) -> Expr:
    if a.op == "literal":
        return literal(-a.leaf)
    if a.op == "neg":
        return a.args[0]
    return sub(a.args[1], a.args[0]) if a.op == "sub" else make("neg", a)


def power(a: Expr, b: Expr) -> Expr:
    """a ** b; small whole powers become products."""
    if b.op == "literal":
        special: dict[float, Callable[[], Expr]] = {
            0.0: lambda: ONE,
            1.0: lambda: a,
            2.0: lambda: mul(a, a),
            3.0: lambda: mul(a, mul(a, a)),
            0.5: lambda: sqrt(a),
            -0.5: lambda: rsqrt(a),
            -1.0: lambda: div(ONE, a),
        }
        if b.leaf in special:
            return special[b.leaf]()
    return literal(a.leaf**b.leaf) if _both(a, b) and a.leaf > 0 else make("pow", a, b)


def select(condition: Expr, then: Expr, other: Expr) -> Expr:
    if then is other:
        return then
    if condition.op == "literal":
        return then if condition.leaf else other
    if condition.op == "not":
        return select(condition.args[0], other, then)
    if then.op == "select" and then.args[0] is condition:
        then = then.args[1]
    if other.op == "select" and other.args[0] is condition:
        other = other.args[2]
    return make("select", condition, then, other)


FOLDS: dict[str, Callable[[float], float]] = {
    "sqrt": math.sqrt,
    "exp": math.exp,
    "log": math.log,
    "tanh": math.tanh,
    "sin": math.sin,
    "cos": math.cos,
    "erf": math.erf,
    "expm1": math.expm1,
    "log1p": math.log1p,
    "abs": abs,
}


def unary(op: str, a: Expr) -> Expr:
    if a.op == "literal" and op in FOLDS:
        try:
            return literal(FOLDS[op](a.leaf))
        except (ValueError, OverflowError):
            return make(op, a)  # the kernel gives NaN or infinity, as it does for data
    return make(op, a)


def sqrt(a: Expr) -> Expr:
    return unary("sqrt", a)


def rsqrt(a: Expr) -> Expr:
    return unary("rsqrt", a)


def exp(a: Expr) -> Expr:
    return unary("exp", a)


def log(a: Expr) -> Expr:
    return unary("log", a)


def absolute(a: Expr) -> Expr:
    return unary("abs", a)


COMPARE = ("lt", "le", "gt", "ge", "eq", "ne")


def compare(op: str, a: Expr, b: Expr) -> Expr:
    if _both(a, b):
        results = {"lt": a.leaf < b.leaf, "le": a.leaf <= b.leaf, "gt": a.leaf > b.leaf}
        results |= {"ge": a.leaf >= b.leaf, "eq": a.leaf == b.leaf, "ne": a.leaf != b.leaf}
        return literal(results[op])
    return make(op, a, b)


def maximum(a: Expr, b: Expr) -> Expr:
    return literal(max(a.leaf, b.leaf)) if _both(a, b) else make("max", a, b)


def minimum(a: Expr, b: Expr) -> Expr:
    return literal(min(a.leaf, b.leaf)) if _both(a, b) else make("min", a, b)


def relu(a: Expr) -> Expr:
    return maximum(a, ZERO)


def parts(e: Expr) -> tuple[str, list[Expr]]:
    """A sum, and relu of it, taken apart: the function or none, and what is summed."""
    return ("relu", terms(e.args[0])) if e.op == "max" and e.args[1] is ZERO else ("", terms(e))


def terms(e: Expr) -> list[Expr]:
    return [term for arg in e.args for term in terms(arg)] if e.op == "add" else [e]


def logical(op: str, *args: Expr) -> Expr:
    """and, or, not over truths. A truth that is known decides or falls away."""
    if op == "not":
        [a] = args
        return literal(not a.leaf) if a.op == "literal" else a.args[0] if a.op == "not" else make(op, a)
    decisive = op == "or"
    if decisive in [bool(arg.leaf) for arg in args if arg.op == "literal"]:
        return literal(decisive)
    unknown = [arg for arg in args if arg.op != "literal"]
    return reduce(partial(make, op), unknown) if unknown else literal(not decisive)


def cast(a: Expr, dtype: str) -> Expr:
    """The value as it is after being stored as dtype."""
    return make("cast", a, leaf=dtype)


def uniform(bits: Expr) -> Expr:
    """[0, 1) from 32 random bits."""
    return make("uniform", bits)


BUILD: dict[str, Callable[..., Expr]] = {
    "add": add,
    "sub": sub,
    "mul": mul,
    "div": div,
    "neg": neg,
    "pow": power,
    "select": select,
    "max": maximum,
    "min": minimum,
}


def rebuild(expr: Expr, args: tuple[Expr, ...]) -> Expr:
    """The same operation on other arguments, simplified."""
    if expr.op in BUILD:
        return BUILD[expr.op](*args)
    if expr.op in COMPARE:
        return compare(expr.op, *args)
    if expr.op in ("and", "or", "not"):
        return logical(expr.op, *args)
    return unary(expr.op, *args) if expr.op in FOLDS else make(expr.op, *args, leaf=expr.leaf)


def substitute(expr: Expr, values: Mapping[int, Expr]) -> Expr:
    """The expression with other expressions in place of operands."""
    return _substituted(expr, tuple(values.items()))


@cache
def _substituted(expr: Expr, pairs: tuple[tuple[int, Expr], ...]) -> Expr:
    values = dict(pairs)
    done: dict[Expr, Expr] = {}

    def walk(e: Expr) -> Expr:
        if e not in done:
            if e.op == "operand":
                done[e] = values.get(e.leaf, e)
            elif not e.args:
                done[e] = e
            else:
                args = tuple(map(walk, e.args))
                done[e] = e if all(new is old for new, old in zip(args, e.args, strict=True)) else rebuild(e, args)
        return done[e]

    return walk(expr)


@cache
def replace(expr: Expr, old: Expr, new: Expr) -> Expr:
    """The expression with one node in place of another."""
    if expr is old:
        return new
    if not expr.args:
        return expr
    args = tuple(replace(arg, old, new) for arg in expr.args)
    return expr if all(a is b for a, b in zip(args, expr.args, strict=True)) else rebuild(expr, args)


@cache
def nodes(expr: Expr) -> tuple[Expr, ...]:
    """Every node once, arguments first."""
    found: dict[Expr, None] = {}
    for arg in expr.args:
        found.update(dict.fromkeys(nodes(arg)))
    return (*found, expr)


def operands(expr: Expr) -> list[int]:
    return list(_operands(expr))


@cache
def _operands(expr: Expr) -> tuple[int, ...]:
    return tuple(sorted({e.leaf for e in nodes(expr) if e.op == "operand"}))


def work(expr: Expr) -> int:
    """How many operations it takes."""
    return sum(bool(e.args) for e in nodes(expr))


def derivative(expr: Expr, i: int) -> Expr:
    """d expr / d operand i."""
    done: dict[Expr, Expr] = {}

    def d(e: Expr) -> Expr:
        if e not in done:
            done[e] = _derivative(e, i, d)
        return done[e]

    return d(expr)


def _derivative(e: Expr, i: int, d: Callable[[Expr], Expr]) -> Expr:
    if e.op == "operand":
        return ONE if e.leaf == i else ZERO
    if not e.args or e.op in CONSTANT:
        return ZERO
    if e.op == "select":
        condition, then, other = e.args
        return select(condition, d(then), d(other))
    total = ZERO
    for position, arg in enumerate(e.args):
        inner = d(arg)
        if inner is not ZERO:
            total = add(total, mul(inner, PARTIAL[e.op](e, *e.args)[position]))
    return total


COSTLY = frozenset(("exp", "expm1", "log", "log1p", "tanh", "sigmoid", "softplus", "erf", "sin", "cos", "pow"))
"""What takes many operations of arithmetic."""

CONSTANT = {*COMPARE, "and", "or", "not", "isfinite", "uniform", "floor"}

Partials: TypeAlias = "tuple[Expr, ...]"


def _step(condition: Expr) -> Expr:
    return select(condition, ONE, ZERO)


TWO_OVER_ROOT_PI = 2 / math.sqrt(math.pi)

PARTIAL: dict[str, Callable[..., Partials]] = {
    "add": lambda y, a, b: (ONE, ONE),
    "sub": lambda y, a, b: (ONE, literal(-1)),
    "mul": lambda y, a, b: (b, a),
    "div": lambda y, a, b: (div(ONE, b), neg(div(y, b))),
    "neg": lambda y, a: (literal(-1),),
    "pow": lambda y, a, b: (mul(b, power(a, sub(b, ONE))), mul(y, log(a))),
    "max": lambda y, a, b: (_step(compare("gt", y if b.op == "literal" else a, b)), _step(compare("le", a, b))),
    "min": lambda y, a, b: (_step(compare("lt", y if b.op == "literal" else a, b)), _step(compare("ge", a, b))),
    "sqrt": lambda y, a: (div(literal(0.5), y),),
    "rsqrt": lambda y, a: (mul(literal(-0.5), mul(y, mul(y, y))),),
    "exp": lambda y, a: (y,),
    "expm1": lambda y, a: (add(y, ONE),),
    "log": lambda y, a: (div(ONE, a),),
    "log1p": lambda y, a: (div(ONE, add(a, ONE)),),
    "tanh": lambda y, a: (sub(ONE, mul(y, y)),),
    "sigmoid": lambda y, a: (mul(y, sub(ONE, y)),),
    "softplus": lambda y, a: (make("sigmoid", a),),
    "erf": lambda y, a: (mul(literal(TWO_OVER_ROOT_PI), exp(neg(mul(a, a)))),),
    "sin": lambda y, a: (make("cos", a),),
    "cos": lambda y, a: (neg(make("sin", a)),),
    "abs": lambda y, a: (select(compare("gt", a, ZERO), ONE, select(compare("lt", a, ZERO), literal(-1), ZERO)),),
    "cast": lambda y, a: (ONE,),
}

MARKS = {"add": ("+", 4), "sub": ("-", 4), "mul": ("*", 5), "div": ("/", 5), "pow": ("**", 7)}
MARKS |= {
    "lt": ("<", 3),
    "le": ("<=", 3),
    "gt": (">", 3),
    "ge": (">=", 3),
    "eq": ("==", 3),
    "ne": ("!=", 3),
    "and": ("and", 2),
    "or": ("or", 1),
}


def _show(e: Expr, names: Sequence[str], least: int) -> str:
    if e.op == "operand":
        return str(names[e.leaf])
    if e.op == "literal":
        return f"{e.leaf:.9g}" if e.leaf >= 0 or least < 6 else f"({e.leaf:.9g})"
    if e.op == "index":
        return f"index({e.leaf})"
    if e.op == "cast":
        return f"{e.leaf}({_show(e.args[0], names, 0)})"
    if e.op in MARKS:
        mark, binding = MARKS[e.op]
        text = f"{_show(e.args[0], names, binding)} {mark} {_show(e.args[1], names, binding + 1)}"
        return text if binding >= least else f"({text})"
    if e.op == "neg":
        text = f"-{_show(e.args[0], names, 6)}"
        return text if least <= 5 else f"({text})"
    return f"{e.op}({', '.join(_show(arg, names, 0) for arg in e.args)})"

"""Expressions of maps as the text of C++: numbers in registers, computed in f32; where all that goes in and comes out is whole, in f64."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import inf

from netcompiler.scalar import COMPARE, Expr
from runtime.kernels.expressions import FLOATS, is_quarter

TYPES = {
    "f64": "double",
    "f32": "float",
    "f16": "f16",
    "bf16": "bf16",
    "i64": "i64",
    "i32": "int",
    "u32": "u32",
    "u16": "u16",
    "u8": "u8",
    "b1": "bool",
}
"""What an element is in memory."""

Typed = tuple[str, str]
"""The text of a value, and the plan's name of its dtype: in registers 16 bits are f32."""

FORMS = {
    "add": "{} + {}",
    "sub": "{} - {}",
    "mul": "{} * {}",
    "div": "{} / {}",
    "neg": "-{}",
    "pow": "pow({}, {})",
    "max": "larger({}, {})",
    "min": "smaller({}, {})",
    "abs": "fabs({})",
    "sigmoid": "logistic({})",
    "softplus": "softened({})",
    **{op: op + "({})" for op in ("floor", "sqrt", "rsqrt", "exp", "expm1", "log", "log1p", "tanh", "erf", "sin", "cos")},
}
SIGNS = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}


class Computation:
    """The expressions of one position, a line for each operation; `leaf` gives operands and positions."""

    def __init__(self, leaf: Callable[[Expr], Typed], number: str) -> None:
        self.leaf = leaf
        self.number_dtype = number
        self.lines: list[str] = []
        self.done: dict[Expr, Typed] = {}

    def stored(self, expr: Expr, dtype: str) -> str:
        """As it is written to memory."""
        value = self.value(expr)
        if dtype in ("f16", "bf16"):
            return f"Stored<{dtype}>::of({self._as(value, 'f32')})"
        return self._as(value, dtype)

    def number(self, expr: Expr) -> str:
        return self._as(self.value(expr), self.number_dtype)

    def value(self, expr: Expr) -> Typed:
        if expr not in self.done:
            text, dtype = self.leaf(expr) if expr.op in ("operand", "index") else self._operation(expr)
            if expr.args:
                self.lines.append(f"const {TYPES[dtype]} t{len(self.lines)} = {text};")
                text = f"t{len(self.lines) - 1}"
            self.done[expr] = text, dtype
        return self.done[expr]

    def _operation(self, e: Expr) -> Typed:
        real = self.number_dtype
        if e.op == "literal":
            return written(e.leaf, real), real
        if e.op == "cast":
            return self._cast(self.value(e.args[0]), e.leaf)
        if e.op == "uniform":
            return f"({TYPES[real]})({self._as(self.value(e.args[0]), 'u32')} >> 8) * {written(2.0**-24, real)}", real
        if e.op in ("not", "and", "or"):
            truths = [self._as(self.value(arg), "b1") for arg in e.args]
            return "!" + truths[0] if e.op == "not" else {"and": " && ", "or": " || "}[e.op].join(truths), "b1"
        if e.op == "select":
            return f"{self._as(self.value(e.args[0]), 'b1')} ? {self.number(e.args[1])} : {self.number(e.args[2])}", real
        if e.op == "pow" and is_quarter(e.args[1]):
            return f"quarters<{round(4 * e.args[1].leaf)}>({self.number(e.args[0])})", real
        numbers = [self.number(arg) for arg in e.args]
        if e.op in COMPARE:
            return f"{numbers[0]} {SIGNS[e.op]} {numbers[1]}", "b1"
        if e.op == "isfinite":
            return f"fabs({numbers[0]}) < {written(inf, real)}", "b1"
        return FORMS[e.op].format(*numbers), real

    def _cast(self, value: Typed, dtype: str) -> Typed:
        if dtype in ("f16", "bf16"):
            return f"widened(Stored<{dtype}>::of({self._as(value, 'f32')}))", "f32"
        return self._as(value, dtype), dtype

    def _as(self, value: Typed, dtype: str) -> str:
        text, was = value
        if was == dtype:
            return text
        if dtype == "b1":
            return f"({text} != 0)"
        if was in FLOATS and dtype not in FLOATS:
            return f"({TYPES[dtype]})({'i64' if dtype in ('i64', 'u32') else 'int'}){text}"
        return f"({TYPES[dtype]}){text}"


def written(number: float, dtype: str) -> str:
    """A literal that is read as the very number, in brackets where it is negative."""
    if number != number or number in (inf, -inf):
        sign = "-" if number < 0 else ""
        name = "NAN" if number != number else "INF"
        return f"({sign}({TYPES[dtype]}){name})"
    text = f"{number!r}f" if dtype == "f32" else repr(number)
    return f"({text})" if number < 0 else text


def function(name: str, exprs: Sequence[Expr], results: Sequence[str], operands: Sequence[str], axes: int, number: str) -> str:
    """An inline function that computes expressions: `void name(r0.., a0.., p1..)`, where p1 is the position along the last axis."""

    def leaf(e: Expr) -> Typed:
        if e.op == "index":
            return f"p{-e.leaf}", "i32"
        dtype = operands[e.leaf]
        return (f"a{e.leaf}", "f32" if dtype in ("f16", "bf16") else dtype)

    computation = Computation(leaf, number)
    stored = [computation.stored(expr, dtype) for expr, dtype in zip(exprs, results, strict=True)]
    parameters = [
        *(f"{TYPES[dtype]}& r{i}" for i, dtype in enumerate(results)),
        *(f"{_register(dtype)} a{i}" for i, dtype in enumerate(operands)),
        *(f"int p{i + 1}" for i in range(axes)),
    ]
    body = [*computation.lines, *(f"r{i} = {value};" for i, value in enumerate(stored))]
    return "\n".join([f"__device__ inline void {name}({', '.join(parameters)}) {{", *indented(body), "}"])


def _register(dtype: str) -> str:
    return "float" if dtype in ("f16", "bf16") else TYPES[dtype]


def indented(lines: Sequence[str]) -> Iterator[str]:
    return ("    " + line for line in lines)

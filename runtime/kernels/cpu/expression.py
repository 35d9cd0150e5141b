"""Expressions of maps as code: over vectors in registers, or single numbers.

They are computed in f32; where all that goes in and comes out is whole, in f64, which holds it exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from llvmlite import ir

from netcompiler.scalar import COMPARE, Expr
from runtime.kernels.cpu import elementary
from runtime.kernels.cpu.code import I8, I16, I32, I64, Code
from runtime.kernels.cpu.elementary import like, of
from runtime.kernels.expressions import FLOATS, UNSIGNED, is_quarter

Typed: TypeAlias = "tuple[ir.Value, str]"
"""A value and the plan's name of its dtype; truths (b1) are bits in registers, and bytes in memory."""

WHOLE = {"u8": I8, "u16": I16, "u32": I32, "i32": I32, "i64": I64}


class Computation:
    """The expressions of one position; nodes that they share are computed once. `leaf` gives operands and positions."""

    def __init__(self, code: Code, leaf: Callable[[Expr], Typed], lanes: int, number: str = "f32") -> None:
        self.code = code
        self.leaf = leaf
        self.number_dtype = number
        self.lanes = lanes
        self.done: dict[Expr, Typed] = {}

    def stored(self, expr: Expr, dtype: str) -> ir.Value:
        """As it is written to memory."""
        return memory(self.code, self.as_type(self.value(expr), dtype), dtype)

    def number(self, expr: Expr) -> ir.Value:
        return self.as_number(self.value(expr))

    def value(self, expr: Expr) -> Typed:
        if expr not in self.done:
            self.done[expr] = self._computed(expr)
        return self.done[expr]

    def _computed(self, e: Expr) -> Typed:
        b = self.code.b
        if e.op in ("operand", "index"):
            return self.leaf(e)
        if e.op == "literal":
            return self.code.real(e.leaf, self.lanes, self.number_dtype), self.number_dtype
        if e.op == "cast":
            return self.as_type(self.value(e.args[0]), e.leaf, rounded=True)
        if e.op == "uniform":
            return self._uniform(self.value(e.args[0])[0]), self.number_dtype
        if e.op == "not":
            return b.not_(self.truth(e.args[0])), "b1"
        if e.op in ("and", "or"):
            return self._joined(b.and_ if e.op == "and" else b.or_, [self.truth(arg) for arg in e.args]), "b1"
        if e.op == "select":
            return b.select(self.truth(e.args[0]), self.number(e.args[1]), self.number(e.args[2])), self.number_dtype
        if e.op == "pow" and is_quarter(e.args[1]):
            return elementary.quarters(self.code, self.number(e.args[0]), round(4 * e.args[1].leaf)), self.number_dtype
        numbers = [self.number(arg) for arg in e.args]
        if e.op in COMPARE:
            return self._compared(e.op, *numbers), "b1"
        if e.op == "isfinite":
            return b.fcmp_ordered("<", self.code.intrinsic("fabs", numbers[0], fast=()), like(numbers[0], elementary.INF)), "b1"
        return OPERATIONS[e.op](self.code, *numbers), self.number_dtype

    def _joined(self, join: Callable[..., ir.Value], truths: Sequence[ir.Value]) -> ir.Value:
        whole = truths[0]
        for truth in truths[1:]:
            whole = join(whole, truth)
        return whole

    def _compared(self, op: str, a: ir.Value, b: ir.Value) -> ir.Value:
        mark = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}[op]
        return (self.code.b.fcmp_unordered if op == "ne" else self.code.b.fcmp_ordered)(mark, a, b)

    def _uniform(self, bits: ir.Value) -> ir.Value:
        """The 24 highest bits as a fraction."""
        b = self.code.b
        fraction = b.sitofp(b.lshr(bits, like(bits, 8)), of(self.code.real(0.0, 1, self.number_dtype).type, bits.type))
        return b.fmul(fraction, like(fraction, 2.0**-24))

    def truth(self, expr: Expr) -> ir.Value:
        return truth(self.code, self.value(expr))

    def as_number(self, value: Typed) -> ir.Value:
        return self.as_type(value, self.number_dtype)[0]

    def as_type(self, value: Typed, dtype: str, rounded: bool = False) -> Typed:
        return converted(self.code, value, dtype, rounded)


def converted(code: Code, value: Typed, dtype: str, rounded: bool = False) -> Typed:
    """As another dtype. f16 and bf16 are f32 that were rounded."""
    b, (v, was) = code.b, value
    if was == dtype:
        return value
    if dtype == "b1":
        return truth(code, value), "b1"
    if dtype in ("f16", "bf16"):
        number = converted(code, value, "f32")[0]
        return (_half(code, number) if dtype == "f16" else _brain(code, number)), "f32"
    target = of(code.real(0.0, 1, dtype).type if dtype in FLOATS else WHOLE[dtype], v.type)
    if dtype in FLOATS:
        if was in FLOATS:
            return (b.fpext if dtype == "f64" else b.fptrunc)(v, target), dtype
        return (b.uitofp if was in UNSIGNED else b.sitofp)(v, target), dtype
    if was in FLOATS:
        wide = of(I64 if dtype in ("i64", "u32") else I32, v.type)
        whole = b.fptosi(v, wide)
        return (whole if wide == target else b.trunc(whole, target)), dtype
    return _resized(code, value, target), dtype


def _resized(code: Code, value: Typed, target: ir.Type) -> ir.Value:
    v, was = value
    own, wanted = (getattr(typ, "element", typ).width for typ in (v.type, target))
    if own == wanted:
        return v
    return code.b.trunc(v, target) if own > wanted else (code.b.zext if was in UNSIGNED else code.b.sext)(v, target)


def truth(code: Code, value: Typed) -> ir.Value:
    v, dtype = value
    if dtype == "b1":
        return v
    return code.b.fcmp_unordered("!=", v, like(v, 0.0)) if dtype in FLOATS else code.b.icmp_signed("!=", v, like(v, 0))


def memory(code: Code, value: Typed, dtype: str) -> ir.Value:
    """Truths become bytes."""
    return code.b.zext(value[0], of(I8, value[0].type)) if dtype == "b1" else value[0]


def register(code: Code, value: ir.Value, dtype: str) -> Typed:
    """Bytes become truths."""
    return (code.b.icmp_signed("!=", value, like(value, 0)), dtype) if dtype == "b1" else (value, dtype)


def _half(code: Code, x: ir.Value) -> ir.Value:
    return code.b.fpext(code.b.fptrunc(x, of(ir.HalfType(), x.type)), x.type)


def _brain(code: Code, x: ir.Value) -> ir.Value:
    """The upper half of an f32, rounded to the nearest, of two equally near to the even one."""
    b = code.b
    bits = b.bitcast(x, of(I32, x.type))
    odd = b.and_(b.lshr(bits, like(bits, 16)), like(bits, 1))
    rounded = b.and_(b.add(bits, b.add(odd, like(bits, 0x7FFF))), like(bits, 0xFFFF0000))
    return b.select(b.fcmp_unordered("uno", x, x), x, b.bitcast(rounded, x.type))


# arithmetic


def maximum(code: Code, a: ir.Value, b: ir.Value) -> ir.Value:
    return _extreme(code, "<", a, b)


def minimum(code: Code, a: ir.Value, b: ir.Value) -> ir.Value:
    return _extreme(code, ">", a, b)


def _extreme(code: Code, worse: str, a: ir.Value, b: ir.Value) -> ir.Value:
    """NaN if either is."""
    best = code.b.select(code.b.fcmp_ordered(worse, a, b), b, a)
    return best if isinstance(b, ir.Constant) else code.b.select(code.b.fcmp_unordered("uno", b, b), b, best)


def _rsqrt(code: Code, a: ir.Value) -> ir.Value:
    return code.b.fdiv(like(a, 1.0), code.intrinsic("sqrt", a, fast=()))


OPERATIONS: dict[str, Callable[..., Any]] = {
    "add": Code.fadd,
    "sub": Code.fsub,
    "mul": Code.fmul,
    "div": lambda code, a, b: code.b.fdiv(a, b),  # FAST would take an estimate, which is NaN at infinity
    "neg": lambda code, a: code.b.fneg(a),
    "pow": elementary.power,
    "max": maximum,
    "min": minimum,
    "floor": lambda code, a: code.intrinsic("floor", a),
    "abs": lambda code, a: code.intrinsic("fabs", a),
    "sqrt": lambda code, a: code.intrinsic("sqrt", a, fast=()),
    "rsqrt": _rsqrt,
    "exp": elementary.exp,
    "expm1": elementary.expm1,
    "log": elementary.log,
    "log1p": elementary.log1p,
    "tanh": elementary.tanh,
    "sigmoid": elementary.sigmoid,
    "softplus": elementary.softplus,
    "erf": elementary.erf,
    "sin": elementary.sin,
    "cos": elementary.cos,
}

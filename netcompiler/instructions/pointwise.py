"""map: expressions at every position. Everything without a loop over other positions is one of these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from netcompiler.instructions.op import Gradients, Op, Shape, Types, broadcast, need
from netcompiler.plan import HALVES, Instruction, Value
from netcompiler.scalar import COMPARE, ONE, ZERO, Expr, add, cast, derivative, mul, nodes, operand, operands, replace, work

if TYPE_CHECKING:
    from netcompiler.builder import Builder


class Map(Op):
    """exprs over the operands, broadcast to shape."""

    @staticmethod
    def types(operands: Sequence[Value], attributes: Mapping[str, Any]) -> Types:
        shape = tuple(attributes["shape"])
        need(broadcast([shape, *(value.shape for value in operands)]) == shape, f"operands are larger than {shape}")
        return [(dtype_of(expr, operands, attributes["dtype"]), shape) for expr in attributes["exprs"]]

    @staticmethod
    def flops(instruction: Instruction) -> int:
        return sum(work(expr) for expr in instruction.attributes["exprs"]) * instruction.result.elements

    @staticmethod
    def derive(b: Builder, i: Instruction, dy: Gradients) -> Gradients:
        return [_gradient(b, i, dy, position) for position in range(len(i.operands))]


def dtype_of(expr: Expr, operands: Sequence[Value], default: str) -> str:
    """What the result of an expression is kept as."""
    if expr.op in (*COMPARE, "and", "or", "not", "isfinite"):
        return "b1"
    if expr.op == "cast":
        return str(expr.leaf)
    return operands[expr.leaf].dtype if expr.op == "operand" else default


def _gradient(b: Builder, i: Instruction, dy: Gradients, position: int) -> Value | None:
    """sum to a's shape of map(dy * d expr / da)."""
    a = i.operands[position]
    if a.dtype not in (*HALVES, "f32", "f64"):
        return None
    values = [*i.operands]
    total = ZERO
    for expr, result, value in zip(i.attributes["exprs"], i.results, dy, strict=True):
        if value is not None:
            own = operand(len(values) + 1)  # a derivative that contains the expression reads the result instead
            total = add(total, mul(operand(len(values)), replace(derivative(expr, position), unrounded(expr), own)))
            values += [value, result]
    if total is ZERO:
        return None
    return b.sum_to(total, values, i.attributes["shape"], a.shape)


def kept_as(expr: Expr, operands: Sequence[Value], default: str, dtype: str) -> Expr:
    """An expression whose result is of this type."""
    return expr if dtype_of(expr, operands, default) == dtype else cast(expr, dtype)


def unrounded(expr: Expr) -> Expr:
    """An expression as it was before it was kept in 16 bits, or in the 32 in which it is computed."""
    return expr.args[0] if expr.op == "cast" and expr.leaf in (*HALVES, "f32") else expr


def factors(expr: Expr) -> list[Expr]:
    """The factors of a product, signs and literals among them."""
    if expr.op == "mul":
        return factors(expr.args[0]) + factors(expr.args[1])
    if expr.op == "neg":
        return [mul(ZERO + (-1), ONE), *factors(expr.args[0])]
    return [expr]


def varies(expr: Expr, values: Sequence[Value], shape: Shape, axes: Sequence[int]) -> bool:
    """Whether an expression differs along any of the axes of the shape that it is broadcast to."""
    for node in nodes(expr):
        if node.op == "index" and node.leaf in axes:
            return True
        if node.op == "operand":
            own = values[node.leaf].shape
            shift = len(shape) - len(own)
            if any(axis >= shift and own[axis - shift] != 1 for axis in axes):
                return True
    return False


__all__ = ["Map", "dtype_of", "factors", "kept_as", "operands", "unrounded", "varies"]

"""A fused instruction: made of what it replaces."""

from __future__ import annotations

from collections.abc import Sequence

from netcompiler.instructions.pointwise import kept_as, unrounded
from netcompiler.plan import Instruction, Value
from netcompiler.scalar import Expr, operand, substitute


def region(body: Sequence[Instruction], results: Sequence[Value], origin: str) -> Instruction:
    """It reads what its body reads and does not make."""
    inside = {value for instruction in body for value in instruction.results}
    operands = dict.fromkeys(value for instruction in body for value in instruction.operands if value not in inside)
    return Instruction(tuple(results), "fused", tuple(operands), {}, tuple(body), origin=origin)


def composed(inner: Instruction, outer: Instruction) -> Instruction:
    """The outer map with the inner one's expression in place of its result, which is not kept in fewer bits where it is not kept."""
    values = [value for value in outer.operands if value != inner.result]
    values += [value for value in inner.operands if value not in values]
    own = substitute(unrounded(inner.attributes["exprs"][0]), {i: operand(values.index(v)) for i, v in enumerate(inner.operands)})
    places: dict[int, Expr] = {i: own if v == inner.result else operand(values.index(v)) for i, v in enumerate(outer.operands)}
    default = outer.attributes["dtype"]
    exprs = tuple(
        kept_as(substitute(expr, places), values, default, y.dtype)
        for expr, y in zip(outer.attributes["exprs"], outer.results, strict=True)
    )
    return Instruction(outer.results, "map", tuple(values), {**outer.attributes, "exprs": exprs}, origin=outer.origin)

"""A layer written as a formula over x."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from netcompiler.formula import operations, parse_formula
from netcompiler.grammar import Term
from netcompiler.layers.layer import Cost, Layer, Shape
from netcompiler.options import Expect, Formula
from netcompiler.scalar import Expr, add, compare, div, logical, maximum, minimum, mul, neg, power, relu, select, sub, unary, wrap

if TYPE_CHECKING:
    from netcompiler.lowering import Lowering
    from netcompiler.plan import Value


class Map(Layer):
    """Any pointwise formula over x; variables and arguments are constants in it, without `$`."""

    family = "activation"
    formula = "y = the formula, at every position"
    example = "map: x * tanh(softplus(x))"
    keeps = "input"

    expression: Annotated[str, Formula(), Expect("a formula over x")] = Field(
        description="arithmetic, comparisons, `if else` and abs min max "
        "exp expm1 log log1p sqrt rsqrt tanh sigmoid softplus relu erf sin cos"
    )

    def cost(self, x: Shape, y: Shape) -> Cost:
        return Cost(work=operations(parse_formula(self.expression).root) * math.prod(y))

    def lower(self, at: Lowering, *inputs: Value) -> Value:
        return at.pointwise(lambda x: written(parse_formula(self.expression).root, x), inputs[0])

    def explain(self, x: Shape, y: Shape) -> Iterable[str]:
        each = operations(parse_formula(self.expression).root)
        yield f"y = {self.expression}: {each} operations at each of {math.prod(y):,} positions = {each * math.prod(y):,}"


SIGNS: dict[str, Callable[..., Expr]] = {
    "+": add,
    "-": sub,
    "*": mul,
    "/": div,
    "**": power,
    "negate": neg,
    "if": select,
    "max": maximum,
    "min": minimum,
    "relu": relu,
}
COMPARES = {"<": "lt", "<=": "le", ">": "gt", ">=": "ge", "==": "eq", "!=": "ne"}


def written(term: Term, x: Expr) -> Expr:
    """A formula in the scalar language."""
    if term.op == "value":
        return wrap(float(term.leaf))
    if term.op == "name":
        return x
    args = [written(arg, x) for arg in term.args]
    if term.op in COMPARES:
        return compare(COMPARES[term.op], *args)
    if term.op in ("and", "or", "not"):
        return logical(term.op, *args)
    build = SIGNS.get(term.op)
    return build(*args) if build else unary(term.op, *args)

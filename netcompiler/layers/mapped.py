"""A layer written as a formula over x."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Annotated, ClassVar

from pydantic import Field

from netcompiler.formula import operations, parse_formula
from netcompiler.layers.layer import Cost, Layer, Shape
from netcompiler.options import Expect, Formula


class Map(Layer):
    """Any pointwise formula over x; variables and arguments are constants in it, without `$`."""

    family: ClassVar[str] = "activation"
    formula: ClassVar[str] = "y = the formula, at every position"
    example: ClassVar[str] = "map: x * tanh(softplus(x))"
    keeps: ClassVar[str] = "input"

    expression: Annotated[str, Formula(), Expect("a formula over x")] = Field(
        description="arithmetic, comparisons, `if else` and abs min max exp expm1 log log1p sqrt rsqrt tanh sigmoid softplus relu erf sin cos"
    )

    def cost(self, x: Shape, y: Shape) -> Cost:
        return Cost(work=operations(parse_formula(self.expression).root) * math.prod(y))

    def explain(self, x: Shape, y: Shape) -> Iterable[str]:
        each = operations(parse_formula(self.expression).root)
        yield f"y = {self.expression}: {each} operations at each of {math.prod(y):,} positions = {each * math.prod(y):,}"

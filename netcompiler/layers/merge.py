"""Merges: several values become one."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import reduce
from typing import TYPE_CHECKING

from pydantic import Field

from netcompiler.diagnostics import Mistake
from netcompiler.layers.layer import Cost, Layer, Shape, pointwise_lines, show
from netcompiler.options import Several
from netcompiler.scalar import add, mul, operand

if TYPE_CHECKING:
    from netcompiler.lowering import Lowering
    from netcompiler.plan import Value


class _Merge(Layer):
    """What all merges share."""

    family = "merge"

    of: Several = Field(description="the names of what is merged; `above` and `input` are names too")

    def facts(self, inputs: tuple[Shape, ...]) -> list[str]:
        """The shapes that meet, by name."""
        return [f"{name}: {show(x)}" for name, x in zip(self.of, inputs, strict=True)]

    def check_rank(self, inputs: tuple[Shape, ...]) -> None:
        if len({len(x) for x in inputs}) > 1:
            help = "`flatten` and `global_mean_pool` make a vector of maps, `reshape` makes maps of a vector"
            raise Mistake("shape-mismatch", f"{self.kind} meets values with different numbers of sides", help, self.facts(inputs))


class Concat(_Merge):
    """Puts the maps of all values behind one another; vectors are joined."""

    formula = "y = the channels of the first, then those of the second, ..."
    example = "concat: [above, input]"

    def shape(self, *inputs: Shape) -> Shape:
        self.check_rank(inputs)
        y = (sum(x[0] for x in inputs), *inputs[0][1:])
        if len({x[1:] for x in inputs}) > 1:
            sides = " and ".join(dict.fromkeys(show(x[1:]) for x in inputs))
            help = "concat joins channels, so the sides must agree: change stride or padding above, or `crop` or `pad` one of them"
            raise Mistake("shape-mismatch", f"concat meets maps of {sides}", help, self.facts(inputs), guess=y)
        return y

    def lower(self, at: Lowering, *inputs: Value) -> Value:
        return at.b.emit("concat", *inputs, axis=len(inputs[0].shape) - 1)


class Add(_Merge):
    """Adds values of one shape, number by number."""

    formula = "y = a + b + ..."
    example = "add: [above, input]"

    def shape(self, *inputs: Shape) -> Shape:
        self.check_rank(inputs)
        y = min(inputs, key=lambda x: math.prod(x[1:]))  # the first of those with the smallest sides
        for x in inputs:
            if x != y:
                message = f"add needs equal shapes, and meets {show(y)} and {show(x)}"
                raise Mistake("shape-mismatch", message, projection(x, y), self.facts(inputs), guess=y)
        return y

    def cost(self, x: Shape, y: Shape) -> Cost:
        return Cost(work=(len(self.of) - 1) * math.prod(y))

    def lower(self, at: Lowering, *inputs: Value) -> Value:
        return at.map(reduce(add, map(operand, range(len(inputs)))), *inputs)

    def explain(self, x: Shape, y: Shape) -> Iterable[str]:
        yield from pointwise_lines(len(self.of) - 1, y)


def projection(x: Shape, y: Shape) -> str:
    """What gives x the shape of y: for maps, a 1x1 convolution where a whole stride does it."""
    if len(x) == 1:
        return f"`linear: {y[0]}` on the shortcut makes {y[0]} numbers of its {x[0]}"
    strides = [-(-n // m) for n, m in zip(x[1:], y[1:], strict=True)]
    if any(-(-n // s) != m for n, m, s in zip(x[1:], y[1:], strides, strict=True)):
        return "change stride or padding until the sides agree, or `crop` or `pad` one of them"
    same = len(set(strides)) == 1
    stride = "" if set(strides) == {1} else f", stride: {strides[0] if same else strides}"
    return f"a 1x1 convolution on the shortcut makes {show(y)} of its {show(x)}: conv: {{filters: {y[0]}, kernel: 1{stride}}}"


class Multiply(_Merge):
    """Multiplies values of one shape, number by number; a vector beside maps is a weight for each map."""

    formula = "y = a * b * ...;  a vector: y[m, x, y] = a[m, x, y] * b[m]"
    example = "multiply: [above, input]"
    keeps = "input"

    def shape(self, *inputs: Shape) -> Shape:
        y = max(inputs, key=len)
        for x in inputs:
            if x not in (y, y[:1]):
                message = f"multiply needs equal shapes, or a vector of {y[0]} beside maps, and meets {show(y)} and {show(x)}"
                help = f"`linear: {y[0]}` gives such a vector" if len(x) == 1 else "change filters, stride or padding above"
                raise Mistake("shape-mismatch", message, help, self.facts(inputs), guess=y)
        return y

    def cost(self, x: Shape, y: Shape) -> Cost:
        return Cost(work=(len(self.of) - 1) * math.prod(y))

    def lower(self, at: Lowering, *inputs: Value) -> Value:
        rank = max(len(x.shape) for x in inputs)
        beside = [at.b.reshape(x, (x.shape[0], *[1] * (rank - len(x.shape)), *x.shape[1:])) for x in inputs]
        return at.map(reduce(mul, map(operand, range(len(inputs)))), *beside)

    def explain(self, x: Shape, y: Shape) -> Iterable[str]:
        yield from pointwise_lines(len(self.of) - 1, y)

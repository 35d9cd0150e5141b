"""Activations: one function at every position, and softmax, which compares values with each other."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from netcompiler.layers.layer import Cost, Layer, Reach, Shape, axis_index, pointwise_lines, total
from netcompiler.options import AnyAxis, NotNegative, Positive, Truth
from netcompiler.scalar import Expr, compare, exp, minimum, operand, relu, select, unary, wrap

if TYPE_CHECKING:
    from netcompiler.lowering import Lowering
    from netcompiler.plan import Value


class Pointwise(Layer):  # no layer itself, so it has no docstring
    family = "activation"
    keeps = "output"  # enough where the derivative can be told from the value
    each: ClassVar[int] = 0
    """Operations, comparisons and functions in the formula."""

    def operations(self) -> int:
        return self.each

    def function(self, x: Expr) -> Expr:
        raise NotImplementedError(self.kind)

    def lower(self, at: Lowering, *inputs: Value) -> Value:
        return at.pointwise(self.function, inputs[0])

    def cost(self, x: Shape, y: Shape) -> Cost:
        return Cost(work=self.operations() * math.prod(y))

    def explain(self, x: Shape, y: Shape) -> Iterable[str]:
        yield from pointwise_lines(self.operations(), y)


class Relu(Pointwise):
    """Cuts off what is negative."""

    formula = "y = max(x, 0)"
    example = "relu"
    each = 1

    def function(self, x: Expr) -> Expr:
        return relu(x)


class Relu6(Pointwise):
    """Cuts off what is negative or above 6."""

    formula = "y = min(max(x, 0), 6)"
    example = "relu6"
    each = 2

    def function(self, x: Expr) -> Expr:
        return minimum(relu(x), wrap(6))


class LeakyRelu(Pointwise):
    """Makes negative values smaller by a factor, in place of cutting them off."""

    formula = "y = x if x > 0 else slope * x"
    example = "leaky_relu: 0.1"
    each = 2

    slope: NotNegative = Field(description="the factor for negative values")

    def function(self, x: Expr) -> Expr:
        return select(compare("gt", x, wrap(0)), x, self.slope * x)


class Elu(Pointwise):
    """The identity above 0, and below it an exponential that levels off at -alpha."""

    formula = "y = x if x > 0 else alpha * (exp(x) - 1)"
    example = "elu"
    each = 4

    alpha: Positive = Field(1.0, description="minus the value far below 0")

    def function(self, x: Expr) -> Expr:
        return select(compare("gt", x, wrap(0)), x, self.alpha * unary("expm1", x))


class Selu(Pointwise):
    """An elu whose two constants keep mean 0 and variance 1 from layer to layer."""

    formula = "y = 1.0507009873554805 * (x if x > 0 else 1.6732632423543772 * (exp(x) - 1))"
    example = "selu"
    each = 5

    def function(self, x: Expr) -> Expr:
        return 1.0507009873554805 * select(compare("gt", x, wrap(0)), x, 1.6732632423543772 * unary("expm1", x))


class Sigmoid(Pointwise):
    """Squashes every value into 0 to 1."""

    formula = "y = 1 / (1 + exp(-x))"
    example = "sigmoid"
    each = 4

    def function(self, x: Expr) -> Expr:
        return unary("sigmoid", x)


class Tanh(Pointwise):
    """Squashes every value into -1 to 1."""

    formula = "y = tanh(x)"
    example = "tanh"
    each = 1

    def function(self, x: Expr) -> Expr:
        return unary("tanh", x)


class Softplus(Pointwise):
    """A smooth relu."""

    formula = "y = log(1 + exp(x))"
    example = "softplus"
    keeps = "input"
    each = 3

    def function(self, x: Expr) -> Expr:
        return unary("softplus", x)


class Gelu(Pointwise):
    """x times the probability that a normal variable lies below x."""

    formula = "y = 0.5 * x * (1 + erf(x / sqrt(2)));  approximate: 0.5 * x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3)))"
    example = "gelu"
    keeps = "input"

    approximate: Truth = Field(False, description="the formula with tanh in place of erf")

    def operations(self) -> int:
        return 8 if self.approximate else 5

    def function(self, x: Expr) -> Expr:
        if self.approximate:
            return 0.5 * x * (1 + unary("tanh", math.sqrt(2 / math.pi) * (x + 0.044715 * (x * x * x))))
        return 0.5 * x * (1 + unary("erf", x * math.sqrt(0.5)))


class Silu(Pointwise):
    """x times its sigmoid, also called swish."""

    formula = "y = x / (1 + exp(-x))"
    example = "silu"
    keeps = "input"
    each = 4

    def function(self, x: Expr) -> Expr:
        return x * unary("sigmoid", x)


class HardSwish(Pointwise):
    """silu made of straight lines and a parabola."""

    formula = "y = x * min(max(x + 3, 0), 6) / 6"
    example = "hard_swish"
    keeps = "input"
    each = 5

    def function(self, x: Expr) -> Expr:
        return x * minimum(relu(x + 3), wrap(6)) / 6


class HardSigmoid(Pointwise):
    """A sigmoid made of three straight lines."""

    formula = "y = min(max(x + 3, 0), 6) / 6"
    example = "hard_sigmoid"
    keeps = "input"
    each = 4

    def function(self, x: Expr) -> Expr:
        return minimum(relu(x + 3), wrap(6)) / 6


class Softmax(Layer):
    """Makes probabilities: positive values that sum to 1, over all that comes in or along one axis."""

    family = "activation"
    formula = "y[i] = exp(x[i]) / sum over j of exp(x[j])"
    example = "softmax: {axis: channels}"
    keeps = "output"

    axis: AnyAxis = Field(None, description="channels, or the number of a side; without it, everything the layer below gives")

    def shape(self, *inputs: Shape) -> Shape:
        [x] = inputs
        self._length(x)
        return x

    def cost(self, x: Shape, y: Shape) -> Cost:
        """exp, sum and division for each value; a sum of n has n - 1 additions."""
        values = math.prod(x)
        return Cost(work=3 * values - values // self._length(x))

    def reach(self, x: Shape) -> Reach | None:
        if self.axis is None:
            return None
        extent = [1] * len(x)
        extent[axis_index(self.axis, x, self.kind)] = self._length(x)
        return Reach(tuple(extent[1:]), (1,) * (len(x) - 1))

    def lower(self, at: Lowering, *inputs: Value) -> Value:
        """exp(x - shift) over its sum: no exp overflows. The shift changes nothing, and being whole it has no slope to follow."""
        [x] = inputs
        axis = 1 if self.axis is None else axis_index(self.axis, at.shape(x), self.kind) or len(x.shape) - 1
        values = at.b.reshape(x, (x.shape[0], x.elements // x.shape[0])) if self.axis is None else x
        shift = at.pointwise(lambda largest: unary("floor", largest), at.b.emit("max", values, axes=(axis,)))
        powers = at.map(exp(operand(0) - operand(1)), values, shift, shape=values.shape)
        return at.b.reshape(at.map(operand(0) / operand(1), powers, at.b.sum(powers, (axis,)), shape=values.shape), x.shape)

    def explain(self, x: Shape, y: Shape) -> Iterable[str]:
        sums = math.prod(x) // self._length(x)
        yield f"sums: {sums:,} over {self._length(x):,} values each"
        yield total("work", self.cost(x, y).work, f"3 * {math.prod(x):,} - {sums:,}")

    def _length(self, x: Shape) -> int:
        """How many values sum to 1."""
        return math.prod(x) if self.axis is None else x[axis_index(self.axis, x, self.kind)]

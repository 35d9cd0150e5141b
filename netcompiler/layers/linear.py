"""Layers whose outputs see the whole input, and the smallest one: a weight and a bias for each channel."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from netcompiler.diagnostics import Mistake, did_you_mean
from netcompiler.layers.centers import CENTERS
from netcompiler.layers.layer import Cost, Layer, Parameter, Reach, Shape, need_vector, parameter, parameter_lines, pointwise_lines, total
from netcompiler.options import Count, Expect, Number, Truth
from netcompiler.scalar import operand

if TYPE_CHECKING:
    from netcompiler.lowering import Lowering
    from netcompiler.plan import Value


class Linear(Layer):
    """Each output is a weighted sum of the whole vector: a fully connected layer."""

    family = "linear"
    formula = "z[n] = b[n] + sum over m of w[n, m] * a[m]"
    example = "linear: 120"
    weighted = True
    keeps = "input"

    units: Count = Field(description="outputs")
    bias: Truth = Field(True, description="add a learned number to each output")

    def shape(self, *inputs: Shape) -> Shape:
        [x] = inputs
        need_vector(self, x, self.units)
        return (self.units,)

    def parameters(self, x: Shape) -> tuple[Parameter, ...]:
        weight = parameter("weight", self.units, x[0])
        return (weight, parameter("bias", self.units)) if self.bias else (weight,)

    def cost(self, x: Shape, y: Shape) -> Cost:
        macs = x[0] * self.units
        bias = self.units * self.bias
        return Cost(macs, bias, macs + bias)

    def reach(self, x: Shape) -> Reach | None:
        return None

    def lower(self, at: Lowering, *inputs: Value) -> Value:
        y = at.b.emit("matmul", inputs[0], at.parameter("weight"), ta=False, tb=True)
        return at.biased(y) if self.bias else y

    def explain(self, x: Shape, y: Shape) -> Iterable[str]:
        yield total("params", sum(p.size for p in self.parameters(x)), f"{self.units} * {x[0]}", f"{self.units}" if self.bias else "")
        yield total("MACs", self.cost(x, y).macs, f"{self.units} * {x[0]}")


class Scale(Layer):
    """Multiplies each channel by a learned weight and adds a learned bias; a vector has one of each for every element."""

    family = "linear"
    formula = "z[n, x, y] = w[n] * a[n, x, y] + b[n]"
    example = "scale"
    keeps = "input"

    weight: Truth = Field(True, description="multiply by a learned number")
    bias: Truth = Field(True, description="add a learned number")

    def shape(self, *inputs: Shape) -> Shape:
        [x] = inputs
        if not (self.weight or self.bias):
            raise Mistake("no-effect", "scale without weight and without bias does nothing", "leave the layer out", guess=x)
        return x

    def parameters(self, x: Shape) -> tuple[Parameter, ...]:
        return tuple(parameter(name, x[0]) for name in ("weight", "bias") if getattr(self, name))

    def cost(self, x: Shape, y: Shape) -> Cost:
        outputs = math.prod(y)
        return Cost(work=(self.weight + self.bias) * outputs, connections=self.bias * outputs)

    def lower(self, at: Lowering, *inputs: Value) -> Value:
        [y] = inputs
        if self.weight:
            y = at.map(operand(0) * operand(1), y, at.parameter("weight"), shape=y.shape)
        return at.biased(y) if self.bias else y

    def explain(self, x: Shape, y: Shape) -> Iterable[str]:
        yield from parameter_lines(self.parameters(x))
        yield from pointwise_lines(self.weight + self.bias, y)


class Rbf(Layer):
    """Scores each class by how near the vector lies to its fixed center: minus the squared distance."""

    family = "linear"
    formula = "y[k] = -sum over i of (x[i] - center[k, i])^2"
    example = "rbf: {classes: 10, centers: lenet-digits}"
    weighted = True
    keeps = "input"

    classes: Count = Field(description="outputs")
    centers: Annotated[str | list[list[Number]], Expect("the name of a set of centers, or a list with a vector for each class")] = Field(
        description=f"a known set ({', '.join(CENTERS)}), or one vector for each class"
    )

    def shape(self, *inputs: Shape) -> Shape:
        [x] = inputs
        need_vector(self, x, self.classes)
        classes, lengths = self._sizes()
        if classes != self.classes:
            raise self._mistake(f"{classes} centers are given, and classes is {self.classes}", f"write classes: {classes}")
        if lengths != {x[0]}:
            words = " and ".join(f"{length:,}" for length in sorted(lengths))
            raise self._mistake(f"the centers have {words} numbers, and what comes in is a vector of {x[0]:,}", "both must agree")
        return (self.classes,)

    def parameters(self, x: Shape) -> tuple[Parameter, ...]:
        return (parameter("centers", self.classes, x[0], learnable=False),)

    def cost(self, x: Shape, y: Shape) -> Cost:
        pairs = self.classes * x[0]
        return Cost(work=3 * pairs, connections=pairs)

    def reach(self, x: Shape) -> Reach | None:
        return None

    def lower(self, at: Lowering, *inputs: Value) -> Value:
        """Differences first: |x|^2 - 2 x*c + |c|^2 would lose digits near a center."""
        [x] = inputs
        rows, length = x.shape
        centers = at.parameter("centers", given=self._numbers())
        distance = operand(0) - operand(1)
        pairs = at.map(-(distance * distance), at.b.reshape(x, (rows, 1, length)), centers, shape=(rows, self.classes, length))
        return at.b.reshape(at.b.sum(pairs, (2,)), (rows, self.classes))

    def explain(self, x: Shape, y: Shape) -> Iterable[str]:
        yield from parameter_lines(self.parameters(x))
        yield total("work", self.cost(x, y).work, f"3 * {self.classes} * {x[0]}")

    def _sizes(self) -> tuple[int, set[int]]:
        """How many centers there are, and how many numbers they have."""
        if isinstance(self.centers, list):
            return len(self.centers), {len(center) for center in self.centers}
        if self.centers not in CENTERS:
            raise self._mistake(f"there are no centers called `{self.centers}`", did_you_mean(self.centers, CENTERS))
        return len(CENTERS[self.centers]), set(map(len, CENTERS[self.centers]))

    def _numbers(self) -> list[float]:
        """The centers, one after the other."""
        centers = self.centers if isinstance(self.centers, list) else CENTERS[self.centers]
        return [value for center in centers for value in center]

    def _mistake(self, message: str, help: str) -> Mistake:
        return Mistake("centers", message, help, option="centers", guess=(self.classes,))

"""Normalisation: over the batch, over groups of channels, over a whole picture, across neighbouring channels."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from netcompiler.diagnostics import Mistake
from netcompiler.layers.layer import (
    Cost,
    Layer,
    Parameter,
    Reach,
    Shape,
    divisors,
    need_maps,
    parameter,
    parameter_lines,
    pointwise_lines,
    total,
)
from netcompiler.layers.window import Window
from netcompiler.options import Count, Number, Part, Positive, Truth
from netcompiler.plan import Axis
from netcompiler.scalar import maximum, operand, power, rsqrt, substitute, wrap

if TYPE_CHECKING:
    from netcompiler.lowering import Lowering
    from netcompiler.plan import Value


class _Norm(Layer):
    """What layers share that subtract a mean and divide by a deviation."""

    family = "normalisation"
    keeps = "input"

    epsilon: Positive = Field(1e-5, description="added to the variance")
    affine: Truth = Field(True, description="a learned weight and bias behind it")

    def _apply(self, at: Lowering, x: Value, mean: Value, scale: Value, affine: Sequence[Value]) -> Value:
        """(x - mean) * scale, and the learned weight and bias."""
        y = (operand(0) - operand(1)) * operand(2)
        return at.map(y * operand(3) + operand(4) if affine else y, x, mean, scale, *affine, shape=x.shape)

    def _affine(self, *shape: int) -> tuple[Parameter, ...]:
        return (parameter("weight", *shape), parameter("bias", *shape)) if self.affine else ()


class BatchNorm(_Norm):
    """Gives each channel mean 0 and variance 1 over the batch; inference uses running averages of both.
    The momentum is PyTorch's, the weight of the new value: Keras' 0.99 is 0.01 here."""

    formula = "y = w[n] * (x - mean[n]) / sqrt(var[n] + epsilon) + b[n];  running += momentum * (new - running)"
    example = "batch_norm"

    momentum: Part = Field(0.1, description="weight of the new value in the running averages")

    def parameters(self, x: Shape) -> tuple[Parameter, ...]:
        running = (parameter("running_mean", x[0], learnable=False), parameter("running_var", x[0], learnable=False))
        return *self._affine(x[0]), *running

    def cost(self, x: Shape, y: Shape) -> Cost:
        """In inference it is one product and one addition."""
        return Cost(work=2 * math.prod(y))

    def lower(self, at: Lowering, *inputs: Value) -> Value:
        [x] = inputs
        running = at.parameter("running_mean"), at.parameter("running_var")
        mean, var = self._moments(at, x, *running) if at.training else running
        scale = at.map(rsqrt(operand(0) + self.epsilon), var)
        return self._apply(at, x, mean, scale, [at.parameter(name) for name in ("weight", "bias") if self.affine])

    def _moments(self, at: Lowering, x: Value, running_mean: Value, running_var: Value) -> tuple[Value, Value]:
        """The batch's own mean and variance; the running averages follow them, with the unbiased variance as in PyTorch."""
        mean, var = at.b.emit_all("moments", x, at.valid, axes=tuple(range(len(x.shape) - 1)))
        new, old, count = operand(0), operand(1), operand(2) * math.prod(x.shape[1:-1])
        size = running_mean.shape
        follow = old + self.momentum * (new - old)
        at.succeed(running_mean, at.map(follow, at.b.reshape(mean, size), running_mean))
        unbiased = substitute(follow, {0: new * count / maximum(count - 1, wrap(1))})
        at.succeed(running_var, at.map(unbiased, at.b.reshape(var, size), running_var, at.valid, shape=size))
        return mean, var

    def explain(self, x: Shape, y: Shape) -> Iterable[str]:
        yield from parameter_lines(self.parameters(x))
        yield from pointwise_lines(2, y)


class _PictureNorm(_Norm):
    """What norms share that are computed from one picture, in inference too."""

    def reach(self, x: Shape) -> Reach | None:
        return None

    def cost(self, x: Shape, y: Shape) -> Cost:
        """A value: mean 1, variance 3, difference, quotient, weight, bias; a set of values: epsilon and root."""
        return Cost(work=self._each() * math.prod(y) + 2 * self._sets())

    def explain(self, x: Shape, y: Shape) -> Iterable[str]:
        yield from parameter_lines(self.parameters(x))
        yield f"sets: {self._sets()} of {math.prod(x) // self._sets():,} values, each with its mean and variance"
        yield total("work", self.cost(x, y).work, f"{self._each()} * {math.prod(y):,}", f"2 * {self._sets()}")

    def _normal(self, at: Lowering, x: Value, axes: tuple[int, ...], affine: Sequence[Value]) -> Value:
        """x with mean 0 and variance 1 over the axes; then the weight and the bias."""
        mean, var = at.b.emit_all("moments", x, axes=axes)
        return self._apply(at, x, mean, at.map(rsqrt(operand(0) + self.epsilon), var), affine)

    def _each(self) -> int:
        return 8 if self.affine else 6

    def _sets(self) -> int:
        return 1


class GroupNorm(_PictureNorm):
    """Gives each group of channels of a picture mean 0 and variance 1."""

    formula = "y = w[n] * (x - mean[group]) / sqrt(var[group] + epsilon) + b[n]"
    example = "group_norm: 32"

    groups: Count = Field(description="how many groups the channels are cut into")

    def shape(self, *inputs: Shape) -> Shape:
        [x] = inputs
        if x[0] % self.groups:
            raise Mistake(
                "groups",
                f"{self.groups} groups do not divide {x[0]} channels",
                f"groups must be one of {divisors(x[0])}",
                option="groups",
                guess=x,
            )
        return x

    def parameters(self, x: Shape) -> tuple[Parameter, ...]:
        return self._affine(x[0])

    def lower(self, at: Lowering, *inputs: Value) -> Value:
        """The channels of a group lie side by side, on an axis of their own; so do their weights and biases."""
        [x] = inputs
        rows, groups, members = x.shape[0], self.groups, x.shape[-1] // self.groups
        parted = at.b.reshape(x, (rows, x.elements // (rows * groups * members), groups, members))
        affine = [at.b.reshape(at.parameter(name), (groups, members)) for name in ("weight", "bias") if self.affine]
        return at.b.reshape(self._normal(at, parted, (1, 3), affine), x.shape)

    def _sets(self) -> int:
        return self.groups


class LayerNorm(_PictureNorm):
    """Gives everything of one picture together mean 0 and variance 1; each value has its own weight and bias."""

    formula = "y = w[n, x, y] * (x - mean) / sqrt(var + epsilon) + b[n, x, y]"
    example = "layer_norm"

    def parameters(self, x: Shape) -> tuple[Parameter, ...]:
        return self._affine(*x)

    def lower(self, at: Lowering, *inputs: Value) -> Value:
        [x] = inputs
        order = at.behind(0, len(x.shape) - 1)
        affine = [at.parameter(name, order) for name in ("weight", "bias") if self.affine]
        return self._normal(at, x, tuple(range(1, len(x.shape))), affine)


class Lrn(Layer):
    """Local response normalisation: divides by a power of the squares in the neighbouring channels, at each position.
    Frameworks disagree about its four numbers, so none has a default."""

    family = "normalisation"
    formula = "b[n] = a[n] / (k + alpha * sum over the size channels around n of a^2)^beta"
    example = "lrn: {size: 5, alpha: 1e-4, beta: 0.75, k: 2}"
    keeps = "input"

    size: Count = Field(description="channels in the sum: the channel itself and as many on either side, so an odd number")
    alpha: Positive = Field(description="weight of the sum")
    beta: Positive = Field(description="the power")
    k: Number = Field(description="added to the sum: 2 in AlexNet's paper, 1 in Caffe and PyTorch")
    divide: Truth = Field(False, description="divide alpha by size, as Caffe and PyTorch do")

    def shape(self, *inputs: Shape) -> Shape:
        [x] = inputs
        need_maps(self, x)
        if self.size % 2 == 0:
            help = f"use {self.size - 1} or {self.size + 1}"
            raise Mistake("lrn-size", f"{self.size} channels have none in the middle", help, option="size", guess=x)
        return x

    def cost(self, x: Shape, y: Shape) -> Cost:
        """Squares and their sum; then alpha, k, power and quotient for each output."""
        return Cost(work=2 * self._terms(x) + 3 * math.prod(y))

    def explain(self, x: Shape, y: Shape) -> Iterable[str]:
        yield f"channels read: {self._terms(x):,} for {math.prod(y):,} outputs"
        yield total("work", self.cost(x, y).work, f"2 * {self._terms(x):,}", f"3 * {math.prod(y):,}")

    def lower(self, at: Lowering, *inputs: Value) -> Value:
        [x] = inputs
        side, alpha = self.size // 2, self.alpha / (self.size if self.divide else 1)
        squares = at.pointwise(lambda x: x * x, x)
        total = at.b.emit("window_sum", squares, axes=(len(x.shape) - 1,), window=(Axis(self.size, 1, side, side),))
        return at.map(operand(0) * power(self.k + alpha * operand(1), wrap(-self.beta)), x, total, shape=x.shape)

    def _terms(self, x: Shape) -> int:
        """How many squares all sums have; a sum at the border has fewer."""
        side = self.size // 2
        return Window(self.size, 1, side, side).taps(x[0]) * math.prod(x[1:])

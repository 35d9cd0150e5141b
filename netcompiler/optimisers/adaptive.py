"""Rules with a rate of its own for each weight, from the squares of its gradients. Defaults are PyTorch's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from netcompiler.optimisers.optimizer import Optimizer
from netcompiler.options import NotNegative, Positive, Share, Truth
from netcompiler.scalar import Expr, maximum, operand, sqrt, unary, wrap

if TYPE_CHECKING:
    from netcompiler.lowering import Lowering
    from netcompiler.plan import Value

W, RATE, G, FIRST, SECOND = map(operand, range(5))
"""The weight, the rate, the gradient, and the slots in their order."""


class _Moments(Optimizer):
    """Running means of the gradient and of its square, corrected for their start at zero."""

    beta1: Share = Field(0.9, description="share of the old mean of the gradient that is kept")
    beta2: Share = Field(0.999, description="share of the old mean of its square that is kept")
    epsilon: Positive = Field(1e-8, description="added to the root, so that nothing is divided by zero")

    @property
    def slots(self) -> int:
        return 2

    def lower(self, at: Lowering, w: Value, g: Value, slots: Sequence[Value], rate: Value, decay: float) -> tuple[Value, Sequence[Value]]:
        gradient = G if self.decoupled else G + decay * W
        mean = self.beta1 * FIRST + (1 - self.beta1) * gradient
        square = self.beta2 * SECOND + (1 - self.beta2) * (gradient * gradient)
        values = (w, rate, g, *slots, _share(at, self.beta1), _share(at, self.beta2))
        move = mean / operand(5) / (sqrt(square / operand(6)) + self.epsilon)
        kept = W - decay * RATE * W if self.decoupled else W
        new = [at.map(expr, *values, shape=w.shape) for expr in (kept - RATE * move, mean, square)]
        return new[0], new[1:]


def _share(at: Lowering, beta: float) -> Value:
    """1 - beta^t: how much of a running mean has come in after t steps. expm1, because beta^t is near 1 at first."""
    tick = at.control("tick", "i64")
    expr = wrap(1) if beta == 0 else -unary("expm1", math.log(beta) * (operand(0) + 1))
    return at.map(expr, tick)


class Adam(_Moments):
    """Adam. Weight decay is coupled: it is added to the gradient, and divided by the root like it."""

    formula = (
        "g += weight_decay * w;  m = beta1 * m + (1 - beta1) * g;  v = beta2 * v + (1 - beta2) * g^2;  "
        "w -= rate * m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + epsilon)"
    )
    example = "optimizer: {adam: 1e-3}"


class AdamW(_Moments):
    """Adam with decoupled weight decay: the weight shrinks by rate * weight_decay beside Adam's step."""

    kind = "adamw"
    formula = (
        "w -= rate * weight_decay * w;  m = beta1 * m + (1 - beta1) * g;  v = beta2 * v + (1 - beta2) * g^2;  "
        "w -= rate * m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + epsilon)"
    )
    example = "optimizer: {adamw: {rate: 1e-3, weight_decay: 0.05}}"
    decoupled = True

    weight_decay: NotNegative = Field(0.01, description="lambda: a weight shrinks by rate * lambda * w a step (decoupled)")


class RMSprop(Optimizer):
    """The gradient divided by the root of the running mean of its square. Weight decay is coupled."""

    formula = (
        "g += weight_decay * w;  s = alpha * s + (1 - alpha) * g^2;  v = momentum * v + g / (sqrt(s) + epsilon);  w -= rate * v;  "
        "centered: s less the square of the running mean of g"
    )
    example = "optimizer: {rmsprop: {rate: 1e-3, momentum: 0.9}}"

    alpha: Share = Field(0.99, description="share of the old mean of the square that is kept")
    epsilon: Positive = Field(1e-8, description="added to the root, so that nothing is divided by zero")
    momentum: Share = Field(0, description="share of the last step's velocity that is kept")
    centered: Truth = Field(False, description="divide by the deviation: subtract the square of the mean gradient")

    @property
    def slots(self) -> int:
        return 1 + (self.momentum > 0) + self.centered

    def lower(self, at: Lowering, w: Value, g: Value, slots: Sequence[Value], rate: Value, decay: float) -> tuple[Value, Sequence[Value]]:
        """The slots: the mean of the square, the velocity where there is a momentum, the mean where it is centered."""
        gradient = G + decay * W
        square = self.alpha * FIRST + (1 - self.alpha) * (gradient * gradient)
        mean = self.alpha * operand(2 + self.slots) + (1 - self.alpha) * gradient
        variance = maximum(square - mean * mean, wrap(0)) if self.centered else square
        move = gradient / (sqrt(variance) + self.epsilon)
        velocity = self.momentum * SECOND + move
        new: list[Expr] = [square, *([velocity] if self.momentum else []), *([mean] if self.centered else [])]
        step = velocity if self.momentum else move
        values = (w, rate, g, *slots)
        return at.map(W - RATE * step, *values, shape=w.shape), [at.map(expr, *values, shape=w.shape) for expr in new]


class Adagrad(Optimizer):
    """The gradient divided by the root of the sum of all its squares. Weight decay is coupled."""

    formula = "g += weight_decay * w;  s += g^2;  w -= rate / (1 + (t - 1) * rate_decay) * g / (sqrt(s) + epsilon)"
    example = "optimizer: {adagrad: 0.01}"

    rate_decay: NotNegative = Field(0, description="how fast the rate falls with the steps")
    initial: NotNegative = Field(0, description="s before the first step")
    epsilon: Positive = Field(1e-10, description="added to the root, so that nothing is divided by zero")

    @property
    def slots(self) -> int:
        return 1

    @property
    def slot_start(self) -> float:
        return self.initial

    def lower(self, at: Lowering, w: Value, g: Value, slots: Sequence[Value], rate: Value, decay: float) -> tuple[Value, Sequence[Value]]:
        gradient = G + decay * W
        total = FIRST + gradient * gradient
        if self.rate_decay:
            rate = at.map(operand(0) / (1 + self.rate_decay * operand(1)), rate, at.control("tick", "i64"))
        values = (w, rate, g, *slots)
        new = at.map(W - RATE * (gradient / (sqrt(total) + self.epsilon)), *values, shape=w.shape)
        return new, [at.map(total, *values, shape=w.shape)]

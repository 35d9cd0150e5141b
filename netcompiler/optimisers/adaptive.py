"""Rules with a rate of its own for each weight, from the squares of its gradients. Defaults are PyTorch's."""

from __future__ import annotations

from pydantic import Field

from netcompiler.optimisers.optimizer import Optimizer
from netcompiler.options import NotNegative, Positive, Share, Truth


class _Moments(Optimizer):
    """Running means of the gradient and of its square, corrected for their start at zero."""

    beta1: Share = Field(0.9, description="share of the old mean of the gradient that is kept")
    beta2: Share = Field(0.999, description="share of the old mean of its square that is kept")
    epsilon: Positive = Field(1e-8, description="added to the root, so that nothing is divided by zero")

    @property
    def slots(self) -> int:
        return 2


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

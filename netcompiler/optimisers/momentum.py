"""Gradient descent with one rate for all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import Field, model_validator

from netcompiler.diagnostics import Mistake
from netcompiler.optimisers.optimizer import Optimizer
from netcompiler.options import Share, Truth
from netcompiler.scalar import operand

if TYPE_CHECKING:
    from netcompiler.lowering import Lowering
    from netcompiler.plan import Value


class SGD(Optimizer):
    """Stochastic gradient descent, with momentum if one is given. Weight decay is coupled."""

    formula = "g += weight_decay * w;  v = momentum * v + g;  w -= rate * v, or with nesterov w -= rate * (g + momentum * v)"
    example = "optimizer: {sgd: {rate: 0.1, momentum: 0.9, weight_decay: 1e-4}}"

    momentum: Share = Field(0, description="share of the last step's velocity that is kept")
    nesterov: Truth = Field(False, description="look ahead along the velocity; wants a momentum")

    @model_validator(mode="after")
    def _nesterov_has_momentum(self) -> SGD:
        if self.nesterov and not self.momentum:
            raise Mistake("optimizer", "nesterov without momentum changes nothing", "give a momentum such as 0.9", option="nesterov")
        return self

    def lower(self, at: Lowering, w: Value, g: Value, slots: Sequence[Value], rate: Value, decay: float) -> tuple[Value, Sequence[Value]]:
        weight, step, gradient, velocity = map(operand, range(4))
        gradient = gradient + decay * weight
        if not self.momentum:
            return at.map(weight - step * gradient, w, rate, g), ()
        new = self.momentum * velocity + gradient
        move = gradient + self.momentum * new if self.nesterov else new
        values = (w, rate, g, *slots)
        return at.map(weight - step * move, *values, shape=w.shape), [at.map(new, *values, shape=w.shape)]

    @property
    def slots(self) -> int:
        return int(self.momentum > 0)

"""Gradient descent with one rate for all."""

from __future__ import annotations

from pydantic import Field, model_validator

from netcompiler.diagnostics import Mistake
from netcompiler.optimisers.optimizer import Optimizer
from netcompiler.options import Share, Truth


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

    @property
    def slots(self) -> int:
        return int(self.momentum > 0)

"""What an optimizer is: options, its rule as a formula, how many tensors of state it keeps for each parameter."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from netcompiler.options import Kind, NotNegative, Positive, Registry, Truth

OPTIMIZERS = Registry("optimizer", "netcompiler.optimisers.momentum", "netcompiler.optimisers.adaptive")


class Optimizer(Kind):
    """Base of all optimizers. The gradient g is the mean over the pictures; `t` counts the steps from 1."""

    registry: ClassVar[Registry] = OPTIMIZERS
    decoupled: ClassVar[bool] = False
    """Decay shrinks the weight beside the rule, instead of being added to the gradient."""

    rate: Positive = Field(description="the learning rate before schedule and warm-up")
    weight_decay: NotNegative = Field(0, description="lambda: what is added to the gradient of a weight is lambda * w (coupled)")
    decay_norms_and_biases: Truth = Field(False, description="decay biases and the weights of normalisation layers too")

    @property
    def slots(self) -> int:
        """Tensors of state, each the size of its parameter."""
        return 0

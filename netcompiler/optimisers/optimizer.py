"""What an optimizer is: options, its rule as a formula, how many tensors of state it keeps for each parameter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from netcompiler.options import Kind, NotNegative, Positive, Registry, Truth

if TYPE_CHECKING:
    from netcompiler.lowering import Lowering
    from netcompiler.plan import Value

OPTIMIZERS = Registry("optimizer", "netcompiler.optimisers.momentum", "netcompiler.optimisers.adaptive")


class Optimizer(Kind):
    """Base of all optimizers. The gradient g is the mean over the pictures; `t` counts the steps from 1."""

    registry: ClassVar[Registry] = OPTIMIZERS
    decoupled: ClassVar[bool] = False
    """Decay shrinks the weight beside the rule, instead of being added to the gradient."""

    rate: Positive = Field(description="the learning rate before schedule and warm-up")
    weight_decay: NotNegative = Field(0, description="lambda: what is added to the gradient of a weight is lambda * w (coupled)")
    decay_norms_and_biases: Truth = Field(False, description="decay biases and the weights of normalisation layers too")

    def lower(self, at: Lowering, w: Value, g: Value, slots: Sequence[Value], rate: Value, decay: float) -> tuple[Value, Sequence[Value]]:
        """The weight and the slots after a step; `decay` is 0 where it does not apply."""
        raise NotImplementedError(self.kind)

    @property
    def slots(self) -> int:
        """Tensors of state, each the size of its parameter."""
        return 0

    @property
    def slot_start(self) -> float:
        """What the slots hold before the first step."""
        return 0.0

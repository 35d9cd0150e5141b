"""What a loss is: options, the outputs that it fits, the target that it compares them with.

All losses take scores: what a softmax or sigmoid in front would do is part of the loss.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from netcompiler.options import Kind, Registry

if TYPE_CHECKING:
    from netcompiler.layers.layer import Shape
    from netcompiler.lowering import Lowering
    from netcompiler.plan import Value

LOSSES = Registry("loss", "netcompiler.losses.classification", "netcompiler.losses.regression")


class Loss(Kind):
    """Base of all losses: a divergence for each picture. What training makes small is its mean over the pictures."""

    registry: ClassVar[Registry] = LOSSES
    picks: ClassVar[bool] = False
    """The target is the number of a class, not a number for each output."""
    soft: ClassVar[bool] = False
    """The target may also be a share for each class."""
    includes: ClassVar[str] = ""
    """The kind of layer that the loss contains, and which must not stand in front of it."""

    def fits(self, y: Shape) -> None:
        """Raises Mistake where an output of this shape cannot serve."""

    def lower(self, at: Lowering, y: Value, target: Value) -> Value:
        """The divergence of each picture: (n, 1)."""
        raise NotImplementedError(self.kind)

    def answer(self, at: Lowering, y: Value) -> Value:
        """What metrics compare with the target."""
        return y

    def target(self, y: Shape) -> Shape:
        """The shape of the target of one picture; () is a single number."""
        return y[1:] if self.picks else y

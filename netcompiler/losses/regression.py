"""Losses that compare numbers: sums over everything that the output has, for one picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from netcompiler.losses.loss import Loss
from netcompiler.options import Positive
from netcompiler.scalar import Expr, absolute, compare, operand, select, wrap

if TYPE_CHECKING:
    from netcompiler.lowering import Lowering
    from netcompiler.plan import Value


class _OfDifferences(Loss):
    """The sum of a function of each difference."""

    def lower(self, at: Lowering, y: Value, target: Value) -> Value:
        return at.sum_of_rows(at.map(self.penalty(operand(0) - operand(1)), y, target))

    def penalty(self, e: Expr) -> Expr:
        raise NotImplementedError(self.kind)


class L2(_OfDifferences):
    """Half the squared distance; its derivative is output - target."""

    formula = "L = 1/2 * sum of (y - d)^2"
    example = "loss: l2"

    def penalty(self, e: Expr) -> Expr:
        return 0.5 * (e * e)


class L1(_OfDifferences):
    """The sum of the absolute differences."""

    formula = "L = sum of |y - d|"
    example = "loss: l1"

    def penalty(self, e: Expr) -> Expr:
        return absolute(e)


class Huber(_OfDifferences):
    """Squares for small differences, absolute values for large ones, joined without a corner."""

    formula = "L = sum of (1/2 * e^2 if e <= delta else delta * (e - delta/2)),  e = |y - d|"
    example = "loss: {huber: {delta: 0.5}}"

    delta: Positive = Field(1, description="the difference from which on it grows in a straight line")

    def penalty(self, e: Expr) -> Expr:
        size = absolute(e)
        return select(compare("le", size, wrap(self.delta)), 0.5 * (e * e), self.delta * (size - self.delta / 2))

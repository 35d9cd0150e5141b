"""Losses that compare numbers: sums over everything that the output has, for one picture."""

from __future__ import annotations

from pydantic import Field

from netcompiler.losses.loss import Loss
from netcompiler.options import Positive


class L2(Loss):
    """Half the squared distance; its derivative is output - target."""

    formula = "L = 1/2 * sum of (y - d)^2"
    example = "loss: l2"


class L1(Loss):
    """The sum of the absolute differences."""

    formula = "L = sum of |y - d|"
    example = "loss: l1"


class Huber(Loss):
    """Squares for small differences, absolute values for large ones, joined without a corner."""

    formula = "L = sum of (1/2 * e^2 if e <= delta else delta * (e - delta/2)),  e = |y - d|"
    example = "loss: {huber: {delta: 0.5}}"

    delta: Positive = Field(1, description="the difference from which on it grows in a straight line")

"""Noise in training; in inference these layers do nothing."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

from pydantic import Field

from netcompiler.layers.layer import Layer, Shape
from netcompiler.options import Share
from netcompiler.scalar import compare, operand, select, uniform, wrap

if TYPE_CHECKING:
    from netcompiler.lowering import Lowering
    from netcompiler.plan import Value


class _Noise(Layer):
    """What is dropped with a probability."""

    family = "noise"

    rate: Share = Field(description="the probability of a zero")

    def _dropped(self, at: Lowering, x: Value, shape: tuple[int, ...]) -> Value:
        """One number by chance for each cell of the shape, which x is broadcast over."""
        if not at.training or not self.rate:
            return x
        bits = at.b.reshape(at.random(self.kind, math.prod(shape[1:])), shape)
        dropped = compare("lt", uniform(operand(1)), wrap(self.rate))
        return at.map(select(dropped, wrap(0), operand(0) / (1 - self.rate)), x, bits, shape=x.shape)

    def explain(self, x: Shape, y: Shape) -> Iterable[str]:
        yield f"training: 0 with probability {self.rate:g}, else x / {1 - self.rate:g}; inference: x"


class Dropout(_Noise):
    """In training, sets values to zero by chance and makes the others larger, so that their mean stays."""

    formula = "y = 0 with probability rate, else x / (1 - rate);  in inference y = x"
    example = "dropout: 0.5"

    def lower(self, at: Lowering, *inputs: Value) -> Value:
        [x] = inputs
        return self._dropped(at, x, x.shape)


class DropPath(_Noise):
    """In training, sets all values of a picture to zero by chance: as the last layer of a residual body, it drops the branch."""

    formula = "y = 0 for a whole picture with probability rate, else x / (1 - rate);  in inference y = x"
    example = "drop_path: 0.1"

    def lower(self, at: Lowering, *inputs: Value) -> Value:
        [x] = inputs
        return self._dropped(at, x, (x.shape[0], *[1] * (len(x.shape) - 1)))

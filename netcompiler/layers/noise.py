"""Noise in training; in inference these layers do nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from pydantic import Field

from netcompiler.layers.layer import Layer, Shape
from netcompiler.options import Share


class _Noise(Layer):
    """What is dropped with a probability."""

    family: ClassVar[str] = "noise"

    rate: Share = Field(description="the probability of a zero")

    def explain(self, x: Shape, y: Shape) -> Iterable[str]:
        yield f"training: 0 with probability {self.rate:g}, else x / {1 - self.rate:g}; inference: x"


class Dropout(_Noise):
    """In training, sets values to zero by chance and makes the others larger, so that their mean stays."""

    formula: ClassVar[str] = "y = 0 with probability rate, else x / (1 - rate);  in inference y = x"
    example: ClassVar[str] = "dropout: 0.5"


class DropPath(_Noise):
    """In training, sets all values of a picture to zero by chance: as the last layer of a residual body, it drops the branch."""

    formula: ClassVar[str] = "y = 0 for a whole picture with probability rate, else x / (1 - rate);  in inference y = x"
    example: ClassVar[str] = "drop_path: 0.1"

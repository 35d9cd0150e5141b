"""How weights start. A weight has the axes [outputs, inputs, *taps]; fan_in = inputs * taps, fan_out = outputs * taps."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from netcompiler.options import Expect, Number, Positive
from netcompiler.recipe.families import Initialiser
from netcompiler.recipe.ranges import Around0

Distribution = Annotated[Literal["normal", "uniform"], Expect("one of normal, uniform")]


class Constant(Initialiser):
    """One value for all."""

    formula = "w = value"
    example = "init: {constant: 0}"

    value: Number = Field(description="the value")


class Normal(Initialiser):
    """Normally distributed."""

    formula = "w from N(mean, std^2)"
    example = "init: {normal: 0.01}"

    std: Positive = Field(description="the standard deviation")
    mean: Number = Field(0, description="the mean")


class Uniform(Initialiser):
    """Evenly distributed in a range."""

    formula = "w from U(low, high)"
    example = "init: {uniform: 0.05}"

    range: Around0 = Field(description="a for -a to a, or [low, high]")


class _Scaled(Initialiser):
    """The deviation follows from the fans."""

    axes = 2

    def deviation(self, fan_in: int, fan_out: int) -> float:
        raise NotImplementedError


class Xavier(_Scaled):
    """Glorot & Bengio 2010: keeps the variance both forward and backward in linear layers."""

    formula = "std = gain * sqrt(2 / (fan_in + fan_out));  uniform: w from U(-sqrt(3) * std, sqrt(3) * std)"
    example = "init: xavier"

    distribution: Distribution = Field("uniform", description="normal or uniform, of the same deviation")
    gain: Positive = Field(1, description="a factor")

    def deviation(self, fan_in: int, fan_out: int) -> float:
        return float(self.gain * (2 / (fan_in + fan_out)) ** 0.5)


class He(_Scaled):
    """He et al. 2015: keeps the variance through relu, forward (fan_in) or backward (fan_out)."""

    formula = "std = gain / sqrt(fan);  uniform: w from U(-sqrt(3) * std, sqrt(3) * std)"
    example = "init: {he: {mode: fan_out}}"

    mode: Annotated[Literal["fan_in", "fan_out"], Expect("one of fan_in, fan_out")] = Field("fan_in", description="the fan that counts")
    distribution: Distribution = Field("normal", description="normal or uniform, of the same deviation")
    gain: Positive = Field(2**0.5, description="a factor; sqrt(2) is for relu")

    def deviation(self, fan_in: int, fan_out: int) -> float:
        return float(self.gain / (fan_in if self.mode == "fan_in" else fan_out) ** 0.5)


class Orthogonal(Initialiser):
    """A random matrix [outputs, all else] whose rows, or columns if they are fewer, are orthogonal to one another (Saxe et al. 2013)."""

    formula = "w = gain * Q,  Q Q^T = 1 or Q^T Q = 1"
    example = "init: orthogonal"
    axes = 2

    gain: Positive = Field(1, description="the length of each row")


class Bilinear(Initialiser):
    """For conv_transpose as an upsampling layer: each map starts as its own bilinear interpolation, nothing between maps."""

    formula = "w[n, n, i, j] = (1 - |i - c| / f) * (1 - |j - c| / f),  f = ceil(K / 2),  c = (K - 1) / 2;  0 elsewhere"
    example = "init: bilinear"
    axes = 3

"""What convolutions share: windows of weights. Read next: conv.py, conv_transpose.py, local.py."""

from __future__ import annotations

import math

from pydantic import Field

from netcompiler.diagnostics import Mistake
from netcompiler.layers.layer import Layer, Shape, divisors, need_maps, show
from netcompiler.layers.window import Window, Windowed, per_side, window_shape, windows
from netcompiler.options import Count, Padding, PerSide, Rounding, Truth


class Filters(Layer):  # no layer itself, so it has no docstring
    family = "convolution"
    weighted = True
    keeps = "input"

    filters: Count = Field(description="output maps")
    kernel: PerSide = Field(description="window size")
    stride: PerSide = Field(1, description="cells from one window to the next")

    def taps(self, x: Shape) -> list[int]:
        return per_side(self.kernel, len(x) - 1, "kernel")


class Sliding(Windowed, Filters):  # windows over the input; no layer itself
    padding: Padding = Field(0, description="zeros around the input; `same` gives ceil(N / stride), `full` is kernel - 1")
    rounding: Rounding = Field("floor", description="a remainder is dropped (floor), gets a cut window (ceil), or is an error (exact)")
    bias: Truth = Field(True, description="add a learned number")
    dilation: PerSide = Field(1, description="cells from one tap to the next")

    def sides(self, x: Shape) -> list[Window]:
        need_maps(self, x)
        return windows(x, self.kernel, self.stride, self.padding, self.dilation, self.rounding)

    def shape(self, *inputs: Shape) -> Shape:
        [x] = inputs
        return window_shape(x, self.filters, self.sides(x))


def check_groups(groups: int, x: Shape, filters: int) -> None:
    if x[0] % groups or filters % groups:
        raise Mistake(
            "groups",
            f"{groups} groups do not divide {x[0]} input maps and {filters} filters",
            f"groups must divide both: one of {divisors(math.gcd(x[0], filters))}",
            [f"input: {show(x)}"],
            option="groups",
        )

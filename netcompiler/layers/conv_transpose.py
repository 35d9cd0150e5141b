"""Transposed convolution: filters stamped onto the output."""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from pydantic import Field

from netcompiler.diagnostics import Mistake
from netcompiler.layers.filters import Filters, check_groups
from netcompiler.layers.layer import Cost, Parameter, Reach, Shape, need_maps, parameter, show, total
from netcompiler.layers.window import per_side
from netcompiler.options import Count, PerSide, Truth, WholePerSide
from netcompiler.plan import Axis

if TYPE_CHECKING:
    from netcompiler.lowering import Lowering
    from netcompiler.plan import Value


class Stamp(NamedTuple):
    """One side of a transposed convolution: a window of `extent` cells is stamped every `stride` cells."""

    extent: int
    stride: int
    padding: int
    extra: int

    def size(self, n: int) -> int:
        return (n - 1) * self.stride + self.extent - 2 * self.padding + self.extra

    def formula(self, n: int) -> str:
        return f"({n} - 1) * {self.stride} + {self.extent} - 2 * {self.padding} + {self.extra} = {self.size(n)}"


class ConvTranspose(Filters):
    """The transpose of a convolution: each input value stamps the filter onto the output, `stride` apart."""

    formula = "z[n, x*S + i - P, y*S + j - P] += w[n, m, i, j] * a[m, x, y];  M = (N - 1)*S + K - 2P + output_padding"
    example = "conv_transpose: {filters: 32, kernel: 4, stride: 2, padding: 1}"

    padding: WholePerSide = Field(0, description="cells cut off each end of a side")
    output_padding: WholePerSide = Field(0, description="cells added at the far end; less than stride or dilation")
    dilation: PerSide = Field(1, description="cells from one tap to the next")
    groups: Count = Field(1, description="maps are cut into so many groups, each seeing only its own")
    bias: Truth = Field(True, description="add a learned number to each map")

    def sides(self, x: Shape) -> list[Stamp]:
        need_maps(self, x)
        rank = len(x) - 1
        options = ("kernel", "dilation", "stride", "padding", "output_padding")
        columns = zip(*(per_side(getattr(self, option), rank, option) for option in options), strict=True)
        return [self._stamp(*column) for column in columns]

    @staticmethod
    def _stamp(kernel: int, dilation: int, stride: int, padding: int, extra: int) -> Stamp:
        if extra >= max(stride, dilation):
            raise Mistake(
                "output-padding",
                f"output_padding {extra} is not less than stride {stride} or dilation {dilation}",
                f"use at most {max(stride, dilation) - 1}, or a larger kernel",
                option="output_padding",
            )
        return Stamp((kernel - 1) * dilation + 1, stride, padding, extra)

    def shape(self, *inputs: Shape) -> Shape:
        [x] = inputs
        y = (self.filters, *(stamp.size(n) for n, stamp in zip(x[1:], self.sides(x), strict=True)))
        check_groups(self.groups, x, self.filters)
        if min(y) < 1:
            raise Mistake("too-small", f"padding leaves {show(y)}", "use less padding", [f"input: {show(x)}"], option="padding")
        return y

    def parameters(self, x: Shape) -> tuple[Parameter, ...]:
        planes, taps = self.filters // self.groups, self.taps(x)
        fans = x[0] // self.groups * math.prod(taps), self.filters * math.prod(taps)
        weight = parameter("weight", x[0], planes, *taps, fans=fans)
        return (weight, parameter("bias", self.filters)) if self.bias else (weight,)

    def cost(self, x: Shape, y: Shape) -> Cost:
        macs = self.parameters(x)[0].size * math.prod(x[1:])
        bias = math.prod(y) * self.bias
        return Cost(macs, bias, macs + bias)

    def reach(self, x: Shape) -> Reach | None:
        """ceil(K / S) stamps meet in one output."""
        sides = self.sides(x)
        return Reach(tuple(-(-s.extent // s.stride) for s in sides), tuple(Fraction(1, s.stride) for s in sides))

    def lower(self, at: Lowering, *inputs: Value) -> Value:
        """The adjoint of the convolution that reads the output; cells added at the far end are cells that it never reads."""
        [x] = inputs
        shape = at.shape(x)
        dilations = per_side(self.dilation, len(shape) - 1, "dilation")
        window = tuple(
            Axis(kernel, side.stride, side.padding, side.padding - side.extra, dilation)
            for kernel, dilation, side in zip(self.taps(shape), dilations, self.sides(shape), strict=True)
        )
        weight = at.parameter("weight", at.behind(1, len(shape) + 1))
        y = at.b.emit("conv_dx", x, weight, window=window, groups=self.groups, size=self.shape(shape)[1:])
        return at.biased(y) if self.bias else y

    def explain(self, x: Shape, y: Shape) -> Iterable[str]:
        for axis, (n, stamp) in enumerate(zip(x[1:], self.sides(x), strict=True)):
            yield f"side {axis}: {stamp.formula(n)}"
        weight = self.parameters(x)[0]
        params = sum(p.size for p in self.parameters(x))
        yield total("params", params, " * ".join(map(str, weight.shape)), f"{self.filters}" if self.bias else "")
        yield total("MACs", self.cost(x, y).macs, f"{weight.size:,} * {show(x[1:])} input positions")

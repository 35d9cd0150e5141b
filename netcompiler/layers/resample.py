"""Fewer or more cells by a whole factor, without weights."""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from netcompiler.layers.layer import Cost, Layer, Reach, Shape, need_maps, total
from netcompiler.layers.window import per_side
from netcompiler.options import Expect, PerSide


class _Resample(Layer):
    """What both directions share."""

    family: ClassVar[str] = "resampling"

    stride: PerSide = Field(description="the factor, or one for each side")

    def sides(self, x: Shape) -> list[int]:
        need_maps(self, x)
        return per_side(self.stride, len(x) - 1, "stride")


class Downsample(_Resample):
    """Keeps rows and columns 0, S, 2S, ... of each map."""

    formula: ClassVar[str] = "y[m, x, y] = a[m, x*S, y*S];  M = ceil(N / S)"
    example: ClassVar[str] = "downsample: 2"

    def shape(self, *inputs: Shape) -> Shape:
        [x] = inputs
        return x[0], *(-(-n // s) for n, s in zip(x[1:], self.sides(x), strict=True))

    def reach(self, x: Shape) -> Reach | None:
        return Reach((1,) * (len(x) - 1), tuple(self.sides(x)))

    def explain(self, x: Shape, y: Shape) -> Iterable[str]:
        for axis, (n, s) in enumerate(zip(x[1:], self.sides(x), strict=True)):
            yield f"side {axis}: ceil({n} / {s}) = {y[1 + axis]}"


class Upsample(_Resample):
    """Makes maps S times as large: with zeros behind each value, with copies of it, or with values in between."""

    formula: ClassVar[str] = (
        "zeros: y[m, x*S, y*S] = a[m, x, y];  nearest: y[m, x, y] = a[m, x // S, y // S];  "
        "bilinear: a at (x + 1/2) / S - 1/2, between its neighbours and never beyond the border;  M = N*S"
    )
    example: ClassVar[str] = "upsample: {stride: 2, mode: nearest}"

    mode: Annotated[Literal["zeros", "nearest", "bilinear"], Expect("one of zeros, nearest, bilinear")] = Field(
        description="what the new cells hold: zeros, the nearest value, or a mixture of the neighbours on every side"
    )

    def shape(self, *inputs: Shape) -> Shape:
        [x] = inputs
        return x[0], *(n * s for n, s in zip(x[1:], self.sides(x), strict=True))

    def cost(self, x: Shape, y: Shape) -> Cost:
        """A product for each neighbour, and the sum of them."""
        cells = math.prod(self._neighbours(x))
        return Cost(work=(2 * cells - 1) * math.prod(y)) if cells > 1 else Cost()

    def reach(self, x: Shape) -> Reach | None:
        return Reach(self._neighbours(x), tuple(Fraction(1, s) for s in self.sides(x)))

    def explain(self, x: Shape, y: Shape) -> Iterable[str]:
        for axis, (n, s) in enumerate(zip(x[1:], self.sides(x), strict=True)):
            yield f"side {axis}: {n} * {s} = {y[1 + axis]}"
        if work := self.cost(x, y).work:
            cells = math.prod(self._neighbours(x))
            yield total("work", work, f"({cells} products + {cells - 1} additions) * {math.prod(y):,}")

    def _neighbours(self, x: Shape) -> tuple[int, ...]:
        """How many cells of each side one output reads."""
        return tuple(2 if self.mode == "bilinear" and s > 1 else 1 for s in self.sides(x))

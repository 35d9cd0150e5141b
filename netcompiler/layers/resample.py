"""Fewer or more cells by a whole factor, without weights."""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from netcompiler.layers.layer import Cost, Layer, Reach, Shape, need_maps, total
from netcompiler.layers.window import per_side
from netcompiler.options import Expect, PerSide
from netcompiler.plan import Axis
from netcompiler.scalar import operand

if TYPE_CHECKING:
    from netcompiler.lowering import Lowering
    from netcompiler.plan import Value


class _Resample(Layer):
    """What both directions share."""

    family = "resampling"

    stride: PerSide = Field(description="the factor, or one for each side")

    def sides(self, x: Shape) -> list[int]:
        need_maps(self, x)
        return per_side(self.stride, len(x) - 1, "stride")


class Downsample(_Resample):
    """Keeps rows and columns 0, S, 2S, ... of each map."""

    formula = "y[m, x, y] = a[m, x*S, y*S];  M = ceil(N / S)"
    example = "downsample: 2"

    def shape(self, *inputs: Shape) -> Shape:
        [x] = inputs
        return x[0], *(-(-n // s) for n, s in zip(x[1:], self.sides(x), strict=True))

    def lower(self, at: Lowering, *inputs: Value) -> Value:
        [x] = inputs
        return at.b.slice(x, (0,) * len(x.shape), x.shape, (1, *self.sides(at.shape(x)), 1))

    def reach(self, x: Shape) -> Reach | None:
        return Reach((1,) * (len(x) - 1), tuple(self.sides(x)))

    def explain(self, x: Shape, y: Shape) -> Iterable[str]:
        for axis, (n, s) in enumerate(zip(x[1:], self.sides(x), strict=True)):
            yield f"side {axis}: ceil({n} / {s}) = {y[1 + axis]}"


class Upsample(_Resample):
    """Makes maps S times as large: with zeros behind each value, with copies of it, or with values in between."""

    formula = (
        "zeros: y[m, x*S, y*S] = a[m, x, y];  nearest: y[m, x, y] = a[m, x // S, y // S];  "
        "bilinear: a at (x + 1/2) / S - 1/2, between its neighbours and never beyond the border;  M = N*S"
    )
    example = "upsample: {stride: 2, mode: nearest}"

    mode: Annotated[Literal["zeros", "nearest", "bilinear"], Expect("one of zeros, nearest, bilinear")] = Field(
        description="what the new cells hold: zeros, the nearest value, or a mixture of the neighbours on every side"
    )

    def shape(self, *inputs: Shape) -> Shape:
        [x] = inputs
        return x[0], *(n * s for n, s in zip(x[1:], self.sides(x), strict=True))

    def lower(self, at: Lowering, *inputs: Value) -> Value:
        [x] = inputs
        return {"zeros": _apart, "nearest": _copied, "bilinear": _between}[self.mode](at, x, self.sides(at.shape(x)))

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


def _apart(at: Lowering, x: Value, factors: list[int]) -> Value:
    """s - 1 zeros behind each value, the last one too."""
    gaps = (0, *(s - 1 for s in factors), 0)
    return at.b.emit("pad", x, low=(0,) * len(gaps), high=gaps, interior=gaps) if any(gaps) else x


def _copied(at: Lowering, x: Value, factors: list[int]) -> Value:
    axes = tuple(range(1, 1 + len(factors)))
    size = tuple(x.shape[axis] * s for axis, s in zip(axes, factors, strict=True))
    return at.b.emit("window_spread", x, axes=axes, window=tuple(Axis(s, s) for s in factors), size=size)


def _between(at: Lowering, x: Value, factors: list[int]) -> Value:
    """One side after the other."""
    for axis, s in enumerate(factors, 1):
        if s > 1:
            x = _along(at, x, axis, s)
    return x


def _along(at: Lowering, x: Value, axis: int, s: int) -> Value:
    """New cell i lies at (i + 1/2) / s - 1/2, between two old ones; beyond the border lies what lies on it."""
    n = x.shape[axis]
    places = [min(max(Fraction(2 * i + 1, 2 * s) - Fraction(1, 2), Fraction(0)), Fraction(n - 1)) for i in range(n * s)]
    before = at.b.emit("gather", x, table=tuple(math.floor(place) for place in places), axis=axis)
    behind = at.b.emit("gather", x, table=tuple(math.ceil(place) for place in places), axis=axis)
    shape = [1] * len(x.shape)
    shape[axis] = n * s
    share = at.b.table([float(place % 1) for place in places], tuple(shape))
    return at.map(operand(0) + operand(2) * (operand(1) - operand(0)), before, behind, share, shape=before.shape)

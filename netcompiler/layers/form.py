"""The form of a value: other shapes of the same numbers, borders added and cut off, stretches of an axis."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from netcompiler.diagnostics import Mistake
from netcompiler.layers.layer import Layer, Reach, Shape, axis_index, need_maps, show
from netcompiler.layers.window import edges
from netcompiler.options import Axis, Count, Ends, Expect, Integer, Margins

if TYPE_CHECKING:
    from netcompiler.lowering import Lowering
    from netcompiler.plan import Value


class Flatten(Layer):
    """Makes one vector of all maps: map after map, row after row."""

    family = "form"
    formula = "y[(m*H + x)*W + y] = a[m, x, y]"
    example = "flatten"
    view = True

    def shape(self, *inputs: Shape) -> Shape:
        [x] = inputs
        return (math.prod(x),)

    def reach(self, x: Shape) -> Reach | None:
        return None

    def lower(self, at: Lowering, *inputs: Value) -> Value:
        [x] = inputs
        return at.b.reshape(at.channels_first(x), (x.shape[0], x.elements // x.shape[0]))

    def explain(self, x: Shape, y: Shape) -> Iterable[str]:
        yield f"{' * '.join(map(str, x))} = {y[0]:,}"


class Reshape(Layer):
    """The same numbers in the same order under another shape."""

    family = "form"
    formula = "y = a, read in the order of flatten"
    example = "reshape: [16, 5, 5]"
    view = True

    wanted: Annotated[
        list[Count | Literal[-1]],
        Field(min_length=1, max_length=4),
        Expect("a list of 1 to 4 sizes, channels first; one of them may be -1"),
    ] = Field(alias="shape", description="channels, then the sides; -1, once, stands for what is left")

    def shape(self, *inputs: Shape) -> Shape:
        [x] = inputs
        known = math.prod(n for n in self.wanted if n != -1)
        holes = self.wanted.count(-1)
        numbers = math.prod(x)
        if holes > 1:
            raise self._mistake(x, f"-1 stands {holes} times in {self.wanted}", "only one size can be worked out from the others")
        if holes and numbers % known:
            raise self._mistake(x, f"{numbers:,} numbers cannot be cut into {known:,} equal parts", "change the other sizes")
        if not holes and numbers != known:
            message = f"{show(self.wanted)} has {known:,} numbers, and {numbers:,} come in"
            raise self._mistake(x, message, "both must agree; -1 in place of one size works it out")
        return tuple(numbers // known if n == -1 else n for n in self.wanted)

    def reach(self, x: Shape) -> Reach | None:
        return None

    def lower(self, at: Lowering, *inputs: Value) -> Value:
        [x] = inputs
        return at.channels_last(at.b.reshape(at.channels_first(x), (x.shape[0], *self.shape(at.shape(x)))))

    def explain(self, x: Shape, y: Shape) -> Iterable[str]:
        yield f"{' * '.join(map(str, x))} = {' * '.join(map(str, y))} = {math.prod(y):,}"

    def _mistake(self, x: Shape, message: str, help: str) -> Mistake:
        return Mistake("reshape", message, help, [f"input: {show(x)}"], option="shape")


class Pad(Layer):
    """Adds zeros around the maps, or maps of zeros."""

    family = "form"
    formula = "M = before + N + after"
    example = "pad: {sides: 1}"

    sides: Margins = Field(0, description="zeros at both ends of the sides")
    channels: Ends = Field(0, description="maps of zeros before and after the others")

    def shape(self, *inputs: Shape) -> Shape:
        [x] = inputs
        if not self.model_fields_set:
            raise Mistake("no-effect", "pad without options adds nothing", "give sides or channels, or leave the layer out", guess=x)
        return tuple(low + n + high for n, (low, high) in zip(x, self._margins(x), strict=True))

    def lower(self, at: Lowering, *inputs: Value) -> Value:
        [x] = inputs
        low, high = zip((0, 0), *at.sides_first(self._margins(at.shape(x))), strict=True)
        return at.b.emit("pad", x, low=low, high=high, interior=(0,) * len(low)) if any((*low, *high)) else x

    def explain(self, x: Shape, y: Shape) -> Iterable[str]:
        yield from margin_lines(x, y, self._margins(x), "+")

    def _margins(self, x: Shape) -> list[tuple[int, int]]:
        if self.sides != 0:
            need_maps(self, x)
        return edges([self.channels], 1, "channels") + edges(self.sides, len(x) - 1, "sides")


class Crop(Layer):
    """Cuts cells off the borders of every map."""

    family = "form"
    formula = "y[m, x, y] = a[m, x + before, y + before];  M = N - before - after"
    example = "crop: 2"

    sides: Margins = Field(description="cells cut off both ends of the sides")

    def shape(self, *inputs: Shape) -> Shape:
        [x] = inputs
        y = tuple(n - low - high for n, (low, high) in zip(x, self._margins(x), strict=True))
        if min(y) < 1:
            raise Mistake(
                "too-small",
                f"nothing is left of {show(x[1:])}: {show(y[1:])}",
                "cut off fewer cells than a side has",
                [f"input: {show(x)}"],
                option="sides",
            )
        return y

    def lower(self, at: Lowering, *inputs: Value) -> Value:
        [x] = inputs
        low, high = zip((0, 0), *at.sides_first(self._margins(at.shape(x))), strict=True)
        return at.b.slice(x, low, tuple(n - cut for n, cut in zip(x.shape, high, strict=True)))

    def explain(self, x: Shape, y: Shape) -> Iterable[str]:
        yield from margin_lines(x, y, self._margins(x), "-")

    def _margins(self, x: Shape) -> list[tuple[int, int]]:
        need_maps(self, x)
        return [(0, 0), *edges(self.sides, len(x) - 1, "sides")]


class Slice(Layer):
    """A stretch of the channels or of one side, as `begin:end:step` in Python; negative numbers count from the end."""

    family = "form"
    formula = "y[i] = a[begin + i*step];  M = ceil((end - begin) / step)"
    example = "slice: {begin: 0, end: 32}"

    end: Integer = Field(description="the first that is left out")
    begin: Integer = Field(0, description="the first that stays")
    step: Count = Field(1, description="from one that stays to the next")
    axis: Axis = Field("channels", description="channels, or the number of a side")

    def shape(self, *inputs: Shape) -> Shape:
        [x] = inputs
        axis, stretch = self._stretch(x)
        return *x[:axis], len(stretch), *x[axis + 1 :]

    def reach(self, x: Shape) -> Reach | None:
        axis, _ = self._stretch(x)
        steps = [self.step if side == axis else 1 for side in range(1, len(x))]
        return Reach((1,) * len(steps), tuple(steps))

    def lower(self, at: Lowering, *inputs: Value) -> Value:
        [x] = inputs
        axis, stretch = self._stretch(at.shape(x))
        begin, end, step = [0] * len(x.shape), list(x.shape), [1] * len(x.shape)
        begin[axis or -1], end[axis or -1], step[axis or -1] = stretch.start, stretch.stop, stretch.step
        return at.b.slice(x, begin, end, step)

    def explain(self, x: Shape, y: Shape) -> Iterable[str]:
        _, stretch = self._stretch(x)
        yield f"{self._where()}: {len(stretch)} of them, from {stretch[0]} to {stretch[-1]}"

    def _stretch(self, x: Shape) -> tuple[int, range]:
        axis = axis_index(self.axis, x, self.kind)
        n = x[axis]
        for option, value in (("begin", self.begin), ("end", self.end)):
            if not -n <= value <= n:
                message = f"{option} {value} lies outside the {n} of {self._where()}"
                raise Mistake("slice", message, f"use -{n} to {n}", [f"input: {show(x)}"], option=option)
        stretch = range(n)[self.begin : self.end : self.step]
        if not stretch:
            message = f"nothing lies between {self.begin} and {self.end} in the {n} of {self._where()}"
            raise Mistake("slice", message, "end must lie behind begin", [f"input: {show(x)}"], option="end")
        return axis, stretch

    def _where(self) -> str:
        return f"side {self.axis}" if isinstance(self.axis, int) else "channels"


def margin_lines(x: Shape, y: Shape, margins: list[tuple[int, int]], sign: str) -> Iterable[str]:
    for axis, (n, m, (low, high)) in enumerate(zip(x, y, margins, strict=True)):
        if n != m:
            yield f"{f'side {axis - 1}' if axis else 'channels'}: {n} {sign} {low} {sign} {high} = {m}"

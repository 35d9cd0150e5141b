"""Convolutions: shared filters of any rank, their transpose, and filters that are not shared."""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from netcompiler.diagnostics import Mistake
from netcompiler.layers.layer import Cost, Layer, Parameter, Reach, Shape, need_maps, parameter, show
from netcompiler.options import Count, Expect, Number, Padding, PerSide, Rounding, Text, Truth, Whole
from netcompiler.layers.window import Window, per_side, size_formula, unread_note, window_shape, windows

Transform = Literal["identity"] | Annotated[dict[Literal["rotate", "flip", "scale"], Number | Text], Field(min_length=1, max_length=1)]
Taps = Number | list[Number] | list[list[Number]] | list[list[list[Number]]] | list[list[list[list[Number]]]]


class _Filters(Layer):
    """What layers with a window of weights share."""

    family: ClassVar[str] = "convolution"
    weighted: ClassVar[bool] = True
    keeps: ClassVar[str] = "input"

    filters: Count = Field(description="output maps")
    kernel: PerSide = Field(description="window size")
    stride: PerSide = Field(1, description="cells from one window to the next")


class _Sliding(_Filters):
    """Windows over the input."""

    padding: Padding = Field(0, description="zeros around the input; `same` gives ceil(N / stride), `full` is kernel - 1")
    rounding: Rounding = Field("floor", description="a remainder is dropped (floor), gets a cut window (ceil), or is an error (exact)")
    bias: Truth = Field(True, description="add a learned number")
    dilation: PerSide = Field(1, description="cells from one tap to the next")

    def sides(self, x: Shape) -> list[Window]:
        need_maps(self, x)
        return windows(x, self.kernel, self.stride, self.padding, self.dilation)

    def shape(self, *inputs: Shape) -> Shape:
        x = inputs[0]
        return window_shape(x, self.filters, self.sides(x), self.rounding)

    def reach(self, x: Shape) -> Reach | None:
        sides = self.sides(x)
        return Reach(tuple(w.extent for w in sides), tuple(w.stride for w in sides))

    def notes(self, x: Shape) -> Iterable[Mistake]:
        note = unread_note(x, self.shape(x), self.sides(x))
        return (note,) if note else ()

    def size_lines(self, x: Shape, y: Shape) -> Iterable[str]:
        for axis, (n, w) in enumerate(zip(x[1:], self.sides(x), strict=True)):
            yield f"side {axis}: {size_formula(n, w, self.rounding, y[1 + axis])}"


class Conv(_Sliding):
    """Each filter slides over the input maps and gives one output map. It is a correlation: nothing is flipped."""

    formula: ClassVar[str] = "z[n, x, y] = b[n] + sum over m, i, j of w[n, m, i, j] * a[m, x*S + i - P, y*S + j - P]"
    example: ClassVar[str] = "conv: {filters: 64, kernel: 3, padding: same}"

    groups: Count = Field(1, description="maps are cut into so many groups, each seeing only its own")
    flip: Truth = Field(False, description="a true convolution: the filter is turned over on every side")
    connections: Annotated[str | None, Expect("a picture: a line for each input map, a column for each filter, X or .")] = Field(
        None, description="which input map feeds which filter: a line for each input map, a column for each filter, X or ."
    )
    transforms: Annotated[
        list[Transform] | None,
        Field(min_length=1),
        Expect("a list of identity, {rotate: degrees}, {flip: rows | columns}, {scale: factor}"),
    ] = Field(
        None, description="one map for each filter and each of these: identity, {rotate: degrees}, {flip: rows | columns}, {scale: factor}"
    )
    weights: Annotated[list[Taps] | None, Expect("a list with one filter each: its taps, for all input maps or map by map")] = Field(
        None, description="given weights, frozen: one entry a filter, its taps for all input maps alike or map by map"
    )

    def shape(self, *inputs: Shape) -> Shape:
        y = super().shape(*inputs)
        x = inputs[0]
        self._check_groups(x)
        if self.connections is not None:
            self._pairs(x)
        if self.weights is not None:
            self._check_weights(x)
        return y[0] * self._copies(x), *y[1:]

    def parameters(self, x: Shape) -> tuple[Parameter, ...]:
        taps = self._taps(x)
        shape = (self.filters, x[0] // self.groups, *per_side(self.kernel, len(x) - 1, "kernel"))
        weight = parameter("weight", *shape, size=self._pairs(x) * taps, learnable=self.weights is None)
        return (weight, parameter("bias", self.filters)) if self.bias else (weight,)

    def cost(self, x: Shape, y: Shape) -> Cost:
        positions = math.prod(y[1:])
        macs = self._pairs(x) * self._copies(x) * self._taps(x) * positions
        bias = y[0] * positions * self.bias
        return Cost(macs, bias, macs + bias)

    def explain(self, x: Shape, y: Shape) -> Iterable[str]:
        taps = "*".join(map(str, per_side(self.kernel, len(x) - 1, "kernel")))
        yield from self.size_lines(x, y)
        planes = f"{x[0]}/{self.groups}" if self.groups > 1 else f"{x[0]}"
        pairs = f"{self._pairs(x)} connections * {taps}" if self.connections else f"{self.filters} * {planes} * {taps}"
        count = sum(p.size for p in self.parameters(x))
        yield f"params: {pairs}{f' + {self.filters}' if self.bias else ''} = {count:,}"
        copies = f" * {self._copies(x)} transforms" if self.transforms else ""
        yield f"MACs: {pairs}{copies} * {show(y[1:])} positions = {self.cost(x, y).macs:,}"

    def _taps(self, x: Shape) -> int:
        return math.prod(per_side(self.kernel, len(x) - 1, "kernel"))

    def _copies(self, x: Shape) -> int:
        for transform in self.transforms or ():
            if len(x) != 3:
                raise Mistake("rank", "transforms turn filters of two sides", option="transforms", facts=[f"input: {show(x)}"])
            if transform != "identity":
                _check_transform(transform)
        return len(self.transforms or "1")

    def _check_groups(self, x: Shape) -> None:
        if x[0] % self.groups or self.filters % self.groups:
            both = math.gcd(x[0], self.filters)
            raise Mistake(
                "groups",
                f"{self.groups} groups do not divide {x[0]} input maps and {self.filters} filters",
                f"groups must divide both: one of {', '.join(str(d) for d in range(1, both + 1) if both % d == 0)}",
                [f"input: {show(x)}"],
                option="groups",
            )

    def _pairs(self, x: Shape) -> int:
        """How many (input map, filter) pairs are connected."""
        if self.connections is None:
            return x[0] // self.groups * self.filters
        rows = self.connections.split()
        if self.groups != 1:
            raise Mistake("connections", "connections and groups cannot both be given", "leave groups out", option="connections")
        for row in rows:
            if set(row) - {"X", "."}:
                raise Mistake("connections", f"`{row}` has other characters than X and .", option="connections")
        if len(rows) != x[0] or any(len(row) != self.filters for row in rows):
            widths = ", ".join(map(str, sorted({len(row) for row in rows})))
            raise Mistake(
                "connections",
                f"the picture has {len(rows)} lines of {widths}, and it needs {x[0]} (one for each input map) of {self.filters} (one for each filter)",
                facts=[f"input: {show(x)}"],
                option="connections",
            )
        return sum(row.count("X") for row in rows)

    def _check_weights(self, x: Shape) -> None:
        assert self.weights is not None
        if len(self.weights) != self.filters:
            raise Mistake("weights", f"{len(self.weights)} filters are given, and filters is {self.filters}", option="weights")
        kernel = tuple(per_side(self.kernel, len(x) - 1, "kernel"))
        planes = x[0] // self.groups
        for index, filter in enumerate(self.weights):
            size = nested_shape(filter)
            if size not in (kernel, (planes, *kernel)):
                have = show(size) if size else "ragged"
                raise Mistake(
                    "weights",
                    f"filter {index} is {have}, and it must be {show(kernel)}, or {planes}x{show(kernel)} map by map",
                    option="weights",
                )


def _check_transform(transform: dict[Any, Any]) -> None:
    [(name, value)] = transform.items()
    if name == "flip":
        if value not in ("rows", "columns"):
            raise Mistake("transforms", "flip is rows or columns", option="transforms")
    elif isinstance(value, str) or (name == "scale" and value <= 0):
        raise Mistake("transforms", "rotate takes degrees, scale a factor above 0", option="transforms")


def nested_shape(values: Any) -> tuple[int, ...] | None:
    """The shape of nested lists, () for a number, None where they are ragged."""
    if not isinstance(values, list):
        return ()
    inner = {nested_shape(value) for value in values}
    if len(inner) != 1 or None in inner:
        return None
    [shape] = inner
    return None if shape is None else (len(values), *shape)


class ConvTranspose(_Filters):
    """The transpose of a convolution: each input value stamps the filter onto the output, `stride` apart."""

    formula: ClassVar[str] = "z[n, x*S + i - P, y*S + j - P] += w[n, m, i, j] * a[m, x, y];  M = (N - 1)*S + K - 2P + output_padding"
    example: ClassVar[str] = "conv_transpose: {filters: 32, kernel: 4, stride: 2, padding: 1}"

    padding: Annotated[Whole | list[Whole], Expect("a whole number, 0 or more, or a list with one for each side")] = Field(
        0, description="cells cut off each end of a side"
    )
    output_padding: Annotated[Whole | list[Whole], Expect("a whole number, 0 or more, or a list with one for each side")] = Field(
        0, description="cells added at the far end; less than stride or dilation"
    )
    dilation: PerSide = Field(1, description="cells from one tap to the next")
    groups: Count = Field(1, description="maps are cut into so many groups, each seeing only its own")
    bias: Truth = Field(True, description="add a learned number to each map")

    def sides(self, x: Shape) -> list[tuple[int, int, int, int, int]]:
        """Extent, stride, padding, output padding and kernel of each side."""
        need_maps(self, x)
        columns = [
            per_side(getattr(self, option), len(x) - 1, option) for option in ("kernel", "stride", "padding", "output_padding", "dilation")
        ]
        return [((k - 1) * d + 1, s, p, extra, k) for k, s, p, extra, d in zip(*columns, strict=True)]

    def shape(self, *inputs: Shape) -> Shape:
        x = inputs[0]
        sides = self.sides(x)
        if x[0] % self.groups or self.filters % self.groups:
            raise Mistake("groups", f"{self.groups} groups do not divide {x[0]} input maps and {self.filters} filters", option="groups")
        dilations = per_side(self.dilation, len(x) - 1, "dilation")
        for (_, stride, _, extra, _), dilation in zip(sides, dilations, strict=True):
            if extra >= max(stride, dilation):
                raise Mistake("output-padding", f"output_padding {extra} must be less than stride or dilation", option="output_padding")
        y = (self.filters, *((n - 1) * s + e - 2 * p + extra for n, (e, s, p, extra, _) in zip(x[1:], sides, strict=True)))
        if min(y) < 1:
            raise Mistake("too-small", f"padding leaves {show(y)}", "use less padding", [f"input: {show(x)}"], option="padding")
        return y

    def parameters(self, x: Shape) -> tuple[Parameter, ...]:
        weight = parameter("weight", x[0], self.filters // self.groups, *per_side(self.kernel, len(x) - 1, "kernel"))
        return (weight, parameter("bias", self.filters)) if self.bias else (weight,)

    def cost(self, x: Shape, y: Shape) -> Cost:
        macs = self.parameters(x)[0].size * math.prod(x[1:])
        bias = math.prod(y) * self.bias
        return Cost(macs, bias, macs + bias)

    def reach(self, x: Shape) -> Reach | None:
        """ceil(K / S) stamps meet in one output."""
        sides = self.sides(x)
        return Reach(tuple(-(-e // s) for e, s, *_ in sides), tuple(Fraction(1, s) for _, s, *_ in sides))

    def explain(self, x: Shape, y: Shape) -> Iterable[str]:
        for axis, (n, (e, s, p, extra, _)) in enumerate(zip(x[1:], self.sides(x), strict=True)):
            yield f"side {axis}: ({n} - 1) * {s} + {e} - 2 * {p} + {extra} = {y[1 + axis]}"
        weight = self.parameters(x)[0]
        yield f"params: {' * '.join(map(str, weight.shape))}{f' + {self.filters}' if self.bias else ''} = {weight.size + self.filters * self.bias:,}"
        yield f"MACs: {weight.size:,} * {show(x[1:])} input positions = {self.cost(x, y).macs:,}"


class Local(_Sliding):
    """A convolution whose filters are not shared: each position has its own. A tap that only meets padding is no weight."""

    formula: ClassVar[str] = "z[n, x, y] = b[n, x, y] + sum over m, i, j of w[n, m, i, j, x, y] * a[m, x*S + i - P, y*S + j - P]"
    example: ClassVar[str] = "local: {filters: 16, kernel: 3}"

    def parameters(self, x: Shape) -> tuple[Parameter, ...]:
        y = self.shape(x)
        taps = math.prod(w.taps(n, m) for n, m, w in zip(x[1:], y[1:], self.sides(x), strict=True))
        kernel = per_side(self.kernel, len(x) - 1, "kernel")
        weight = parameter("weight", self.filters, x[0], *kernel, *y[1:], size=self.filters * x[0] * taps)
        return (weight, parameter("bias", *y)) if self.bias else (weight,)

    def cost(self, x: Shape, y: Shape) -> Cost:
        macs = self.parameters(x)[0].size
        bias = math.prod(y) * self.bias
        return Cost(macs, bias, macs + bias)

    def explain(self, x: Shape, y: Shape) -> Iterable[str]:
        yield from self.size_lines(x, y)
        weight = self.parameters(x)[0].size
        taps = weight // (self.filters * x[0])
        yield f"params: {self.filters} * {x[0]} * {taps:,} taps on the input{f' + {math.prod(y):,}' if self.bias else ''} = {weight + math.prod(y) * self.bias:,}"
        yield f"MACs: one a weight = {weight:,}"

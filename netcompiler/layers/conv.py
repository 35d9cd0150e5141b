"""Convolutions: shared filters of any rank, their transpose, and filters that are not shared."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

from pydantic import Field

from netcompiler.diagnostics import Mistake
from netcompiler.layers.layer import Cost, Layer, Parameter, Reach, Shape, divisors, need_maps, parameter, show, total
from netcompiler.layers.transform import Taken, resampled
from netcompiler.layers.window import Window, Windowed, per_side, window_shape, windows
from netcompiler.options import Count, Expect, Number, Padding, PerSide, Rounding, Text, Truth, WholePerSide
from netcompiler.plan import Axis
from netcompiler.scalar import operand

if TYPE_CHECKING:
    from netcompiler.lowering import Lowering
    from netcompiler.plan import Value

Transform = Literal["identity"] | Annotated[dict[Literal["rotate", "flip", "scale"], Number | Text], Field(min_length=1, max_length=1)]
Taps = Number | list[Number] | list[list[Number]] | list[list[list[Number]]] | list[list[list[list[Number]]]]


class _Filters(Layer):
    """What layers with a window of weights share."""

    family = "convolution"
    weighted = True
    keeps = "input"

    filters: Count = Field(description="output maps")
    kernel: PerSide = Field(description="window size")
    stride: PerSide = Field(1, description="cells from one window to the next")

    def _kernel(self, x: Shape) -> list[int]:
        return per_side(self.kernel, len(x) - 1, "kernel")


class _Sliding(Windowed, _Filters):
    """Windows over the input."""

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


class Conv(_Sliding):
    """Each filter slides over the input maps and gives one output map. It is a correlation: nothing is flipped."""

    formula = "z[n, x, y] = b[n] + sum over m, i, j of w[n, m, i, j] * a[m, x*S + i - P, y*S + j - P]"
    example = "conv: {filters: 64, kernel: 3, padding: same}"

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
        [x] = inputs
        maps, *sides = super().shape(x)
        check_groups(self.groups, x, self.filters)
        self._pairs(x)
        self._check_weights(x)
        return maps * self._copies(x), *sides

    def parameters(self, x: Shape) -> tuple[Parameter, ...]:
        kernel = self._kernel(x)
        shape = (self.filters, x[0] // self.groups, *kernel)
        weight = parameter("weight", *shape, size=self._pairs(x) * math.prod(kernel), learnable=self.weights is None)
        return (weight, parameter("bias", self.filters)) if self.bias else (weight,)

    def cost(self, x: Shape, y: Shape) -> Cost:
        macs = self._pairs(x) * self._copies(x) * math.prod(self._kernel(x)) * math.prod(y[1:])
        bias = math.prod(y) * self.bias
        return Cost(macs, bias, macs + bias)

    def lower(self, at: Lowering, *inputs: Value) -> Value:
        [x] = inputs
        window = at.axes(self.sides(at.shape(x)), x)
        y = at.b.emit("conv", x, self._filters(at, at.shape(x)), window=window, groups=self.groups)
        return at.map(operand(0) + operand(1), y, self._bias(at), shape=y.shape) if self.bias else y

    def _filters(self, at: Lowering, x: Shape) -> Value:
        """The weight as it is applied: what is not connected is 0, then transforms, then the flip."""
        weight = at.parameter("weight", at.behind(1, len(x) + 1), self._given(x))
        if self.connections is not None:
            weight = at.map(operand(0) * operand(1), weight, self._mask(at, x))
        if self.transforms is not None:
            weight = self._transformed(at, weight)
        if self.flip:
            weight = on_taps(at, weight, [{tap: 1.0} for tap in reversed(range(math.prod(weight.shape[1:-1])))])
        return weight

    def _given(self, x: Shape) -> list[float] | None:
        """Given weights, number by number: [filter, input map, taps]."""
        if self.weights is None:
            return None
        kernel, planes = self._kernel(x), x[0] // self.groups
        copies = [1 if nested_shape(filter) != tuple(kernel) else planes for filter in self.weights]
        return [value for filter, times in zip(self.weights, copies, strict=True) for _ in range(times) for value in numbers_of(filter)]

    def _mask(self, at: Lowering, x: Shape) -> Value:
        """1 where a filter sees an input map, else 0: [filter, 1.., input map]."""
        assert self.connections is not None
        columns = zip(*self.connections.split(), strict=True)
        return at.b.table([float(mark == "X") for column in columns for mark in column], (self.filters, *[1] * (len(x) - 1), x[0]))

    def _transformed(self, at: Lowering, weight: Value) -> Value:
        """Transform t of filter n is filter n*T + t."""
        assert self.transforms is not None
        rows, columns = weight.shape[1:-1]
        sources = [source for transform in self.transforms for source in resampled(transform, rows, columns)]
        turned = on_taps(at, weight, sources)
        return at.b.reshape(turned, (len(self.transforms) * self.filters, rows, columns, weight.shape[-1]))

    def _bias(self, at: Lowering) -> Value:
        """One number a filter, the same for all its transforms."""
        bias, copies = at.parameter("bias"), len(self.transforms or [0])
        apart = at.map(operand(0), at.b.reshape(bias, (self.filters, 1)), shape=(self.filters, copies))
        return at.b.reshape(apart, (self.filters * copies,))

    def explain(self, x: Shape, y: Shape) -> Iterable[str]:
        yield from self.size_lines(x)
        planes = f"{x[0]}/{self.groups}" if self.groups > 1 else f"{x[0]}"
        pairs = f"{self._pairs(x)} connections" if self.connections else f"{self.filters} * {planes}"
        filters = f"{pairs} * {'*'.join(map(str, self._kernel(x)))}"
        copies = f" * {self._copies(x)} transforms" if self.transforms else ""
        yield total("params", sum(p.size for p in self.parameters(x)), filters, f"{self.filters}" if self.bias else "")
        yield total("MACs", self.cost(x, y).macs, f"{filters}{copies} * {show(y[1:])} positions")

    def _copies(self, x: Shape) -> int:
        """How many maps each filter gives."""
        if self.transforms is None:
            return 1
        if len(x) != 3:
            raise Mistake("rank", "transforms turn filters of two sides", option="transforms", facts=[f"input: {show(x)}"])
        for transform in self.transforms:
            if transform != "identity":
                _check_transform(transform)
        return len(self.transforms)

    def _pairs(self, x: Shape) -> int:
        """How many (input map, filter) pairs are connected."""
        if self.connections is None:
            return x[0] // self.groups * self.filters
        if self.groups != 1:
            raise Mistake("connections", "connections and groups cannot both be given", "leave groups out", option="connections")
        rows = self.connections.split()
        for row in rows:
            if set(row) - {"X", "."}:
                raise Mistake("connections", f"`{row}` has other characters than X and .", option="connections")
        if len(rows) != x[0] or any(len(row) != self.filters for row in rows):
            widths = ", ".join(map(str, sorted({len(row) for row in rows})))
            raise Mistake(
                "connections",
                f"the picture has {len(rows)} lines of {widths}, and it needs {x[0]} of {self.filters}",
                "a line for each input map, a column for each filter",
                [f"input: {show(x)}, filters: {self.filters}"],
                option="connections",
            )
        return sum(row.count("X") for row in rows)

    def _check_weights(self, x: Shape) -> None:
        if self.weights is None:
            return
        if len(self.weights) != self.filters:
            raise Mistake("weights", f"{len(self.weights)} filters are given, and filters is {self.filters}", option="weights")
        kernel = tuple(self._kernel(x))
        planes = x[0] // self.groups
        for index, filter in enumerate(self.weights):
            size = nested_shape(filter)
            if size not in (kernel, (planes, *kernel)):
                have = "ragged" if size is None else show(size) or "a number"
                message = f"filter {index} is {have}, and it must be {show(kernel)}, or {planes}x{show(kernel)} map by map"
                raise Mistake("weights", message, option="weights")


def on_taps(at: Lowering, weight: Value, sources: Sequence[Taken]) -> Value:
    """Filters with as many taps as there are sources, each a weighted sum of the taps that were: by a table where each is one of them."""
    taps = math.prod(weight.shape[1:-1])
    flat = at.b.reshape(weight, (weight.shape[0], taps, weight.shape[-1]))
    if all(set(source.values()) <= {1.0} for source in sources):
        table = tuple(next(iter(source), -1) for source in sources)
        new = at.b.emit("gather", flat, table=table, axis=1)
    else:
        matrix = at.b.table([source.get(tap, 0.0) for source in sources for tap in range(taps)], (len(sources), taps))
        new = at.b.emit("matmul", matrix, flat, ta=False, tb=False)
    return at.b.reshape(new, weight.shape) if len(sources) == taps else new


def check_groups(groups: int, x: Shape, filters: int) -> None:
    if x[0] % groups or filters % groups:
        raise Mistake(
            "groups",
            f"{groups} groups do not divide {x[0]} input maps and {filters} filters",
            f"groups must divide both: one of {divisors(math.gcd(x[0], filters))}",
            [f"input: {show(x)}"],
            option="groups",
        )


def _check_transform(transform: dict[Any, Any]) -> None:
    [(name, value)] = transform.items()
    if name == "flip":
        if value not in ("rows", "columns"):
            raise Mistake("transforms", f"a filter cannot be flipped by {value}", "flip is rows or columns", option="transforms")
    elif isinstance(value, str) or (name == "scale" and value <= 0):
        raise Mistake("transforms", f"{name} cannot be {value}", "rotate takes degrees, scale a factor above 0", option="transforms")


def numbers_of(values: Any) -> Iterable[float]:
    """The numbers in nested lists, row by row."""
    if not isinstance(values, list):
        yield float(values)
        return
    for value in values:
        yield from numbers_of(value)


def nested_shape(values: Any) -> tuple[int, ...] | None:
    """The shape of nested lists, () for a number, None where they are ragged."""
    if not isinstance(values, list):
        return ()
    inner = {nested_shape(value) for value in values}
    if len(inner) != 1 or None in inner:
        return None
    [shape] = inner
    return None if shape is None else (len(values), *shape)


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


class ConvTranspose(_Filters):
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
        planes, taps = self.filters // self.groups, self._kernel(x)
        fans = x[0] // self.groups * math.prod(taps), planes * math.prod(taps)
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
            for kernel, dilation, side in zip(self._kernel(shape), dilations, self.sides(shape), strict=True)
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


class Local(_Sliding):
    """A convolution whose filters are not shared: each position has its own. A tap that only meets padding is no weight."""

    formula = "z[n, x, y] = b[n, x, y] + sum over m, i, j of w[n, m, i, j, x, y] * a[m, x*S + i - P, y*S + j - P]"
    example = "local: {filters: 16, kernel: 3}"

    def parameters(self, x: Shape) -> tuple[Parameter, ...]:
        y = self.shape(x)
        taps = self._kernel(x)
        fans = x[0] * math.prod(taps), self.filters * math.prod(taps)
        weight = parameter("weight", self.filters, x[0], *taps, *y[1:], size=self.filters * x[0] * self.cells(x), fans=fans)
        return (weight, parameter("bias", *y)) if self.bias else (weight,)

    def cost(self, x: Shape, y: Shape) -> Cost:
        macs = self.parameters(x)[0].size
        bias = math.prod(y) * self.bias
        return Cost(macs, bias, macs + bias)

    def lower(self, at: Lowering, *inputs: Value) -> Value:
        """A product for each position: what its window reads, of all pictures, times its own filters. Padding reads as 0."""
        [x] = inputs
        shape = at.shape(x)
        window = at.axes(self.sides(shape), x)
        sides = len(window)
        places, taps = range(2 + sides, 2 + 2 * sides), range(2, 2 + sides)
        weight = at.parameter("weight", (*places, 0, *taps, 1))  # position, filter, tap, input map
        patches = at.b.emit("patches", x, window=window)
        n, *size, _, _ = patches.shape
        positions, reads = math.prod(size), math.prod(patches.shape[-2:])
        read = at.b.transpose(at.b.reshape(patches, (n, positions, reads)), (1, 0, 2))
        own = at.b.reshape(weight, (positions, self.filters, reads))
        y = at.b.transpose(at.b.emit("matmul", read, own, ta=False, tb=True), (1, 0, 2))
        y = at.b.reshape(y, (n, *size, self.filters))
        return at.map(operand(0) + operand(1), y, at.parameter("bias", at.behind(0, 1 + sides)), shape=y.shape) if self.bias else y

    def explain(self, x: Shape, y: Shape) -> Iterable[str]:
        yield from self.size_lines(x)
        weights = f"{self.filters} * {x[0]} * {self.cells(x):,} cells read"
        yield total("params", sum(p.size for p in self.parameters(x)), weights, f"{math.prod(y):,}" if self.bias else "")
        yield total("MACs", self.cost(x, y).macs, weights)

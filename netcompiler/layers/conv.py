"""Convolution: shared filters of any rank, as they are learned or given, and what is done to them before they slide."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from netcompiler.diagnostics import Mistake
from netcompiler.layers.filters import Sliding, check_groups
from netcompiler.layers.layer import Cost, Pairs, Parameter, Shape, parameter, show, total
from netcompiler.layers.transform import check_transform, on_taps, resampled
from netcompiler.options import Count, Expect, Number, Text, Truth
from netcompiler.scalar import operand

if TYPE_CHECKING:
    from netcompiler.lowering import Lowering
    from netcompiler.plan import Value

Transform = Literal["identity"] | Annotated[dict[Literal["rotate", "flip", "scale"], Number | Text], Field(min_length=1, max_length=1)]
Taps = Number | list[Number] | list[list[Number]] | list[list[list[Number]]] | list[list[list[list[Number]]]]


class Conv(Sliding):
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
        kernel = self.taps(x)
        shape = (self.filters, x[0] // self.groups, *kernel)
        size = self._pairs(x) * math.prod(kernel)
        weight = parameter("weight", *shape, size=size, learnable=self.weights is None, pairs=self._connected())
        return (weight, parameter("bias", self.filters)) if self.bias else (weight,)

    def cost(self, x: Shape, y: Shape) -> Cost:
        macs = self._pairs(x) * self._copies(x) * math.prod(self.taps(x)) * math.prod(y[1:])
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
        kernel, planes = self.taps(x), x[0] // self.groups
        copies = [1 if nested_shape(filter) != tuple(kernel) else planes for filter in self.weights]
        return [value for filter, times in zip(self.weights, copies, strict=True) for _ in range(times) for value in numbers_of(filter)]

    def _mask(self, at: Lowering, x: Shape) -> Value:
        """1 where a filter sees an input map, else 0: [filter, 1.., input map]."""
        pairs = self._connected() or ()
        return at.b.table([float(sees) for filter in pairs for sees in filter], (self.filters, *[1] * (len(x) - 1), x[0]))

    def _connected(self) -> Pairs | None:
        """For each filter, whether it sees each input map."""
        if self.connections is None:
            return None
        return tuple(tuple(mark == "X" for mark in column) for column in zip(*self.connections.split(), strict=True))

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
        filters = f"{pairs} * {'*'.join(map(str, self.taps(x)))}"
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
                check_transform(transform)
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
        kernel = tuple(self.taps(x))
        planes = x[0] // self.groups
        for index, filter in enumerate(self.weights):
            size = nested_shape(filter)
            if size not in (kernel, (planes, *kernel)):
                have = "ragged" if size is None else show(size) or "a number"
                message = f"filter {index} is {have}, and it must be {show(kernel)}, or {planes}x{show(kernel)} map by map"
                raise Mistake("weights", message, option="weights")


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

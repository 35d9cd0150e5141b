"""Pooling: each window of a map becomes one value, map by map."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import reduce
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from netcompiler.diagnostics import Mistake
from netcompiler.layers.activation import Pointwise
from netcompiler.layers.layer import KINDS, Cost, Layer, Parameter, Reach, Shape, need_maps, parameter, parameter_lines, show, total
from netcompiler.layers.window import Window, Windowed, window_shape, windows
from netcompiler.options import AtLeastOne, Expect, PerSide, PoolPadding, Rounding, Stride, Whole
from netcompiler.scalar import Expr, absolute, compare, mul, operand, power, select, wrap

if TYPE_CHECKING:
    from netcompiler.lowering import Lowering
    from netcompiler.plan import Value


class _Pool(Windowed):
    """What all pools share."""

    family = "pooling"

    kernel: PerSide = Field(description="window size")
    stride: Stride = Field(None, description="cells from one window to the next; the kernel unless given")
    padding: PoolPadding = Field(0, description="cells around the input; `same` gives ceil(N / stride)")
    rounding: Rounding = Field("floor", description="a remainder is dropped (floor), gets a cut window (ceil), or is an error (exact)")

    def sides(self, x: Shape) -> list[Window]:
        return self._windows(x)

    def _windows(self, x: Shape, dilation: Any = 1) -> list[Window]:
        need_maps(self, x)
        return windows(x, self.kernel, self.stride or self.kernel, self.padding, dilation, self.rounding)

    def shape(self, *inputs: Shape) -> Shape:
        [x] = inputs
        sides = self.sides(x)
        y = window_shape(x, x[0], sides)
        for axis, (n, w) in enumerate(zip(x[1:], sides, strict=True)):
            if w.misses(n) or (not w.same and max(w.low, w.high) >= w.extent):
                raise Mistake(
                    "padding",
                    f"{w.low} before and {w.high} behind: a window of {w.extent} may meet nothing but padding",
                    f"use less padding: at most {w.extent - 1}" + (f", and a dilation of at most {n}" if w.dilation > n else ""),
                    [f"input: {show(x)}, side {axis}"],
                    option="padding",
                    guess=y,
                )
        return y

    def explain(self, x: Shape, y: Shape) -> Iterable[str]:
        yield from self.size_lines(x)
        yield from parameter_lines(self.parameters(x))
        cells = f"{x[0]} * {self.cells(x):,} cells"
        yield total("connections", x[0] * self.cells(x), cells)
        yield from self.work_lines(x, y, cells)

    def _mean(self, at: Lowering, x: Value, function: Callable[[Expr], Expr], padding: bool) -> Value:
        """A function of each window's mean. Where windows have unlike numbers of cells, each side has a table of them."""
        sides, axes = self.sides(at.shape(x)), tuple(range(1, len(x.shape) - 1))
        total = at.b.emit("window_sum", x, axes=axes, window=at.axes(sides, x))
        same, tables = 1, []
        for axis, w in zip(axes, sides, strict=True):
            counts = w.counts(x.shape[axis], padding)
            if len(set(counts)) == 1:
                same *= counts[0]
            else:
                shape = [1] * len(x.shape)
                shape[axis] = len(counts)
                tables.append(at.b.table([float(count) for count in counts], tuple(shape)))
        cells = reduce(mul, map(operand, range(1, 1 + len(tables))), wrap(same))
        return at.map(function(operand(0) / cells), total, *tables, shape=total.shape)

    def work_lines(self, x: Shape, y: Shape, cells: str) -> Iterable[str]:
        """`cells` says how many cells are read."""
        raise NotImplementedError


class MaxPool(_Pool):
    """The largest value of each window; of equals the first, row by row. Padding never wins."""

    formula = "y[m, x, y] = max over i, j of a[m, x*S + i - P, y*S + j - P]"
    example = "max_pool: {kernel: 3, stride: 2}"
    keeps = "index"

    dilation: PerSide = Field(1, description="cells from one cell of a window to the next")

    def sides(self, x: Shape) -> list[Window]:
        return self._windows(x, self.dilation)

    def cost(self, x: Shape, y: Shape) -> Cost:
        cells = x[0] * self.cells(x)
        return Cost(work=cells - math.prod(y), connections=cells)

    def lower(self, at: Lowering, *inputs: Value) -> Value:
        [x] = inputs
        return at.b.emit("window_max", x, window=at.axes(self.sides(at.shape(x)), x))

    def work_lines(self, x: Shape, y: Shape, cells: str) -> Iterable[str]:
        yield f"work: {cells} - {show(y)} outputs = {self.cost(x, y).work:,} comparisons"


class MeanPool(_Pool):
    """The mean of each window. With rounding: ceil a cut window uses the cells it has."""

    formula = "y[m, x, y] = mean over i, j of a[m, x*S + i - P, y*S + j - P]"
    example = "mean_pool: {kernel: 3, stride: 2, padding: 1, count_padding: false}"

    count_padding: Annotated[bool | None, Expect("true or false")] = Field(
        None,
        description="divide by all cells of a window (true) or by those of the input (false); needed where a window meets padding",
    )

    def shape(self, *inputs: Shape) -> Shape:
        [x] = inputs
        y = super().shape(x)
        sides = self.sides(x)
        if self.count_padding is None and any(w.pads(n) for n, w in zip(x[1:], sides, strict=True)):
            raise Mistake(
                "count-padding",
                "a window of this mean meets padding, and count_padding does not say whether its zeros count",
                f"count_padding: true divides by {math.prod(w.kernel for w in sides)}, false by the cells of the input in the window",
                [f"input: {show(x)}, padding: {', '.join(f'{w.low} and {w.high}' for w in sides)}"],
                option="padding",
                guess=y,
            )
        return y

    def cost(self, x: Shape, y: Shape) -> Cost:
        cells = x[0] * self.cells(x)
        return Cost(work=cells, connections=cells)

    def lower(self, at: Lowering, *inputs: Value) -> Value:
        return self._mean(at, inputs[0], lambda mean: mean, padding=bool(self.count_padding))

    def work_lines(self, x: Shape, y: Shape, cells: str) -> Iterable[str]:
        yield total("work", self.cost(x, y).work, cells)


class LpPool(_Pool):
    """The p-norm of each window, divided by the number of its cells under the root: between mean (p = 1) and max (p large).
    Only cells of the input count."""

    formula = "y[m, x, y] = (mean over i, j of |a[m, x*S + i - P, y*S + j - P]|^p)^(1/p)"
    example = "lp_pool: {kernel: 2, p: 5}"
    keeps = "input"

    p: AtLeastOne = Field(description="the power: 1 is the mean of the absolute values, 2 the root of the mean square")

    def cost(self, x: Shape, y: Shape) -> Cost:
        """Absolute value, power and mean for each cell, a root for each output."""
        cells = x[0] * self.cells(x)
        return Cost(work=3 * cells + math.prod(y), connections=cells)

    def lower(self, at: Lowering, *inputs: Value) -> Value:
        """The root of 0 is written apart: its slope is infinite there, and the derivative of the norm is taken as 0."""
        powers = at.pointwise(lambda x: power(absolute(x), wrap(self.p)), inputs[0])
        return self._mean(at, powers, lambda m: select(compare("gt", m, wrap(0)), power(m, wrap(1 / self.p)), wrap(0)), padding=False)

    def work_lines(self, x: Shape, y: Shape, cells: str) -> Iterable[str]:
        yield total("work", self.cost(x, y).work, f"3 * {cells}", f"{show(y)} outputs")


class LearnedPool(_Pool):
    """One small network maps each window to one value, the same at every position and for every map.
    Its activation follows each of its layers."""

    formula = "y = f(b + sum of w[i, j] * a[i, j]);  with hidden: y = f(b + sum of v[h] * f(c[h] + sum of w[h, i, j] * a[i, j]))"
    example = "learned_pool: {kernel: 2, hidden: 4}"
    weighted = True
    keeps = "input"

    hidden: Whole = Field(0, description="units of its hidden layer; 0: none, a single unit reads the window")
    activation: Annotated[
        Literal["relu", "relu6", "elu", "selu", "sigmoid", "tanh", "softplus", "gelu", "silu", "hard_swish", "hard_sigmoid"],
        Expect("one of relu, relu6, elu, selu, sigmoid, tanh, softplus, gelu, silu, hard_swish, hard_sigmoid"),
    ] = Field("tanh", description="f, a pointwise layer")

    def parameters(self, x: Shape) -> tuple[Parameter, ...]:
        taps = math.prod(w.kernel for w in self.sides(x))
        if not self.hidden:
            return parameter("weight", 1, taps), parameter("bias", 1)
        return (
            parameter("hidden.weight", self.hidden, taps),
            parameter("hidden.bias", self.hidden),
            parameter("out.weight", 1, self.hidden),
            parameter("out.bias", 1),
        )

    def cost(self, x: Shape, y: Shape) -> Cost:
        """A bias and the activation for each unit."""
        units = (self.hidden + 1) * math.prod(y)
        macs = self._weights(x) * math.prod(y)
        return Cost(macs, (1 + self._activation()) * units, macs + units)

    def lower(self, at: Lowering, *inputs: Value) -> Value:
        """Every window of every map is a row."""
        [x] = inputs
        patches = at.b.emit("patches", x, window=at.axes(self.sides(at.shape(x)), x))
        *places, taps, maps = patches.shape
        windows = at.b.transpose(patches, at.behind(len(places), len(patches.shape)))
        y = at.b.reshape(windows, (math.prod(places) * maps, taps))
        for layer in ("hidden.", "out.") if self.hidden else ("",):
            y = at.biased(at.b.emit("matmul", y, at.parameter(f"{layer}weight"), ta=False, tb=True), f"{layer}bias")
            y = at.pointwise(self._function().function, y)
        return at.b.reshape(y, (*places, maps))

    def explain(self, x: Shape, y: Shape) -> Iterable[str]:
        yield from self.size_lines(x)
        yield from parameter_lines(self.parameters(x))
        cost = self.cost(x, y)
        yield total("MACs", cost.macs, f"{self._weights(x)} weights * {show(y)} outputs")
        unit = f"(1 bias + {self._activation()} for {self.activation})"
        yield total("work", cost.work, f"{unit} * {self.hidden + 1} units * {show(y)} outputs")

    def _weights(self, x: Shape) -> int:
        return sum(p.size for p in self.parameters(x) if p.name.endswith("weight"))

    def _activation(self) -> int:
        """The operations of the activation."""
        return self._function().operations()

    def _function(self) -> Pointwise:
        function: Pointwise = KINDS[self.activation]()
        return function


class _GlobalPool(Layer):
    """What pools over whole maps share: maps in, a vector out."""

    family = "pooling"

    def shape(self, *inputs: Shape) -> Shape:
        [x] = inputs
        need_maps(self, x)
        return (x[0],)

    def reach(self, x: Shape) -> Reach | None:
        return None


class GlobalMeanPool(_GlobalPool):
    """The mean of each map: maps become a vector."""

    formula = "y[m] = mean over all x, y of a[m, x, y]"
    example = "global_mean_pool"

    def lower(self, at: Lowering, *inputs: Value) -> Value:
        [x] = inputs
        total = at.b.sum(x, range(1, len(x.shape) - 1))
        return at.b.reshape(at.map(operand(0) / math.prod(x.shape[1:-1]), total), (x.shape[0], x.shape[-1]))

    def cost(self, x: Shape, y: Shape) -> Cost:
        return Cost(work=math.prod(x), connections=math.prod(x))

    def explain(self, x: Shape, y: Shape) -> Iterable[str]:
        yield f"output: {show(y)}"
        yield total("work", self.cost(x, y).work, f"{show(x)} cells")


class GlobalMaxPool(_GlobalPool):
    """The largest value of each map: maps become a vector."""

    formula = "y[m] = max over all x, y of a[m, x, y]"
    example = "global_max_pool"
    keeps = "index"

    def lower(self, at: Lowering, *inputs: Value) -> Value:
        [x] = inputs
        rows, *sides, maps = x.shape
        cells = at.b.reshape(x, (rows, math.prod(sides), maps))
        return at.b.reshape(at.b.emit("max", cells, axes=(1,)), (rows, maps))

    def cost(self, x: Shape, y: Shape) -> Cost:
        return Cost(work=math.prod(x) - x[0], connections=math.prod(x))

    def explain(self, x: Shape, y: Shape) -> Iterable[str]:
        yield f"output: {show(y)}"
        yield f"work: {show(x)} cells - {x[0]} = {self.cost(x, y).work:,} comparisons"

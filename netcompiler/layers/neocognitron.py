"""Fukushima's Neocognitron (1980): planes of simple cells, which learn, and of complex cells, which pool them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import product
from typing import TYPE_CHECKING

from pydantic import Field

from netcompiler.layers.layer import Cost, Parameter, Shape, need_maps, parameter, parameter_lines, show, total
from netcompiler.layers.window import Window, Windowed, window_shape, windows
from netcompiler.options import Count, Padding, Part, PerSide, Positive, Rounding, Stride
from netcompiler.scalar import compare, operand, relu, select, sqrt, wrap

if TYPE_CHECKING:
    from netcompiler.lowering import Lowering
    from netcompiler.plan import Value


def falling(kernel: list[int], falloff: float) -> list[float]:
    """falloff^distance from the centre of a window, tap by tap."""
    centre = [(k - 1) / 2 for k in kernel]
    return [falloff ** math.dist(tap, centre) for tap in product(*map(range, kernel))]


class SCells(Windowed):
    """Planes of simple cells: each answers a learned pattern, held back by the mean strength v of all it sees.
    v has fixed weights c that fall with the distance from the centre and sum to 1."""

    kind = "s_cells"
    family = "neocognitron"
    formula = "y = r * relu((1 + sum a*u) / (1 + 2r / (1 + r) * b * v) - 1),  v = sqrt(sum c*u^2),  c ~ falloff^distance"
    example = "s_cells: {filters: 24, kernel: 5, padding: same}"
    weighted = True
    keeps = "input"

    filters: Count = Field(description="planes")
    kernel: PerSide = Field(description="window size")
    stride: PerSide = Field(1, description="cells from one window to the next")
    padding: Padding = Field(0, description="zeros around the input; `same` gives ceil(N / stride), `full` is kernel - 1")
    rounding: Rounding = Field("floor", description="a remainder is dropped (floor), gets a cut window (ceil), or is an error (exact)")
    selectivity: Positive = Field(1.0, description="r: the larger, the nearer to its pattern must be what a cell answers")
    falloff: Part = Field(0.9, description="factor of the fixed weights from one cell to the next, away from the centre")

    def sides(self, x: Shape) -> list[Window]:
        need_maps(self, x)
        return windows(x, self.kernel, self.stride, self.padding, rounding=self.rounding)

    def shape(self, *inputs: Shape) -> Shape:
        [x] = inputs
        return window_shape(x, self.filters, self.sides(x))

    def parameters(self, x: Shape) -> tuple[Parameter, ...]:
        kernel = [w.kernel for w in self.sides(x)]
        return (
            parameter("excitatory.weight", self.filters, x[0], *kernel),
            parameter("inhibitory.weight", self.filters),
            parameter("surround", x[0], *kernel, learnable=False),
        )

    def cost(self, x: Shape, y: Shape) -> Cost:
        """The sums of S and v are products; v squares each cell and takes a root; 8 operations finish a cell."""
        positions = math.prod(y[1:])
        window = self._window(x)
        macs = (self.filters + 1) * window * positions
        return Cost(macs, 8 * math.prod(y) + (window + 1) * positions, macs + math.prod(y))

    def lower(self, at: Lowering, *inputs: Value) -> Value:
        """v has no slope where all that it sees is 0, and its derivative is taken as 0 there."""
        [x] = inputs
        shape, rank = at.shape(x), len(x.shape)
        window = at.axes(self.sides(shape), x)
        excited = at.b.emit("conv", x, at.parameter("excitatory.weight", at.behind(1, rank)), window=window, groups=1)
        kernel = [w.kernel for w in window]
        falls = falling(kernel, self.falloff)
        fixed = at.parameter("surround", at.behind(0, rank - 1), [value / (sum(falls) * shape[0]) for value in falls] * shape[0])
        squares = at.pointwise(lambda u: u * u, x)
        strength2 = at.b.emit("conv", squares, at.b.reshape(fixed, (1, *fixed.shape)), window=window, groups=1)
        strength = at.pointwise(lambda v2: select(compare("gt", v2, wrap(0)), sqrt(v2), wrap(0)), strength2)
        r, held = self.selectivity, 2 * self.selectivity / (1 + self.selectivity)
        y = r * relu((1 + operand(0)) / (1 + held * operand(2) * operand(1)) - 1)
        return at.map(y, excited, strength, at.parameter("inhibitory.weight"), shape=excited.shape)

    def explain(self, x: Shape, y: Shape) -> Iterable[str]:
        yield from self.size_lines(x)
        yield from parameter_lines(self.parameters(x))
        window, positions, cost = self._window(x), show(y[1:]), self.cost(x, y)
        yield total("MACs", cost.macs, f"({self.filters} + 1 for v) * {window} cells * {positions} positions")
        yield total("work", cost.work, f"8 * {show(y)}", f"({window} squares + 1 root) * {positions}")

    def _window(self, x: Shape) -> int:
        """Cells of a window in all planes."""
        return x[0] * math.prod(w.kernel for w in self.sides(x))


class CCells(Windowed):
    """Planes of complex cells: each pools a window of one plane, held back by the mean of all planes there.
    The weights d are fixed and fall with the distance from the centre."""

    kind = "c_cells"
    family = "neocognitron"
    formula = (
        "y = psi((1 + sum d*s) / (1 + v) - 1),  v = mean over planes of sum d*s,  "
        "psi(x) = relu(x) / (alpha + relu(x)),  d = falloff^distance"
    )
    example = "c_cells: {kernel: 3, stride: 2}"
    keeps = "input"

    kernel: PerSide = Field(description="window size")
    stride: Stride = Field(None, description="cells from one window to the next; the kernel unless given")
    rounding: Rounding = Field("floor", description="a remainder is dropped (floor), gets a cut window (ceil), or is an error (exact)")
    alpha: Positive = Field(1.0, description="where the answer reaches one half")
    falloff: Part = Field(0.9, description="factor of the fixed weights from one cell to the next, away from the centre")

    def sides(self, x: Shape) -> list[Window]:
        need_maps(self, x)
        return windows(x, self.kernel, self.stride or self.kernel, 0, rounding=self.rounding)

    def shape(self, *inputs: Shape) -> Shape:
        [x] = inputs
        return window_shape(x, x[0], self.sides(x))

    def parameters(self, x: Shape) -> tuple[Parameter, ...]:
        return (parameter("spread", *(w.kernel for w in self.sides(x)), learnable=False),)

    def cost(self, x: Shape, y: Shape) -> Cost:
        """v: the mean, and 1 + v, once a position; 6 operations finish a cell."""
        macs = math.prod(y) * math.prod(w.kernel for w in self.sides(x))
        return Cost(macs, 6 * math.prod(y) + (x[0] + 1) * math.prod(y[1:]), 2 * macs + math.prod(y))

    def lower(self, at: Lowering, *inputs: Value) -> Value:
        [x] = inputs
        window = at.axes(self.sides(at.shape(x)), x)
        kernel = [w.kernel for w in window]
        spread = at.parameter("spread", given=falling(kernel, self.falloff))
        planes = x.shape[-1]
        each = at.map(operand(0), at.b.reshape(spread, (1, *kernel, 1)), shape=(planes, *kernel, 1))
        sums = at.b.emit("conv", x, each, window=window, groups=planes)
        total = at.b.sum(sums, (len(sums.shape) - 1,))
        answer = relu((1 + operand(0)) / (1 + operand(1) / planes) - 1)
        return at.map(answer / (self.alpha + answer), sums, total, shape=sums.shape)

    def explain(self, x: Shape, y: Shape) -> Iterable[str]:
        yield from self.size_lines(x)
        yield from parameter_lines(self.parameters(x))
        cost = self.cost(x, y)
        yield total("MACs", cost.macs, f"{'*'.join(str(w.kernel) for w in self.sides(x))} cells * {show(y)} outputs")
        yield total("work", cost.work, f"6 * {show(y)}", f"({x[0]} + 1 for v) * {show(y[1:])}")

"""Convolution whose filters are not shared."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

from netcompiler.layers.filters import Sliding
from netcompiler.layers.layer import Cost, Parameter, Shape, parameter, total
from netcompiler.scalar import operand

if TYPE_CHECKING:
    from netcompiler.lowering import Lowering
    from netcompiler.plan import Value


class Local(Sliding):
    """A convolution whose filters are not shared: each position has its own. A tap that only meets padding is no weight."""

    formula = "z[n, x, y] = b[n, x, y] + sum over m, i, j of w[n, m, i, j, x, y] * a[m, x*S + i - P, y*S + j - P]"
    example = "local: {filters: 16, kernel: 3}"

    def parameters(self, x: Shape) -> tuple[Parameter, ...]:
        y = self.shape(x)
        taps = self.taps(x)
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

"""What a layer is: options (its YAML keys), shape, parameters, cost, reach. One class answers all of it.

Read next: window.py for the output-size formulas, conv.py for a whole family.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction
from typing import TYPE_CHECKING, ClassVar, NamedTuple, TypeAlias

from netcompiler.diagnostics import Mistake
from netcompiler.options import Kind, Registry

if TYPE_CHECKING:
    from netcompiler.lowering import Lowering
    from netcompiler.plan import Value

Shape: TypeAlias = tuple[int, ...]
"""(channels, *sides) of one picture; a vector is (n,)."""


class Parameter(NamedTuple):
    """A tensor that belongs to a layer, in PyTorch's order of axes. `size` counts its numbers, less those that are left out."""

    name: str
    shape: Shape
    size: int
    learnable: bool
    fans: tuple[int, int]
    """fan_in, inputs * taps, which are the terms of one output's sum, and fan_out, outputs * taps."""
    pairs: Pairs | None = None
    """Which inputs each output sees, where it does not see all."""


Pairs: TypeAlias = tuple[tuple[bool, ...], ...]


def parameter(
    name: str,
    *shape: int,
    size: int | None = None,
    learnable: bool = True,
    fans: tuple[int, int] | None = None,
    pairs: Pairs | None = None,
) -> Parameter:
    """A tensor of the axes [outputs, inputs, *taps], unless it brings its own fans."""
    usual = math.prod(shape[1:]), shape[0] * math.prod(shape[2:])
    return Parameter(name, shape, math.prod(shape) if size is None else size, learnable, fans or usual, pairs)


class Cost(NamedTuple):
    """For one picture. macs: multiply-accumulates of products; work: every other arithmetic operation, comparison and
    function; connections: the values that all units read, a bias being one."""

    macs: int = 0
    work: int = 0
    connections: int = 0

    @property
    def flops(self) -> int:
        return 2 * self.macs + self.work


class Reach(NamedTuple):
    """How far one output sees on each side of its input: `extent` cells, and the step between neighbours.

    `None` in place of a Reach means: the whole input."""

    extent: tuple[int, ...]
    step: tuple[Fraction | int, ...]


KINDS = Registry("layer")


class Layer(Kind):
    """Base of all layers."""

    registry: ClassVar[Registry] = KINDS
    family: ClassVar[str] = ""
    weighted: ClassVar[bool] = False
    """Counts in the depth of a net, and its outputs among the neurons."""
    keeps: ClassVar[str] = "nothing"
    """What training keeps for the backward pass: nothing, input, output, or index (a byte an output)."""
    view: ClassVar[bool] = False
    """The output is the input under another shape: no memory of its own."""

    def shape(self, *inputs: Shape) -> Shape:
        """The output's shape; raises Mistake where the inputs do not fit."""
        return inputs[0]

    def parameters(self, x: Shape) -> tuple[Parameter, ...]:
        return ()

    def cost(self, x: Shape, y: Shape) -> Cost:
        return Cost()

    def reach(self, x: Shape) -> Reach | None:
        """Pointwise unless a layer says otherwise."""
        return Reach((1,) * (len(x) - 1), (1,) * (len(x) - 1))

    def notes(self, x: Shape) -> Iterable[Mistake]:
        """Remarks that are no errors."""
        return ()

    def lower(self, at: Lowering, *inputs: Value) -> Value:
        """The layer as instructions; values are (n, sides, channels)."""
        raise NotImplementedError(self.kind)

    def explain(self, x: Shape, y: Shape) -> Iterable[str]:
        """The formulas of shape, parameters and cost, with this layer's numbers in them."""
        yield f"output: {show(y)}"
        yield from parameter_lines(self.parameters(x))


def show(shape: Iterable[int]) -> str:
    """3x224x224, or `4096` for a vector."""
    return "x".join(map(str, shape))


def total(what: str, count: int, *terms: str) -> str:
    """`params: 64 * 3 * 3*3 + 64 = 1,792`: a count and the terms that make it; empty ones are left out."""
    return f"{what}: {' + '.join(filter(None, terms))} = {count:,}"


def parameter_lines(parameters: Iterable[Parameter]) -> Iterable[str]:
    """The sizes of the learned parameters in one line, those of the others in a second."""
    for what, learnable in (("params", True), ("buffers", False)):
        some = [p for p in parameters if p.learnable == learnable]
        if some:
            yield total(what, sum(p.size for p in some), *(f"{p.name} {show(p.shape)}" for p in some))


def pointwise_lines(operations: int, y: Shape) -> Iterable[str]:
    """The work of a layer that does so many operations for each value."""
    values = math.prod(y)
    yield f"work: {operations} an output * {values:,} outputs = {operations * values:,}"


def divisors(n: int) -> str:
    """`1, 2, 3, 6`"""
    small = [d for d in range(1, math.isqrt(n) + 1) if n % d == 0]
    return ", ".join(map(str, sorted({*small, *(n // d for d in small)})))


def axis_index(axis: str | int, x: Shape, kind: str) -> int:
    """Where in the shape an axis stands: channels first, then the sides."""
    index = 0 if isinstance(axis, str) else 1 + axis
    if index >= len(x):
        sides = "no sides" if len(x) == 1 else f"sides 0 to {len(x) - 2}"
        raise Mistake(
            "axis",
            f"there is no side {axis}: the input of {kind} has {sides}",
            "sides count from 0; `channels` is the axis before them",
            [f"input: {show(x)}"],
            option="axis",
            guess=x,
        )
    return index


def need_maps(layer: Layer, x: Shape) -> None:
    if len(x) < 2:
        raise Mistake(
            "rank",
            f"{layer.kind} reads maps, and what comes in is a vector of {x[0]:,}",
            "put it before `flatten`, or make maps of the vector with `reshape`",
            [f"input: {show(x)}"],
        )


def need_vector(layer: Layer, x: Shape, units: int) -> None:
    """`units` is how many outputs the layer has, each with a weight for each input."""
    if len(x) > 1:
        n = math.prod(x)
        raise Mistake(
            "rank",
            f"{layer.kind} reads a vector, and what comes in is {x[0]:,} maps of {show(x[1:])}",
            f"add `flatten` before it ({n:,} inputs, {n * units:,} weights)"
            f" or `global_mean_pool` ({x[0]:,} inputs, {x[0] * units:,} weights)",
            [f"input: {show(x)}"],
            guess=(units,),
        )

"""What a layer is: options (its YAML keys), shape, parameters, cost, reach. One class answers all of it.

Read next: window.py for the output-size formulas, conv.py for a whole family.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction
from typing import ClassVar, NamedTuple, TypeAlias

from netcompiler.diagnostics import Mistake
from netcompiler.options import Kind, Registry

Shape: TypeAlias = tuple[int, ...]
"""(channels, *sides) of one picture; a vector is (n,)."""


class Parameter(NamedTuple):
    """A tensor that belongs to a layer, in PyTorch's order of axes. `size` counts its numbers, less those that are left out."""

    name: str
    shape: Shape
    size: int
    learnable: bool = True


def parameter(name: str, *shape: int, size: int | None = None, learnable: bool = True) -> Parameter:
    return Parameter(name, shape, math.prod(shape) if size is None else size, learnable)


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

    def explain(self, x: Shape, y: Shape) -> Iterable[str]:
        """The formulas of shape, parameters and cost, with this layer's numbers in them."""
        return (f"output {show(y)}",)


def show(shape: Shape) -> str:
    """3x224x224, or `4096` for a vector."""
    return "x".join(map(str, shape))


def need_maps(layer: Layer, x: Shape) -> None:
    if len(x) < 2:
        raise Mistake(
            "rank",
            f"{layer.kind} reads maps, and what comes in is a vector of {x[0]:,}",
            "put it before `flatten`, or make maps of the vector with `reshape`",
            [f"input: {show(x)}"],
        )


def need_vector(layer: Layer, x: Shape, weights: int) -> None:
    """`weights` is what the layer would have after a flatten, for the help."""
    if len(x) > 1:
        raise Mistake(
            "rank",
            f"{layer.kind} reads a vector, and what comes in is {x[0]:,} maps of {show(x[1:])}",
            f"add `flatten` before it ({math.prod(x):,} inputs, {weights:,} weights) or `global_mean_pool` ({x[0]:,} inputs)",
            [f"input: {show(x)}"],
        )

"""The net after expansion: frozen nodes in written order, each with its name, shapes, counts and places."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property

from netcompiler.diagnostics import Call
from netcompiler.layers.layer import Cost, Layer, Parameter, Reach, Shape
from netcompiler.losses import Loss
from netcompiler.source import Node as Written
from netcompiler.source import Place


@dataclass(frozen=True, eq=False)
class Node:
    """One layer of the net. An input of the net is a node without a layer."""

    name: str
    layer: Layer | None
    inputs: tuple[Node, ...] = field(repr=False)  # a net's repr would double with each join
    shape: Shape
    place: Place
    calls: tuple[Call, ...] = ()
    only: str = ""
    """`train` where only training needs the node."""
    options: Written | None = None
    """The options as the file has them, with values in place of `$`."""

    @property
    def kind(self) -> str:
        return self.layer.kind if self.layer else "input"

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        return self.layer.parameters(self.inputs[0].shape) if self.layer else ()

    @cached_property
    def cost(self) -> Cost:
        return self.layer.cost(self.inputs[0].shape, self.shape) if self.layer else Cost()

    @cached_property
    def reach(self) -> Reach | None:
        return self.layer.reach(self.inputs[0].shape) if self.layer else None

    @property
    def params(self) -> int:
        return sum(p.size for p in self.parameters if p.learnable)

    @property
    def buffers(self) -> int:
        return sum(p.size for p in self.parameters if not p.learnable)


@dataclass(frozen=True)
class Output:
    """A named output of the net: where it comes from, its loss and the weight of that."""

    name: str
    node: Node
    loss: Loss | None
    weight: float
    target: str | None
    only: str
    place: Place


@dataclass(frozen=True)
class Graph:
    """A whole net. `broken` says that errors left nodes out of it."""

    spec: str
    variant: str | None
    name: str
    doc: str
    inputs: tuple[Node, ...]
    nodes: tuple[Node, ...]
    outputs: tuple[Output, ...]
    scopes: dict[str, str] = field(default_factory=dict)
    """Full name of each scope -> what opened it: a block's name, `sequence`, `repeat`, `path`, ..."""
    broken: bool = False

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)

    @cached_property
    def fields(self) -> dict[Node, Reach | None]:
        """The receptive field of each node on the input: size and step. None: it sees everything."""
        return receptive_fields(self.inputs, self.nodes)


def receptive_fields(inputs: Iterable[Node], nodes: Iterable[Node]) -> dict[Node, Reach | None]:
    """r += (K - 1) * j; j *= S, the most over branches; sizes are rounded up where upsampling makes them fractions."""
    fields: dict[Node, Reach | None] = {}
    for node in inputs:
        sides = len(node.shape) - 1
        fields[node] = Reach((1,) * sides, (1,) * sides) if sides else None
    for node in nodes:
        fields[node] = _through(node.reach, [fields[x] for x in node.inputs])
    return fields


def _through(reach: Reach | None, before: list[Reach | None]) -> Reach | None:
    known = [field for field in before if field is not None]
    if reach is None or len(known) < len(before) or len({len(field.step) for field in known} | {len(reach.step)}) != 1:
        return None
    sizes = [max(sides) for sides in zip(*(field.extent for field in known), strict=True)]
    steps = [max(sides) for sides in zip(*(field.step for field in known), strict=True)]
    extent = tuple(r + _up((k - 1) * j) for r, k, j in zip(sizes, reach.extent, steps, strict=True))
    return Reach(extent, tuple(_whole(j * s) for j, s in zip(steps, reach.step, strict=True)))


def _up(value: Fraction | int) -> int:
    return -(-value // 1)


def _whole(value: Fraction | int) -> Fraction | int:
    return int(value) if value == int(value) else value

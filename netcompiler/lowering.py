"""What layers, losses and optimizers write their instructions with: a builder, and the state that belongs to them.

Read next: passes/lower.py, which walks the graph and calls them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from netcompiler.builder import Builder
from netcompiler.instructions.op import Shape
from netcompiler.plan import Axis, State, Value
from netcompiler.scalar import Expr, compare, index, operand, select, wrap
from netcompiler.tensors import Tensor

T = TypeVar("T")


class Lowering:
    """One node at a time: `name` is the node's full name."""

    def __init__(self, b: Builder, states: dict[str, State], batch: int, training: bool) -> None:
        self.b = b
        self.states = states
        self.batch = batch
        self.training = training
        self.name = ""
        self.successors: dict[str, Value] = {}
        self.tensors: dict[str, Tensor] = {}

    # state

    def parameter(self, name: str, order: tuple[int, ...] = (), given: Sequence[float] | None = None) -> Value:
        """A parameter of the node. `order`: PyTorch's axes as they are stored; `given`: its numbers, in PyTorch's order."""
        full, shape, segment, start = self.tensors[name]
        stored = tuple(shape[axis] for axis in order) if order else shape
        return self.state(full, segment, self.b.dtype, stored, full, order, start if given is None else tuple(given)).value

    def state(
        self, name: str, segment: str, dtype: str, shape: Shape, parameter: str = "", order: tuple[int, ...] = (), start: Any = None
    ) -> State:
        """A state by name; made where it is asked for first."""
        if name not in self.states:
            self.states[name] = State(Value(name, dtype, shape), segment, parameter, order, start, self.b.origin)
        return self.states[name]

    def control(self, name: str, dtype: str, start: float = 0) -> Value:
        """A single number that the runtime may set before a step."""
        return self.state(name, "control", dtype, (), start=start).value

    @property
    def valid(self) -> Value:
        """How many rows of the batch are pictures."""
        return self.control("valid", "i32")

    def succeed(self, state: Value, value: Value) -> None:
        """The state's next value."""
        self.successors[state.name] = value

    # what several layers need

    def map(self, expr: Expr, *values: Value, shape: Shape | None = None) -> Value:
        return self.b.map(expr, *values, shape=shape)

    def pointwise(self, function: Callable[[Expr], Expr], x: Value) -> Value:
        return self.b.map(function(operand(0)), x, shape=x.shape)

    def shape(self, x: Value) -> Shape:
        """The shape as layers know it: (channels, sides) of one picture."""
        return (x.shape[-1], *x.shape[1:-1])

    def channels_first(self, x: Value) -> Value:
        """(n, channels, sides): the order in which flatten and reshape read."""
        return self.b.transpose(x, (0, len(x.shape) - 1, *range(1, len(x.shape) - 1)))

    def channels_last(self, x: Value) -> Value:
        """The way back: (n, channels, sides) -> (n, sides, channels)."""
        return self.b.transpose(x, self.behind(1, len(x.shape)))

    @staticmethod
    def sides_first(entries: Sequence[T]) -> Sequence[T]:
        """What layers have for (channels, sides), in the order of values: (sides, channels)."""
        return [*entries[1:], entries[0]]

    @staticmethod
    def behind(axis: int, rank: int) -> tuple[int, ...]:
        """All axes in order, but one behind the others."""
        return (*range(axis), *range(axis + 1, rank), axis)

    def axes(self, sides: Sequence[Any], x: Value) -> tuple[Axis, ...]:
        """A layer's windows with the rounding settled: the padding behind is what the last window reaches."""
        return tuple(_axis(w, n) for w, n in zip(sides, x.shape[1:-1], strict=True))

    def biased(self, y: Value, name: str = "bias") -> Value:
        """y with a bias of the node on its last axis."""
        return self.b.map(operand(0) + operand(1), y, self.parameter(name), shape=y.shape)

    def random(self, purpose: str, columns: int) -> Value:
        """32 random bits for each of `columns` of each row: by the node, the picture's place, the step, and the run's seed."""
        row, tick = self.control("row", "i64"), self.control("tick", "i64")
        return self.b.emit("random", row, tick, key=key_of(self.name, purpose), rows=self.batch, columns=columns)

    def mean_of_positions(self, x: Value) -> Value:
        """The mean over the positions of each picture: (n, sides, 1) -> (n, 1)."""
        total = self.sum_of_rows(x)
        positions = x.elements // x.shape[0]
        return total if positions == 1 else self.b.map(operand(0) / positions, total)

    def sum_of_rows(self, x: Value) -> Value:
        """The sum of everything in each row: (n, ...) -> (n, 1)."""
        axes = [axis for axis in range(1, len(x.shape)) if x.shape[axis] > 1]
        return self.b.reshape(self.b.sum(x, axes) if axes else x, (x.shape[0], 1))

    def mean_of_rows(self, x: Value) -> Value:
        """The mean over the valid rows of one number a row: (n, 1) -> (1, 1)."""
        valid = self.valid
        counted = self.b.map(select(compare("lt", index(0), operand(1)), operand(0), wrap(0)), x, valid, shape=x.shape)
        return self.b.map(operand(0) / operand(1), self.b.sum(counted, (0,)), valid, shape=(1, 1))


def key_of(name: str, purpose: str) -> tuple[int, int]:
    """The key of a stream of random numbers: every node and purpose has its own, whatever else the net has."""
    digest = hashlib.blake2b(f"{name}\0{purpose}".encode(), digest_size=8).digest()
    return int.from_bytes(digest[:4], "little"), int.from_bytes(digest[4:], "little")


def _axis(w: Any, n: int) -> Axis:
    behind = (w.size(n) - 1) * w.stride + w.extent - n - w.low
    return Axis(w.kernel, w.stride, w.low, behind, w.dilation)

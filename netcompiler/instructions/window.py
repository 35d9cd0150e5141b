"""Windows that are no products: taps laid out, sums, largest values, and the way back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from netcompiler.instructions.op import Gradients, Op, Types, need, taps, wide
from netcompiler.plan import Instruction, Value

if TYPE_CHECKING:
    from netcompiler.builder import Builder


def _sides(x: Value, window: Sequence[Any]) -> tuple[int, ...]:
    return tuple(axis.size(n) for axis, n in zip(window, x.shape[1:-1], strict=True))


class Patches(Op):
    """The taps of each window side by side: n, sides', taps, c."""

    @staticmethod
    def types(operands: Sequence[Value], attributes: Mapping[str, Any]) -> Types:
        [x], window = operands, attributes["window"]
        return [(x.dtype, (x.shape[0], *_sides(x, window), taps(window), x.shape[-1]))]

    @staticmethod
    def derive(b: Builder, i: Instruction, dy: Gradients) -> Gradients:
        return [dy[0] and b.emit("unpatch", dy[0], window=i.attributes["window"], size=i.operands[0].shape[1:-1])]


class Unpatch(Op):
    """The adjoint of patches: overlaps are added."""

    @staticmethod
    def types(operands: Sequence[Value], attributes: Mapping[str, Any]) -> Types:
        [p] = operands
        return [(p.dtype, (p.shape[0], *attributes["size"], p.shape[-1]))]

    @staticmethod
    def derive(b: Builder, i: Instruction, dy: Gradients) -> Gradients:
        return [dy[0] and b.emit("patches", dy[0], window=i.attributes["window"])]


class WindowSum(Op):
    """Sums over windows on any axes."""

    @staticmethod
    def types(operands: Sequence[Value], attributes: Mapping[str, Any]) -> Types:
        [x] = operands
        shape = list(x.shape)
        for axis, window in zip(attributes["axes"], attributes["window"], strict=True):
            shape[axis] = window.size(shape[axis])
        return [(wide(x.dtype), tuple(shape))]

    @staticmethod
    def flops(instruction: Instruction) -> int:
        return instruction.result.elements * taps(instruction.attributes["window"])

    @staticmethod
    def derive(b: Builder, i: Instruction, dy: Gradients) -> Gradients:
        axes, window = i.attributes["axes"], i.attributes["window"]
        [x] = i.operands
        size = tuple(x.shape[axis] for axis in axes)
        return [dy[0] and b.emit("window_spread", b.kept_as(dy[0], x.dtype), axes=axes, window=window, size=size)]


class WindowSpread(Op):
    """The adjoint of window_sum: each value is added to all cells of its window."""

    @staticmethod
    def types(operands: Sequence[Value], attributes: Mapping[str, Any]) -> Types:
        [y] = operands
        shape = list(y.shape)
        for axis, window, n in zip(attributes["axes"], attributes["window"], attributes["size"], strict=True):
            need(window.size(n) == shape[axis], f"windows over {n} are not {shape[axis]}")
            shape[axis] = n
        return [(y.dtype, tuple(shape))]

    @staticmethod
    def flops(instruction: Instruction) -> int:
        return instruction.operands[0].elements * taps(instruction.attributes["window"])

    @staticmethod
    def derive(b: Builder, i: Instruction, dy: Gradients) -> Gradients:
        return [dy[0] and b.emit("window_sum", dy[0], axes=i.attributes["axes"], window=i.attributes["window"])]


class WindowMax(Op):
    """The first largest value of each window, and which tap it is."""

    @staticmethod
    def types(operands: Sequence[Value], attributes: Mapping[str, Any]) -> Types:
        [x], window = operands, attributes["window"]
        shape = (x.shape[0], *_sides(x, window), x.shape[-1])
        return [(x.dtype, shape), ("u8" if taps(window) <= 256 else "u16", shape)]

    @staticmethod
    def flops(instruction: Instruction) -> int:
        return instruction.result.elements * taps(instruction.attributes["window"])

    @staticmethod
    def derive(b: Builder, i: Instruction, dy: Gradients) -> Gradients:
        size = i.operands[0].shape[1:-1]
        return [dy[0] and b.emit("window_route", dy[0], i.results[1], window=i.attributes["window"], size=size)]


class WindowRoute(Op):
    """Each value goes to the cell that its window names; overlaps are added."""

    @staticmethod
    def types(operands: Sequence[Value], attributes: Mapping[str, Any]) -> Types:
        dy, _ = operands
        return [(dy.dtype, (dy.shape[0], *attributes["size"], dy.shape[-1]))]

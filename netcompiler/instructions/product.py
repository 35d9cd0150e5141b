"""Matrix products and convolutions; the three convolutions are each other's derivatives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from netcompiler.instructions.op import Gradients, Op, Types, broadcast, multiply_adds, need, taps
from netcompiler.plan import MATH, Instruction, Value
from netcompiler.scalar import operand

if TYPE_CHECKING:
    from netcompiler.builder import Builder


def _like(i: Instruction, *names: str) -> dict[str, Any]:
    """Attributes of a product that its derivatives share: what it may be computed in, always."""
    return {name: i.attributes[name] for name in (*names, MATH) if name in i.attributes}


def _alike(a: Value, b: Value) -> None:
    need(a.dtype == b.dtype, f"{a} and {b} are kept in different types")


class Matmul(Op):
    @staticmethod
    def types(operands: Sequence[Value], attributes: Mapping[str, Any]) -> Types:
        a, b = operands
        m, k = a.shape[-2:][::-1] if attributes["ta"] else a.shape[-2:]
        k2, n = b.shape[-2:][::-1] if attributes["tb"] else b.shape[-2:]
        need(k == k2, f"inner sizes differ: {k} and {k2}")
        _alike(a, b)
        return [(a.dtype, (*broadcast([a.shape[:-2], b.shape[:-2]]), m, n))]

    @staticmethod
    def flops(instruction: Instruction) -> int:
        a = instruction.operands[0]
        return multiply_adds(instruction.result, a.shape[-2] if instruction.attributes["ta"] else a.shape[-1])

    @staticmethod
    def derive(b: Builder, i: Instruction, dy: Gradients) -> Gradients:
        [x, w], [g] = i.operands, dy
        if g is None:
            return [None, None]
        ta, tb, how = i.attributes["ta"], i.attributes["tb"], _like(i)
        dx = b.emit("matmul", w, g, ta=tb, tb=True, **how) if ta else b.emit("matmul", g, w, ta=False, tb=not tb, **how)
        dw = b.emit("matmul", g, x, ta=True, tb=ta, **how) if tb else b.emit("matmul", x, g, ta=not ta, tb=False, **how)
        return [_unbroadcast(b, dx, x), _unbroadcast(b, dw, w)]


def _unbroadcast(b: Builder, gradient: Value, of: Value) -> Value:
    """Summed over the batch axes along which an operand was repeated."""
    return gradient if gradient.shape == of.shape else b.sum_to(operand(0), [gradient], gradient.shape, of.shape)


class Conv(Op):
    """y[n, p, k] = sum over taps t, channels c of w[k, t, c] * x[n, p*S + t*D - low, group of k + c]."""

    @staticmethod
    def types(operands: Sequence[Value], attributes: Mapping[str, Any]) -> Types:
        x, w = operands
        window, groups = attributes["window"], attributes["groups"]
        need(x.shape[-1] == w.shape[-1] * groups and w.shape[0] % groups == 0, f"{groups} groups: channels of {x} and {w} differ")
        need(w.shape[1:-1] == tuple(axis.kernel for axis in window), "taps and window differ")
        _alike(x, w)
        sides = tuple(axis.size(n) for axis, n in zip(window, x.shape[1:-1], strict=True))
        return [(x.dtype, (x.shape[0], *sides, w.shape[0]))]

    @staticmethod
    def flops(instruction: Instruction) -> int:
        w = instruction.operands[1]
        return multiply_adds(instruction.result, taps(instruction.attributes["window"]) * w.shape[-1])

    @staticmethod
    def derive(b: Builder, i: Instruction, dy: Gradients) -> Gradients:
        [x, w], [g] = i.operands, dy
        if g is None:
            return [None, None]
        how = _like(i, "window", "groups")
        return [b.emit("conv_dx", g, w, **how, size=x.shape[1:-1]), b.emit("conv_dw", x, g, **how)]


class ConvDx(Op):
    """The adjoint of conv in x, which is a transposed convolution."""

    @staticmethod
    def types(operands: Sequence[Value], attributes: Mapping[str, Any]) -> Types:
        y, w = operands
        size = attributes["size"]
        sides = tuple(axis.size(n) for axis, n in zip(attributes["window"], size, strict=True))
        need(sides == y.shape[1:-1] and y.shape[-1] == w.shape[0], f"{y} is not the result of a convolution of {size} by {w}")
        _alike(y, w)
        return [(y.dtype, (y.shape[0], *size, w.shape[-1] * attributes["groups"]))]

    @staticmethod
    def flops(instruction: Instruction) -> int:
        y, w = instruction.operands
        return multiply_adds(y, taps(instruction.attributes["window"]) * w.shape[-1])

    @staticmethod
    def derive(b: Builder, i: Instruction, dy: Gradients) -> Gradients:
        [y, w], [g] = i.operands, dy
        if g is None:
            return [None, None]
        how = _like(i, "window", "groups")
        return [b.emit("conv", g, w, **how), b.emit("conv_dw", g, y, **how)]


class ConvDw(Op):
    """The adjoint of conv in w."""

    @staticmethod
    def types(operands: Sequence[Value], attributes: Mapping[str, Any]) -> Types:
        x, y = operands
        _alike(x, y)
        kernel = tuple(axis.kernel for axis in attributes["window"])
        return [(x.dtype, (y.shape[-1], *kernel, x.shape[-1] // attributes["groups"]))]

    @staticmethod
    def flops(instruction: Instruction) -> int:
        y = instruction.operands[1]
        return multiply_adds(y, taps(instruction.attributes["window"]) * instruction.result.shape[-1])

    @staticmethod
    def derive(b: Builder, i: Instruction, dy: Gradients) -> Gradients:
        [x, y], [g] = i.operands, dy
        if g is None:
            return [None, None]
        how = _like(i, "window", "groups")
        return [b.emit("conv_dx", y, g, **how, size=x.shape[1:-1]), b.emit("conv", x, g, **how)]

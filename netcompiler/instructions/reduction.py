"""Sums, extremes and statistics along axes, which become 1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING, Any

from netcompiler.instructions.op import Gradients, Op, Types, kept, need, wide
from netcompiler.plan import Instruction, Value
from netcompiler.scalar import compare, exp, index, operand, select, wrap

if TYPE_CHECKING:
    from netcompiler.builder import Builder

A, B, C, D, E, F = map(operand, range(6))


class _Reduction(Op):
    @staticmethod
    def types(operands: Sequence[Value], attributes: Mapping[str, Any]) -> Types:
        [x] = operands
        return [(x.dtype, kept(x.shape, attributes["axes"]))]

    @staticmethod
    def flops(instruction: Instruction) -> int:
        return instruction.operands[0].elements


class Sum(_Reduction):
    @staticmethod
    def types(operands: Sequence[Value], attributes: Mapping[str, Any]) -> Types:
        [x] = operands
        return [(wide(x.dtype), kept(x.shape, attributes["axes"]))]

    @staticmethod
    def derive(b: Builder, i: Instruction, dy: Gradients) -> Gradients:
        return [dy[0] and b.map(A, dy[0], shape=i.operands[0].shape)]


class Max(_Reduction):
    """The gradient goes to the first of equals."""

    @staticmethod
    def derive(b: Builder, i: Instruction, dy: Gradients) -> Gradients:
        [x], axes, [g] = i.operands, i.attributes["axes"], dy
        if g is None:
            return [None]
        order = (*(axis for axis in range(len(x.shape)) if axis not in axes), *axes)
        rest = len(x.shape) - len(axes)
        turned = b.transpose(x, order)
        joined = b.reshape(turned, (*turned.shape[:rest], prod(turned.shape[rest:])))
        first = b.emit("argmax", joined, axis=rest)
        dx = b.map(select(compare("eq", index(rest), B), A, wrap(0)), b.reshape(g, first.shape), first, shape=joined.shape)
        return [b.transpose(b.reshape(dx, turned.shape), tuple(map(order.index, range(len(order)))))]


class Argmax(Op):
    @staticmethod
    def types(operands: Sequence[Value], attributes: Mapping[str, Any]) -> Types:
        [x] = operands
        return [("i32", kept(x.shape, [attributes["axis"]]))]

    @staticmethod
    def derive(b: Builder, i: Instruction, dy: Gradients) -> Gradients:
        return [None]


class Moments(Op):
    """Mean and variance. With a second operand only rows before that number count."""

    @staticmethod
    def types(operands: Sequence[Value], attributes: Mapping[str, Any]) -> Types:
        x, axes = operands[0], attributes["axes"]
        need(len(operands) == 1 or 0 in axes, "valid rows need the statistics of axis 0")
        return [(wide(x.dtype), kept(x.shape, axes))] * 2

    @staticmethod
    def flops(instruction: Instruction) -> int:
        return 3 * instruction.operands[0].elements

    @staticmethod
    def derive(b: Builder, i: Instruction, dy: Gradients) -> Gradients:
        """dx = (dmean + 2 (x - mean) dvar) / m, and 0 in rows that do not count."""
        x, mean = i.operands[0], i.results[0]
        axes = i.attributes["axes"]
        values = [x, mean, *(value for value in dy if value is not None)]
        dmean = operand(2) if dy[0] is not None else wrap(0)
        dvar = operand(len(values) - 1) if dy[1] is not None else wrap(0)
        total = dmean + 2 * (A - B) * dvar
        rest = prod(x.shape[axis] for axis in axes if axis or len(i.operands) == 1)
        if len(i.operands) == 1:
            return [b.map(total / rest, *values, shape=x.shape)]
        valid = operand(len(values))
        share = select(compare("lt", index(0), valid), total / (valid * rest), wrap(0))
        return [b.map(share, *values, i.operands[1], shape=x.shape), None]


class Logsumexp(Op):
    @staticmethod
    def types(operands: Sequence[Value], attributes: Mapping[str, Any]) -> Types:
        [x] = operands
        return [(wide(x.dtype), kept(x.shape, [attributes["axis"]]))]

    @staticmethod
    def flops(instruction: Instruction) -> int:
        return 3 * instruction.operands[0].elements

    @staticmethod
    def derive(b: Builder, i: Instruction, dy: Gradients) -> Gradients:
        [x] = i.operands
        return [dy[0] and b.map(A * exp(B - C), dy[0], x, i.result, shape=x.shape)]

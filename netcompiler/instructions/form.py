"""The same numbers in other places: shapes, orders, pieces, padding, tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING, Any, ClassVar

from netcompiler.instructions.op import Gradients, Op, Types, need
from netcompiler.plan import Instruction, Value

if TYPE_CHECKING:
    from netcompiler.builder import Builder


class _Form(Op):
    @staticmethod
    def flops(instruction: Instruction) -> int:
        return 0


class Reshape(_Form):
    view: ClassVar[bool] = True

    @staticmethod
    def types(operands: Sequence[Value], attributes: Mapping[str, Any]) -> Types:
        [x] = operands
        need(prod(attributes["shape"]) == x.elements, f"{x} cannot have the shape {attributes['shape']}")
        return [(x.dtype, tuple(attributes["shape"]))]

    @staticmethod
    def derive(b: Builder, i: Instruction, dy: Gradients) -> Gradients:
        return [dy[0] and b.reshape(dy[0], i.operands[0].shape)]


class Transpose(_Form):
    @staticmethod
    def types(operands: Sequence[Value], attributes: Mapping[str, Any]) -> Types:
        [x] = operands
        return [(x.dtype, tuple(x.shape[axis] for axis in attributes["order"]))]

    @staticmethod
    def derive(b: Builder, i: Instruction, dy: Gradients) -> Gradients:
        order = i.attributes["order"]
        return [dy[0] and b.transpose(dy[0], tuple(order.index(axis) for axis in range(len(order))))]


class Slice(_Form):
    @staticmethod
    def types(operands: Sequence[Value], attributes: Mapping[str, Any]) -> Types:
        [x] = operands
        ranges = zip(attributes["begin"], attributes["end"], attributes["step"], strict=True)
        return [(x.dtype, tuple(max(0, -(-(end - begin) // step)) for begin, end, step in ranges))]

    @staticmethod
    def derive(b: Builder, i: Instruction, dy: Gradients) -> Gradients:
        """Padding puts the piece back: `step - 1` zeros between neighbours, the rest around it."""
        begin, step = i.attributes["begin"], i.attributes["step"]
        taken = [first + (n - 1) * by + 1 for first, by, n in zip(begin, step, i.result.shape, strict=True)]
        high = tuple(n - end for n, end in zip(i.operands[0].shape, taken, strict=True))
        return [dy[0] and b.emit("pad", dy[0], low=begin, high=high, interior=tuple(by - 1 for by in step))]


class Pad(_Form):
    @staticmethod
    def types(operands: Sequence[Value], attributes: Mapping[str, Any]) -> Types:
        [x] = operands
        around = zip(x.shape, attributes["low"], attributes["high"], attributes["interior"], strict=True)
        return [(x.dtype, tuple(low + high + n + max(0, n - 1) * between for n, low, high, between in around))]

    @staticmethod
    def derive(b: Builder, i: Instruction, dy: Gradients) -> Gradients:
        """A slice out of what was padded; cells that a negative number left out come back as zeros."""
        [g] = dy
        if g is None:
            return [None]
        low, high, interior = i.attributes["low"], i.attributes["high"], i.attributes["interior"]
        cut = [tuple(max(0, -n) for n in ends) for ends in (low, high)]
        if any((*cut[0], *cut[1])):
            g = b.emit("pad", g, low=cut[0], high=cut[1], interior=(0,) * len(low))
        begin = tuple(max(0, before) for before in low)
        end = tuple(n - max(0, after) for n, after in zip(g.shape, high, strict=True))
        return [b.slice(g, begin, end, tuple(between + 1 for between in interior))]


class Concat(_Form):
    @staticmethod
    def types(operands: Sequence[Value], attributes: Mapping[str, Any]) -> Types:
        axis, first = attributes["axis"], operands[0]
        need(len({(*x.shape[:axis], *x.shape[axis + 1 :]) for x in operands}) == 1, "other axes differ")
        return [(first.dtype, (*first.shape[:axis], sum(x.shape[axis] for x in operands), *first.shape[axis + 1 :]))]

    @staticmethod
    def derive(b: Builder, i: Instruction, dy: Gradients) -> Gradients:
        [g] = dy
        if g is None:
            return [None] * len(i.operands)
        axis, at, pieces = i.attributes["axis"], 0, []
        for x in i.operands:
            begin, end = [0] * len(g.shape), list(g.shape)
            begin[axis], end[axis] = at, at + x.shape[axis]
            pieces.append(b.slice(g, tuple(begin), tuple(end)))
            at += x.shape[axis]
        return pieces


class Gather(_Form):
    """Along an axis the entries that a constant table names; -1 names a zero."""

    @staticmethod
    def types(operands: Sequence[Value], attributes: Mapping[str, Any]) -> Types:
        [x], axis = operands, attributes["axis"]
        return [(x.dtype, (*x.shape[:axis], len(attributes["table"]), *x.shape[axis + 1 :]))]

    @staticmethod
    def derive(b: Builder, i: Instruction, dy: Gradients) -> Gradients:
        axis = i.attributes["axis"]
        return [dy[0] and b.emit("scatter", dy[0], table=i.attributes["table"], axis=axis, size=i.operands[0].shape[axis])]


class Scatter(_Form):
    """The adjoint of gather: entries of one name are added."""

    @staticmethod
    def types(operands: Sequence[Value], attributes: Mapping[str, Any]) -> Types:
        [x], axis = operands, attributes["axis"]
        return [(x.dtype, (*x.shape[:axis], attributes["size"], *x.shape[axis + 1 :]))]

    @staticmethod
    def derive(b: Builder, i: Instruction, dy: Gradients) -> Gradients:
        return [dy[0] and b.emit("gather", dy[0], table=i.attributes["table"], axis=i.attributes["axis"])]


class Take(_Form):
    """Rows of x by number."""

    @staticmethod
    def types(operands: Sequence[Value], attributes: Mapping[str, Any]) -> Types:
        x, i = operands
        return [(x.dtype, (*i.shape, *x.shape[1:]))]


class Constant(_Form):
    """A number everywhere, or a table of them, row by row."""

    @staticmethod
    def types(operands: Sequence[Value], attributes: Mapping[str, Any]) -> Types:
        return [(attributes["dtype"], tuple(attributes["shape"]))]

    @staticmethod
    def derive(b: Builder, i: Instruction, dy: Gradients) -> Gradients:
        return []


class Random(_Form):
    """32 random bits for each of rows * columns, from a key, the number of the first row or of every row, and a tick."""

    @staticmethod
    def types(operands: Sequence[Value], attributes: Mapping[str, Any]) -> Types:
        row, tick = operands
        need(row.shape in ((), (attributes["rows"], 1)) and tick.shape == (), f"{row} numbers no {attributes['rows']} rows")
        return [("u32", (attributes["rows"], attributes["columns"]))]

    @staticmethod
    def flops(instruction: Instruction) -> int:
        return 20 * instruction.result.elements

    @staticmethod
    def derive(b: Builder, i: Instruction, dy: Gradients) -> Gradients:
        return [None] * len(i.operands)


class AllReduce(_Form):
    """The same on every rank: the sum, or the mean, over all of them."""

    @staticmethod
    def types(operands: Sequence[Value], attributes: Mapping[str, Any]) -> Types:
        [x] = operands
        return [(x.dtype, x.shape)]

    @staticmethod
    def derive(b: Builder, i: Instruction, dy: Gradients) -> Gradients:
        return [dy[0] and b.emit("all_reduce", dy[0], **i.attributes)]

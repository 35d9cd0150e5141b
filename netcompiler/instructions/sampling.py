"""Sampling by affine maps: each cell of the result reads x where its row's map sends it. The map itself has no derivative."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from netcompiler.instructions.op import Gradients, Op, Types, need
from netcompiler.plan import Instruction, Value

if TYPE_CHECKING:
    from netcompiler.builder import Builder

NEIGHBOURS = {"nearest": 1, "bilinear": 2}
"""Cells that are read on each side."""


class _Sampling(Op):
    @staticmethod
    def types(operands: Sequence[Value], attributes: Mapping[str, Any]) -> Types:
        x, affine = operands
        sides = len(x.shape) - 2
        need(affine.shape in ((1, sides, sides + 1), (x.shape[0], sides, sides + 1)), f"{affine} is no affine map of {sides} sides a row")
        dtype = affine.dtype if x.dtype == "u8" and attributes["filter"] != "nearest" else x.dtype
        return [(dtype, (x.shape[0], *attributes["size"], x.shape[-1]))]

    @staticmethod
    def flops(instruction: Instruction) -> int:
        x = instruction.operands[0]
        cells = max(x.elements, instruction.result.elements)
        return int(2 * cells * NEIGHBOURS[instruction.attributes["filter"]] ** (len(x.shape) - 2))


def _adjoint(b: Builder, op: str, i: Instruction, dy: Gradients) -> Gradients:
    x, affine = i.operands
    return [dy[0] and b.emit(op, dy[0], affine, **{**i.attributes, "size": x.shape[1:-1]}), None]


class Resample(_Sampling):
    """x at the places that the map gives; cells behind the border are 0, or as the border says. Between bytes lie real numbers."""

    @staticmethod
    def derive(b: Builder, i: Instruction, dy: Gradients) -> Gradients:
        return _adjoint(b, "resample_dx", i, dy)


class ResampleDx(_Sampling):
    """The adjoint of resample in x: every value is added where it was read."""

    @staticmethod
    def derive(b: Builder, i: Instruction, dy: Gradients) -> Gradients:
        return _adjoint(b, "resample", i, dy)

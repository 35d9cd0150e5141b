"""Maps and reductions on processors."""

from __future__ import annotations

from collections.abc import Sequence

from netcompiler.instructions.op import broadcast
from netcompiler.plan import Instruction, Value
from netcompiler.scalar import COSTLY, nodes
from netcompiler.targets.target import Offer, Reason

NUMBERS = ("f32", "i64", "i32", "u32", "u16", "u8", "b1")
REDUCTIONS = ("sum", "max", "moments")
EXACT = 1 << 24
"""Whole numbers below this are exact in f32."""


def not_mapped(instruction: Instruction) -> Reason:
    return next(filter(None, map(_not_mapped, instruction.body or (instruction,))), "")


def _not_mapped(instruction: Instruction) -> Reason:
    values = (*instruction.results, *instruction.operands)
    parts = {node.op for expr in instruction.attributes["exprs"] for node in nodes(expr)}
    if all(value.dtype != "f32" for value in values) and parts & COSTLY:
        return f"{min(parts & COSTLY)} of whole numbers"
    return _others(values, NUMBERS)


def _others(values: Sequence[Value], dtypes: Sequence[str]) -> Reason:
    other = next((value.dtype for value in values if value.dtype not in dtypes), "")
    return f"it computes in f32, and this is {other}" if other else ""


def not_reduced(instruction: Instruction) -> Reason:
    axes = instruction.attributes["axes"]
    if instruction.operands[1:] and tuple(axes) != tuple(range(len(axes))):
        return "axes that rows are counted over lie apart"
    return _others([instruction.operands[0], *instruction.results], ("f32",))


def not_along(instruction: Instruction) -> Reason:
    [x] = instruction.operands
    if x.shape[instruction.attributes["axis"]] >= EXACT:
        return f"positions from {EXACT:,} on are not exact in f32"
    return _others([x], ("f32",))


def not_swept(instruction: Instruction) -> Reason:
    """A region is one sweep where its reductions have the same axes of one shape, and its maps that shape or a smaller one that is
    broadcast to it."""
    maps = [inner for inner in instruction.body if inner.op == "map"]
    reductions = [inner for inner in instruction.body if inner.op in REDUCTIONS]
    if len(maps) + len(reductions) < len(instruction.body):
        return f"{next(inner.op for inner in instruction.body if inner.op not in ('map', *REDUCTIONS))} inside"
    if {value for inner in reductions for value in inner.results} != set(instruction.results):
        return "more comes out of it than reductions"
    shape = reductions[0].operands[0].shape
    ways = {(inner.operands[0].shape, tuple(inner.attributes["axes"]), inner.operands[1:]) for inner in reductions}
    if len(ways) > 1 or not all(_spreads(inner, shape) for inner in maps):
        return "its parts have different shapes"
    return next(filter(None, (*map(_not_mapped, maps), *map(not_reduced, reductions))), "")


def _spreads(inner: Instruction, shape: tuple[int, ...]) -> bool:
    """Whether a map may be computed at every position of a shape; positions along its own axes would be others there."""
    own = tuple(inner.attributes["shape"])
    positions = any(node.op == "index" for expr in inner.attributes["exprs"] for node in nodes(expr))
    return own == shape or (not positions and broadcast([own, shape]) == shape)


MAP = Offer("map", refuses=not_mapped)

SWEEPS = {
    "map": (MAP,),
    "flat": (MAP,),
    **{op: (Offer(op, refuses=not_reduced),) for op in REDUCTIONS},
    **{op: (Offer(op, refuses=not_along),) for op in ("logsumexp", "argmax")},
    "fused": (Offer("region", refuses=not_swept),),
}

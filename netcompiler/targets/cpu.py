"""Compiled kernels for processors; what has none of its own is run by the oracle's."""

from __future__ import annotations

from netcompiler.instructions import OPS
from netcompiler.plan import Instruction
from netcompiler.scalar import COSTLY, nodes
from netcompiler.targets.target import Offer, Reason, Target

PAYS = 32
"""Channels from which on Winograd's transforms cost less than they save."""


def not_for_winograd(instruction: Instruction) -> Reason:
    window = instruction.attributes["window"]
    if len(window) != 2 or any(axis[:2] != (3, 1) or axis.dilation != 1 for axis in window):
        return "the window is not 3x3 with stride 1"
    if any(not 0 <= pad <= 2 for axis in window for pad in (axis.low, axis.high)):
        return "the padding is not 0, 1 or 2"
    if instruction.attributes["groups"] != 1:
        return "channels are in groups"
    if instruction.result.dtype != "f32":
        return "the numbers are not f32"
    channels = min(instruction.operands[0].shape[-1], instruction.operands[1].shape[-1], instruction.result.shape[-1])
    return "" if channels >= PAYS else f"fewer than {PAYS} channels"


ORACLE = Offer("oracle", speed=0.02, stream=0.02)
WINOGRAD = {op: Offer(op, "winograd4", not_for_winograd, speed=3.0, exact=False) for op in ("conv", "conv_dx")}


def not_single(instruction: Instruction) -> Reason:
    dtype = instruction.operands[0].dtype
    return "" if dtype == "f32" else f"it computes in f32, and this is {dtype}"


def not_sliding(instruction: Instruction) -> Reason:
    """Axes with a window, and between them axes without: the channels and, in front, all that has no window are free."""
    rank, axes = len(instruction.result.shape), set(instruction.attributes["axes"])
    between = [axis in axes or axis - 1 in axes for axis in range(min(axes), rank - (rank - 1 not in axes))]
    return not_single(instruction) or ("" if sum(between) <= 3 else f"it slides over 3 axes, and these windows over {sum(between)} axes")


WINDOWS = {
    **{op: (Offer(op, refuses=not_single, speed=0.5), ORACLE) for op in ("window_max", "window_route", "patches", "unpatch")},
    **{op: (Offer(op, refuses=not_sliding, speed=0.5), ORACLE) for op in ("window_sum", "window_spread")},
}

NUMBERS = ("f32", "i64", "i32", "u32", "u16", "u8", "b1")


def not_mapped(instruction: Instruction) -> Reason:
    values = (*instruction.results, *instruction.operands)
    other = next((value.dtype for value in values if value.dtype not in NUMBERS), "")
    if other:
        return f"it computes in f32, and this is {other}"
    parts = {node.op for part in instruction.body or (instruction,) for expr in part.attributes["exprs"] for node in nodes(expr)}
    if all(value.dtype != "f32" for value in values) and parts & COSTLY:
        return f"{min(parts & COSTLY)} of whole numbers"
    return ""


MAP = Offer("map", refuses=not_mapped)

CPU = Target(
    name="cpu",
    offers={
        **dict.fromkeys(OPS, (ORACLE,)),
        "conv": (ORACLE, WINOGRAD["conv"]),
        "conv_dx": (ORACLE, WINOGRAD["conv_dx"]),
        **WINDOWS,
        "map": (MAP, ORACLE),
        "fused": (ORACLE,),
        "flat": (MAP, ORACLE),
    },
    flops=200e9,
    bytes=40e9,
)

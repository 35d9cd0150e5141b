"""Convolutions by cuDNN: what it takes, and the bytes that it may use meanwhile.

All of its plans that are admitted sum in f32 and in the same order each time; without `math` they multiply numbers of f32 as they are.
"""

from __future__ import annotations

from collections import Counter

from netcompiler.instructions.op import flops, traffic
from netcompiler.plan import Instruction, Value
from netcompiler.scalar import parts
from netcompiler.targets.target import Offer, Reason, Work

NUMBERS = ("f32", "f16", "bf16")
MOST_SIDES = 3

MOST_ROOM, LEAST_ROOM = 2**28, 2**20


def room(instruction: Instruction) -> int:
    """Bytes of workspace: all that is read and written once more, in another order. Every convolution of the zoo has a plan that needs
    none, and four of five have their first choice within this."""
    return min(MOST_ROOM, LEAST_ROOM + traffic(instruction.core))


def not_convolved(instruction: Instruction) -> Reason:
    window = instruction.attributes["window"]
    if len(window) > MOST_SIDES:
        return f"{len(window)} sides, and {MOST_SIDES} are the most"
    return not_one_type(instruction) or (_left_out(instruction) if instruction.op == "conv_dx" else "")


def not_one_type(instruction: Instruction) -> Reason:
    dtypes = sorted({value.dtype for value in (*instruction.results, *instruction.operands)})
    return "" if len(dtypes) == 1 and dtypes[0] in NUMBERS else f"numbers of {' and '.join(dtypes)}"


def _left_out(instruction: Instruction) -> Reason:
    """A gradient is made where windows look, and in between."""
    y = instruction.operands[0]
    for axis, n, p in zip(instruction.attributes["window"], instruction.attributes["size"], y.shape[1:-1], strict=True):
        if axis.low < 0 or n + axis.low - (p - 1) * axis.stride - axis.extent >= axis.stride:
            return "windows leave out cells at a side"
    return ""


def not_ended(instruction: Instruction) -> Reason:
    """What cuDNN's fast kernels compute behind a convolution: a bias, beside it a residual, then relu. With tanh there is but a slow one,
    and for other maps what it would compile on a GPU."""
    core = instruction.core
    if core is instruction:
        return ""
    outer = instruction.body[-1]
    if len(outer.results) != 1 or outer.result.dtype != core.result.dtype:
        return "what comes out is of another type, or more than one value"
    _, sums = parts(outer.attributes["exprs"][0])
    if any(term.op != "operand" for term in sums):
        return "it is no function of a sum"
    found = Counter(_kind(outer.operands[term.leaf], core.result) for term in sums)
    if found["itself"] != 1 or found["bias"] != 1 or found["residual"] > 1 or found["other"]:
        return "it is not the sum of the product, a bias and a residual"
    return ""


def _kind(value: Value, result: Value) -> str:
    if value == result:
        return "itself"
    if value.dtype != result.dtype:
        return "other"
    if value.shape == result.shape:
        return "residual"
    return "bias" if value.elements == result.shape[-1] else "other"


def not_apart(instruction: Instruction) -> Reason:
    return "nothing stands behind it" if instruction.core is instruction else not_ended(instruction)


def _in_two(instruction: Instruction) -> Work:
    """Results are written, read and written again."""
    return Work(flops(instruction), traffic(instruction) + 2 * instruction.core.result.bytes)


SPEED = 0.6
"""The share of its peak that a GPU reaches in products."""

CONVOLUTIONS = {
    "conv": (
        Offer("conv", "cudnn", not_convolved, room, finishes=True, behind=not_ended, speed=SPEED),
        Offer("conv", "apart", not_convolved, room, finishes=True, behind=not_apart, work=_in_two, speed=SPEED),
    ),
    "conv_dx": (Offer("conv_dx", "cudnn", not_convolved, room, speed=SPEED),),
    "conv_dw": (Offer("conv_dw", "cudnn", not_convolved, room, speed=SPEED),),
}

"""Convolutions by cuDNN: what it takes, and the bytes that it may use meanwhile.

All of its plans that are admitted sum in f32 and in the same order each time; without `math` they multiply numbers of f32 as they are.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod

from netcompiler.instructions.op import traffic
from netcompiler.plan import ALIGNED, Instruction
from netcompiler.targets.cuda.ends import in_two, not_added, not_one_type, terms_of
from netcompiler.targets.target import Offer, Reason, Work, plain

MOST_SIDES = 3

MOST_ROOM, LEAST_ROOM = 2**28, 2**20


def room(instruction: Instruction) -> int:
    """Bytes of workspace: all that is read and written once more, in another order. Every convolution of the zoo has a plan that needs
    none, and four of five have their first choice within this."""
    return min(MOST_ROOM, LEAST_ROOM + traffic(instruction.core))


def room_for_copies(instruction: Instruction) -> int:
    """The same beside all that the convolution reads and makes."""
    core = instruction.core
    return room(core) + sum(-(-value.bytes // ALIGNED) * ALIGNED for value in (*core.operands, core.result))


def not_convolved(instruction: Instruction) -> Reason:
    window = instruction.attributes["window"]
    if len(window) > MOST_SIDES:
        return f"{len(window)} sides, and {MOST_SIDES} are the most"
    return not_one_type(instruction) or (_left_out(instruction) if instruction.op == "conv_dx" else "")


def _left_out(instruction: Instruction) -> Reason:
    """A gradient is made where windows look, and in between."""
    y = instruction.operands[0]
    for axis, n, p in zip(instruction.attributes["window"], instruction.attributes["size"], y.shape[1:-1], strict=True):
        if axis.low < 0 or n + axis.low - (p - 1) * axis.stride - axis.extent >= axis.stride:
            return "windows leave out cells at a side"
    return ""


def not_ended(instruction: Instruction) -> Reason:
    """With tanh there is but a slow kernel of cuDNN's, and for other maps what it would compile on a GPU."""
    return not_added(instruction) or ("" if instruction.core is instruction or "bias" in terms_of(instruction) else "there is no bias")


def not_apart(instruction: Instruction) -> Reason:
    return "nothing stands behind it" if instruction.core is instruction else not_ended(instruction)


SPEED = 0.6
"""The share of its peak that a GPU reaches in products."""

FILLED = 32
"""Channels that a tile of tensor cores has on each of its sides: a group of fewer leaves the rest of it idle."""


def by_tiles(instruction: Instruction) -> Work:
    return _filled(instruction, plain(instruction))


def by_tiles_in_two(instruction: Instruction) -> Work:
    return _filled(instruction, in_two(instruction))


def by_tiles_of_copies(instruction: Instruction) -> Work:
    """As if all of it lay apart from what it is a part of, which is not known here."""
    work = by_tiles_in_two(instruction)
    return work._replace(bytes=work.bytes + 2 * traffic(instruction.core))


def _dense(op: str) -> Offer:
    """Where cuDNN has no plan for arrays with gaps between their pixels, which are a part of a concatenation."""
    dense = Offer(op, "dense", not_convolved, room_for_copies, work=by_tiles_of_copies, library=True, speed=SPEED, resort=True)
    return replace(dense, finishes=True, behind=not_ended) if op == "conv" else dense


def _filled(instruction: Instruction, work: Work) -> Work:
    core = instruction.core
    groups, w = core.attributes["groups"], core.result if core.op == "conv_dw" else core.operands[1]
    idle = prod(max(1, FILLED // channels) for channels in (w.shape[0] // groups, w.shape[-1])) if groups > 1 else 1
    return work._replace(flops=work.flops * idle)


CONVOLUTIONS = {
    "conv": (
        Offer("conv", "cudnn", not_convolved, room, finishes=True, behind=not_ended, work=by_tiles, library=True, speed=SPEED),
        Offer("conv", "apart", not_convolved, room, finishes=True, behind=not_apart, work=by_tiles_in_two, library=True, speed=SPEED),
        _dense("conv"),
    ),
    "conv_dx": (Offer("conv_dx", "cudnn", not_convolved, room, work=by_tiles, library=True, speed=SPEED), _dense("conv_dx")),
    "conv_dw": (Offer("conv_dw", "cudnn", not_convolved, room, work=by_tiles, library=True, speed=SPEED), _dense("conv_dw")),
}

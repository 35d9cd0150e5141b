"""Convolutions and products on a processor: which algorithm can run what."""

from __future__ import annotations

from netcompiler.plan import Instruction
from netcompiler.targets.costs import VECTOR, by_bands, by_outer_bands, by_outer_rows, by_outer_tiles, by_rows, by_tiles, sizes
from netcompiler.targets.packing import CONV, CONV_DX, WINOGRAD2, WINOGRAD2_DX, WINOGRAD4, WINOGRAD4_DX
from netcompiler.targets.target import Offer, Reason, not_single

PAYS = 8
"""Channels from which on Winograd's transforms may cost less than they save: fewer leave most of a vector idle."""


def not_three(instruction: Instruction) -> Reason:
    return _not_for_winograd(instruction, 3)


def not_five(instruction: Instruction) -> Reason:
    return _not_for_winograd(instruction, 5)


def _not_for_winograd(instruction: Instruction, taps: int) -> Reason:
    window = instruction.attributes["window"]
    if len(window) != 2 or any(axis[:2] != (taps, 1) or axis.dilation != 1 for axis in window):
        return f"the window is not {taps}x{taps} with stride 1"
    if any(not 0 <= pad < taps for axis in window for pad in (axis.low, axis.high)):
        return f"the padding is not 0 to {taps - 1}"
    if instruction.attributes["groups"] != 1:
        return "channels are in groups"
    channels = min(instruction.operands[0].shape[-1], instruction.operands[1].shape[-1], instruction.result.shape[-1])
    return not_single(instruction) or ("" if channels >= PAYS else f"fewer than {PAYS} channels")


def not_by_channel(instruction: Instruction) -> Reason:
    x = instruction.result if instruction.op == "conv_dx" else instruction.operands[0]
    channels, groups = x.shape[-1], instruction.attributes["groups"]
    return not_single(instruction) or ("" if channels == groups > 1 else f"{groups} groups of {channels} channels")


def not_shared(instruction: Instruction) -> Reason:
    return not_single(instruction) or ("" if not_by_channel(instruction) else "each channel is by itself")


def not_read_along(instruction: Instruction) -> Reason:
    both = instruction.attributes["ta"] and instruction.attributes["tb"]
    return not_single(instruction) or ("both operands are transposed" if both else "")


FEW = 24
"""Channels up to which finding rows tap by tap costs more than copying the lines that they lie in."""


def not_in_bands(instruction: Instruction) -> Reason:
    last, x = instruction.attributes["window"][-1], instruction.operands[0]
    if instruction.attributes["groups"] != 1 or last.dilation != 1:
        return "channels are in groups, or taps lie apart"
    if instruction.op == "conv_dx" and any(axis.stride != 1 for axis in instruction.attributes["window"]):
        return "the stride is not 1"
    if last.kernel == 1:
        return "taps do not lie side by side"
    return not_single(instruction) or ("" if x.shape[-1] <= FEW else f"more than {FEW} channels")


NEAR = 0.95
"""The share of its peak that a register block reaches when all that it reads is near."""
TAPS = 64
"""The most that are written out for each pixel."""


def not_planar(instruction: Instruction) -> Reason:
    if reason := not_by_channel(instruction):
        return reason
    window, x, y = instruction.attributes["window"], *sizes(instruction)[:2]
    if len(window) != 2 or window[0].kernel * window[1].kernel > TAPS:
        return f"it is no picture, or the window has more than {TAPS} taps"
    if instruction.op == "conv_dx" and any(axis.stride != 1 for axis in window):
        return "the stride is not 1"
    return "" if x.shape[-1] == y.shape[-1] else "channels give several each"


def source(instruction: Instruction) -> tuple[int, ...]:
    """A map of x is computed where rows are laid between zeros."""
    return (0,) if instruction.op != "conv_dx" else ()


PLANES = {
    op: Offer(op, "planes", not_planar, finishes=op != "conv_dw", gathers=source, speed=NEAR) for op in ("conv", "conv_dx", "conv_dw")
}
DEPTHWISE = {op: Offer(op, "depthwise", not_by_channel, finishes=op != "conv_dw", speed=0.9) for op in ("conv", "conv_dx", "conv_dw")}

REPAYS = 32
"""Channels from which on a product takes so long for each number that a map of it on the way is hidden."""
AGAIN = 512
"""Channels up to which a gradient lays the cells beside them once or twice: more often the map is better made before."""


def gathered(instruction: Instruction) -> tuple[int, ...]:
    """A map is computed where rows are laid side by side, with no padding among them, which would be a map of 0."""
    op, window, s = instruction.op, instruction.attributes["window"], sizes(instruction)
    if s.groups > 1 or any(axis.kernel > 1 or axis.low or axis.high > 0 for axis in window):
        return ()
    if op == "conv_dx" and any(axis.stride > 1 or axis.high for axis in window):
        return ()
    pairs = {"conv": ((s.x, s.y),), "conv_dx": ((s.y, s.x),), "conv_dw": ((s.x, s.y), (s.y, s.x))}[op]
    return tuple(i for i, (laid, other) in enumerate(pairs) if _pays(op, laid.shape[-1], other.shape[-1]))


def _pays(op: str, laid: int, others: int) -> bool:
    return laid % VECTOR == 0 and others >= REPAYS and (op != "conv_dw" or others <= AGAIN)


CONVOLUTIONS = {
    "conv": (
        PLANES["conv"],
        DEPTHWISE["conv"],
        Offer("conv", "product", not_shared, gathers=gathered, packs=CONV, finishes=True, work=by_rows, speed=NEAR),
        Offer("conv", "bands", not_in_bands, packs=CONV, finishes=True, work=by_bands, speed=NEAR),
        Offer("conv", "winograd4", not_three, packs=WINOGRAD4, finishes=True, work=by_tiles, speed=NEAR, exact=False),
        Offer("conv", "winograd2", not_five, packs=WINOGRAD2, finishes=True, work=by_tiles, speed=NEAR, exact=False),
    ),
    "conv_dx": (
        PLANES["conv_dx"],
        DEPTHWISE["conv_dx"],
        Offer("conv_dx", "product", not_shared, gathers=gathered, packs=CONV_DX, finishes=True, work=by_rows, speed=NEAR),
        Offer("conv_dx", "bands", not_in_bands, packs=CONV_DX, finishes=True, work=by_bands, speed=NEAR),
        Offer("conv_dx", "winograd4", not_three, packs=WINOGRAD4_DX, finishes=True, work=by_tiles, speed=NEAR, exact=False),
        Offer("conv_dx", "winograd2", not_five, packs=WINOGRAD2_DX, finishes=True, work=by_tiles, speed=NEAR, exact=False),
    ),
    "conv_dw": (
        PLANES["conv_dw"],
        DEPTHWISE["conv_dw"],
        Offer("conv_dw", "product", not_shared, gathers=gathered, work=by_outer_rows, speed=NEAR),
        Offer("conv_dw", "bands", not_in_bands, work=by_outer_bands, speed=0.75),
        Offer("conv_dw", "winograd4", not_three, work=by_outer_tiles, speed=NEAR, exact=False),
        Offer("conv_dw", "winograd2", not_five, work=by_outer_tiles, speed=NEAR, exact=False),
    ),
    "matmul": (Offer("matmul", refuses=not_read_along, speed=0.7),),
}

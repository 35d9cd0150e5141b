"""Products on GPUs without a library: each channel by itself, which only memory limits, and what runs where nothing else does."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

from netcompiler.instructions.op import taps
from netcompiler.plan import SIZES, Instruction
from netcompiler.targets.cuda.windows import REAL
from netcompiler.targets.target import Offer, Reason

BLOCKS = 528
"""That keep the processors of a large GPU busy, four on each."""
TILE = 64
"""Rows and columns of a product that a block makes."""
DEPTH, PIXELS = 512, 256
"""Of what is summed over, the least that is worth a slice: in tiles, and channel by channel."""
MOST_SLICES = 64
MOST_TAPS = 80
"""Each has a register of its own while gradients are summed."""
F32 = SIZES["f32"]
NEIGHBOURS = 128
"""Channels that a block has side by side."""


def not_real(instruction: Instruction) -> Reason:
    odd = next((value for value in (*instruction.operands, instruction.result) if value.dtype not in REAL), None)
    return f"it computes in f32, and {odd.name} is {odd.dtype}" if odd else ""


def not_by_channel(instruction: Instruction) -> Reason:
    groups, w = instruction.attributes["groups"], instruction.result if instruction.op == "conv_dw" else instruction.operands[1]
    if not groups == w.shape[0] > 1 or w.shape[-1] != 1:
        return "channels are not each by itself"
    count = taps(instruction.attributes["window"])
    return not_real(instruction) or ("" if count <= MOST_TAPS else f"{count} taps, and {MOST_TAPS} have registers")


def tiled_weights(instruction: Instruction) -> int:
    return instruction.operands[1].bytes


def slices_of_pixels(instruction: Instruction) -> int:
    """Enough to keep a GPU busy, where channels alone do not."""
    y = instruction.operands[1]
    pixels, blocks = prod(y.shape[:-1]), -(-y.shape[-1] // NEIGHBOURS)
    return _shares(instruction, min(-(-BLOCKS // blocks), pixels // PIXELS))


def slices_of_products(instruction: Instruction) -> int:
    w, groups = instruction.result, instruction.attributes["groups"]
    rows, columns = w.shape[0] // groups, prod(w.shape[1:])
    blocks = groups * -(-rows // TILE) * -(-columns // TILE)
    return _shares(instruction, min(-(-BLOCKS // blocks), prod(instruction.operands[1].shape[:-1]) // DEPTH, MOST_SLICES))


def _shares(instruction: Instruction, slices: int) -> int:
    return slices * instruction.result.elements * F32 if slices > 1 else 0


def _plain(op: str, workspace: Callable[[Instruction], int] | None = None) -> Offer:
    more = {"workspace": workspace} if workspace else {"finishes": True}
    return Offer(op, "plain", refuses=not_real, speed=0.1, resort=True, **more)


DEPTHWISE = {
    "conv": Offer("conv", "depthwise", refuses=not_by_channel, workspace=tiled_weights, finishes=True, stream=0.7),
    "conv_dx": Offer("conv_dx", "depthwise", refuses=not_by_channel, workspace=tiled_weights, finishes=True, stream=0.6),
    "conv_dw": Offer("conv_dw", "depthwise", refuses=not_by_channel, workspace=slices_of_pixels, stream=0.5),
}

PRODUCTS = {
    "conv": (DEPTHWISE["conv"], _plain("conv")),
    "conv_dx": (DEPTHWISE["conv_dx"], _plain("conv_dx")),
    "conv_dw": (DEPTHWISE["conv_dw"], _plain("conv_dw", slices_of_products)),
    "matmul": (_plain("matmul"),),
}

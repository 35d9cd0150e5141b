"""Values in another form, on a processor."""

from __future__ import annotations

from netcompiler.plan import Instruction
from netcompiler.targets.sweeps import NUMBERS
from netcompiler.targets.target import Offer, Reason
from netcompiler.targets.windows import not_sliding_over


def not_moved(instruction: Instruction) -> Reason:
    dtype = instruction.result.dtype
    return "" if dtype in NUMBERS else f"it moves no {dtype}"


def not_added(instruction: Instruction) -> Reason:
    dtype = instruction.result.dtype
    return "" if dtype == "f32" else f"it adds f32, and this is {dtype}"


def not_padded(instruction: Instruction) -> Reason:
    ends = zip(*(instruction.attributes[key] for key in ("low", "high", "interior")), strict=True)
    axes = {axis for axis, around in enumerate(ends) if any(around)}
    return not_added(instruction) or not_sliding_over(axes, len(instruction.result.shape))


def not_sampled(instruction: Instruction) -> Reason:
    """Bytes have nothing between them."""
    return "" if instruction.result.dtype == "u8" else not_added(instruction)


FORMS = {
    "random": (Offer("random"),),
    "resample": (Offer("resample", refuses=not_sampled, speed=0.1),),
    "resample_dx": (Offer("resample_dx", refuses=not_added, speed=0.1),),
    **{op: (Offer(op, refuses=not_moved),) for op in ("reshape", "transpose", "slice", "concat", "take", "constant")},
    **{op: (Offer(op, refuses=not_added),) for op in ("gather", "scatter")},
    "pad": (Offer("pad", refuses=not_padded),),
}

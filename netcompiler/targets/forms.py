"""Values in another form, on a processor."""

from __future__ import annotations

from netcompiler.plan import HALVES, Instruction
from netcompiler.targets.sweeps import NUMBERS
from netcompiler.targets.target import Offer, Reason, not_single
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
    """Bytes are as they are, and between them lie numbers."""
    return "" if instruction.result.dtype == "u8" else not_added(instruction)


def not_ended(instruction: Instruction) -> Reason:
    """The map behind sampled pictures."""
    return not_single(instruction) or not_computed_in_real(instruction)


def not_computed_in_real(instruction: Instruction) -> Reason:
    """Of a fused instruction; any other has nothing behind it."""
    whole = instruction.core is not instruction and all(value.dtype not in ("f32", *HALVES) for value in instruction.results)
    return f"it computes in f32, and this is {instruction.result.dtype}" if whole else ""


FORMS = {
    "random": (Offer("random"),),
    "resample": (Offer("resample", refuses=not_sampled, finishes=True, places=True, behind=not_ended, speed=0.1),),
    "resample_dx": (Offer("resample_dx", refuses=not_added, speed=0.1),),
    **{op: (Offer(op, refuses=not_moved),) for op in ("reshape", "transpose", "slice", "concat", "take", "constant")},
    **{op: (Offer(op, refuses=not_added),) for op in ("gather", "scatter")},
    "pad": (Offer("pad", refuses=not_padded),),
}

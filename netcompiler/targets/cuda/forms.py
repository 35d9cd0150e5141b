"""Values in another form, on GPUs."""

from __future__ import annotations

from netcompiler.plan import Instruction
from netcompiler.targets.cuda.windows import not_added
from netcompiler.targets.forms import not_computed_in_real
from netcompiler.targets.target import Offer, Reason

SAMPLED = 0.3
"""Places in double precision cost more than the memory that they lead to."""


def not_sampled(instruction: Instruction) -> Reason:
    """Bytes are as they are, and between them lie numbers."""
    return "" if instruction.result.dtype == "u8" else not_added(instruction)


def not_sampled_back(instruction: Instruction) -> Reason:
    dtype = instruction.result.dtype
    return "" if dtype == "f32" else f"it adds to f32 in memory, and this is {dtype}"


def not_alone(instruction: Instruction) -> Reason:
    ranks = instruction.attributes["ranks"]
    return "" if ranks == 1 else f"it is for 1 rank, and this plan for {ranks}"


FORMS = {
    **{op: (Offer(op, stream=0.8),) for op in ("reshape", "transpose", "slice", "concat", "pad", "gather", "take", "constant")},
    "scatter": (Offer("scatter", refuses=not_added, stream=0.8),),
    "resample": (Offer("resample", refuses=not_sampled, finishes=True, places=True, behind=not_computed_in_real, stream=SAMPLED),),
    "resample_dx": (Offer("resample_dx", refuses=not_sampled_back, stream=0.01),),
    "all_reduce": (Offer("all_reduce", refuses=not_alone),),
}

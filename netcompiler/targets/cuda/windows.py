"""Windows on GPUs."""

from __future__ import annotations

from netcompiler.plan import Instruction
from netcompiler.targets.target import Offer, Reason

REAL = ("f32", "bf16", "f16")
"""Added in f32, whatever they are in memory."""


def not_added(instruction: Instruction) -> Reason:
    dtype = instruction.result.dtype
    return "" if dtype in REAL else f"it adds in f32, and this is {dtype}"


WINDOWS = {
    op: (Offer(op, refuses=not_added, stream=0.7),)
    for op in ("window_max", "window_route", "window_sum", "window_spread", "patches", "unpatch")
}

"""Maps, reductions and random bits on GPUs."""

from __future__ import annotations

from netcompiler.plan import Instruction
from netcompiler.targets.target import Offer, Reason

NUMBERS = {"sum": 1, "max": 1, "moments": 3, "logsumexp": 2, "argmax": 2}
"""What a reduction gathers for a result: sums, or of moments the mean, the squares and how many there were."""
NUMBER = 4
"""Bytes. Whole numbers are gathered in 8, and in half as many parts."""
REGION = ("sum", "max", "moments")
BLOCKS = 512
"""Among so many a large reduction is shared."""
ELEMENTS = 8192
"""A block is worth it for so many of them."""
WIDE = 32
"""Channels side by side in a block."""


def workspace(instruction: Instruction) -> int:
    """Room for what each part of a reduction has gathered, where few results are made of many numbers."""
    reductions = [inner for inner in instruction.body or (instruction,) if inner.op in NUMBERS]
    parts = _parts(reductions[0])
    each = NUMBER * sum(NUMBERS[inner.op] for inner in reductions)
    return parts * reductions[0].result.elements * each if parts > 1 else 0


def _parts(reduction: Instruction) -> int:
    x, made = reduction.operands[0], reduction.result
    last = max((axis for axis, n in enumerate(x.shape) if n > 1), default=0)
    by_line = made.shape[last] < x.shape[last]
    blocks = made.elements if by_line else -(-made.elements // WIDE)
    return min(BLOCKS, x.elements // ELEMENTS) // blocks


def not_swept(instruction: Instruction) -> Reason:
    """A region is one sweep where its reductions have the same axes of one shape."""
    reductions = [inner for inner in instruction.body if inner.op != "map"]
    other = next((inner.op for inner in reductions if inner.op not in REGION), "")
    if other:
        return f"{other} inside"
    if {value for inner in reductions for value in inner.results} != set(instruction.results):
        return "more comes out of it than reductions"
    ways = {(inner.operands[0].shape, tuple(inner.attributes["axes"])) for inner in reductions}
    return "its reductions have different shapes" if len(ways) > 1 else ""


MAP = Offer("map")

SWEEPS = {
    "map": (MAP,),
    "flat": (MAP,),
    "random": (Offer("random"),),
    **{op: (Offer(op, workspace=workspace),) for op in NUMBERS},
    "fused": (Offer("region", refuses=not_swept, workspace=workspace),),
}

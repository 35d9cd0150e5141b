"""Matrix products by cuBLASLt: what it takes, and the bytes that it may use meanwhile."""

from __future__ import annotations

from netcompiler.instructions.op import traffic
from netcompiler.plan import Instruction
from netcompiler.targets.cuda.convolutions import LEAST_ROOM, SPEED
from netcompiler.targets.cuda.ends import in_two, not_added, not_one_type
from netcompiler.targets.target import Offer, Reason

MOST_ROOM = 2**25
"""What NVIDIA recommends for Hopper."""


def room(instruction: Instruction) -> int:
    """Bytes of workspace, for parts of sums."""
    return min(MOST_ROOM, LEAST_ROOM + traffic(instruction.core))


def not_multiplied(instruction: Instruction) -> Reason:
    empty = any(0 in value.shape for value in (*instruction.results, *instruction.operands))
    return not_one_type(instruction) or ("there is nothing to sum" if empty else "")


def not_apart(instruction: Instruction) -> Reason:
    return "nothing stands behind it" if instruction.core is instruction else not_added(instruction)


MATMUL = {
    "matmul": (
        Offer("matmul", "cublas", not_multiplied, room, finishes=True, behind=not_added, library=True, speed=SPEED),
        Offer("matmul", "apart", not_multiplied, room, finishes=True, behind=not_apart, work=in_two, library=True, speed=SPEED),
    )
}

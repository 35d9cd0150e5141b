"""Maps on processors."""

from __future__ import annotations

from netcompiler.plan import Instruction
from netcompiler.scalar import COSTLY, nodes
from netcompiler.targets.target import Offer, Reason

NUMBERS = ("f32", "i64", "i32", "u32", "u16", "u8", "b1")


def not_mapped(instruction: Instruction) -> Reason:
    values = (*instruction.results, *instruction.operands)
    other = next((value.dtype for value in values if value.dtype not in NUMBERS), "")
    if other:
        return f"it computes in f32, and this is {other}"
    parts = {node.op for part in instruction.body or (instruction,) for expr in part.attributes["exprs"] for node in nodes(expr)}
    if all(value.dtype != "f32" for value in values) and parts & COSTLY:
        return f"{min(parts & COSTLY)} of whole numbers"
    return ""


MAP = Offer("map", refuses=not_mapped)

SWEEPS = {"map": (MAP,), "flat": (MAP,)}

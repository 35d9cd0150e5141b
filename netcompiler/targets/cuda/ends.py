"""What libraries compute behind a product where its results are made: a sum with a bias and with what lies beside it, then relu."""

from __future__ import annotations

from netcompiler.instructions.op import flops, traffic
from netcompiler.plan import Instruction, Value
from netcompiler.scalar import parts
from netcompiler.targets.target import Reason, Work

NUMBERS = ("f32", "f16", "bf16")


def not_one_type(instruction: Instruction) -> Reason:
    dtypes = sorted({value.dtype for value in (*instruction.results, *instruction.operands)})
    return "" if len(dtypes) == 1 and dtypes[0] in NUMBERS else f"numbers of {' and '.join(dtypes)}"


def not_added(instruction: Instruction) -> Reason:
    """Of a fused instruction; any other has nothing behind it."""
    core = instruction.core
    if core is instruction:
        return ""
    outer = instruction.body[-1]
    if len(outer.results) != 1 or outer.result.dtype != core.result.dtype:
        return "what comes out is of another type, or more than one value"
    found = terms_of(instruction)
    if sorted(found) not in (["itself"], ["bias", "itself"], ["beside", "itself"], ["beside", "bias", "itself"]):
        return "it is not the sum of the product, a bias and one value beside it"
    return ""


def terms_of(instruction: Instruction) -> list[str]:
    """What is summed behind a core: itself, a bias, what lies beside it, or something other."""
    outer = instruction.body[-1]
    _, sums = parts(outer.attributes["exprs"][0])
    result = instruction.core.result
    return [_kind(outer.operands[term.leaf], result) if term.op == "operand" else "other" for term in sums]


def _kind(value: Value, result: Value) -> str:
    if value == result:
        return "itself"
    if value.dtype != result.dtype:
        return "other"
    if value.shape == result.shape:
        return "beside"
    return "bias" if value.elements == result.shape[-1] else "other"


def in_two(instruction: Instruction) -> Work:
    """Results are written, read and written again."""
    return Work(flops(instruction), traffic(instruction) + 2 * instruction.core.result.bytes)

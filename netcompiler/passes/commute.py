"""What rises with its operand goes behind a max pool: the largest of tanh(x) is tanh of the largest x.

It is computed for fewer numbers, and the backward half no longer keeps the larger ones to know what it let through. Inference
keeps nothing, and computes such maps where a product's results are made: there they stay.
"""

from __future__ import annotations

from dataclasses import replace

from netcompiler.instructions.pointwise import unrounded
from netcompiler.passes.lower import TRAINING
from netcompiler.passes.simplify import highest, without_dead
from netcompiler.plan import Instruction, Plan, Program, Value
from netcompiler.scalar import ZERO, Expr, substitute


def commute(plan: Plan) -> Plan:
    return plan.with_programs(_commuted(program) for program in plan.programs.values() if program.name in TRAINING)


def _commuted(program: Program) -> Program:
    readers = program.readers
    made = {i.result: i for i in program if i.op == "map" and len(i.results) == 1 and readers[i.result] == 1 and _goes_behind(i)}
    lines: list[Instruction] = []
    count = highest(program)
    for instruction in program:
        inner = made.get(instruction.operands[0]) if instruction.op == "window_max" else None
        if inner is None:
            lines.append(instruction)
            continue
        y, at = instruction.results
        count += 1
        largest = Value(f"%{count}", inner.operands[0].dtype, y.shape)
        lines.append(replace(instruction, results=(largest, at), operands=inner.operands))
        lines.append(replace(inner, results=(y,), operands=(largest,), attributes={**inner.attributes, "shape": y.shape}))
    return program if len(lines) == len(program.instructions) else without_dead(replace(program, instructions=tuple(lines)))


def _goes_behind(instruction: Instruction) -> bool:
    """A map of one value alone that nowhere falls, and leaves 0 as it is, which a window gives that meets nothing but padding."""
    expr = unrounded(instruction.attributes["exprs"][0])
    alone = [value.shape for value in instruction.operands] == [instruction.result.shape]
    return alone and _rises(expr) and substitute(expr, {0: ZERO}) is ZERO


def _rises(expr: Expr) -> bool:
    if expr.op in ("max", "min"):
        first, second = expr.args
        return _rises(first) and second.op == "literal"
    if expr.op == "mul":
        factor, rest = expr.args
        return factor.op == "literal" and factor.leaf > 0 and _rises(rest)
    return expr.op == "operand" or (expr.op == "tanh" and _rises(expr.args[0]))

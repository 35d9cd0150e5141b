"""What the backward half reads of the forward half is kept, or computed again where that is cheaper in memory.

Maps and random numbers can be cloned; everything else is kept. A clone wants what it is made of to be kept, so it is
worth it where that is kept anyway, or smaller.
"""

from __future__ import annotations

from dataclasses import replace

from netcompiler.builder import Builder
from netcompiler.passes.simplify import without_dead
from netcompiler.plan import Instruction, Plan, Program, Value

CLONED = ("map", "random", "reshape", "constant")


def keep(plan: Plan) -> Plan:
    return plan.with_programs(_kept(program, plan.dtype) for program in plan.programs.values())


def _kept(program: Program, dtype: str) -> Program:
    if not program.forward:
        return program
    ahead, behind = program.instructions[: program.forward], program.instructions[program.forward :]
    made = {value: instruction for instruction in ahead for value in instruction.results}
    read = list(dict.fromkeys(value for instruction in behind for value in instruction.operands if value in made))
    kept = {value for value in read if made[value].op not in CLONED}
    again = _worth_it([value for value in read if value not in kept], made, kept)
    if not again:
        return program
    clones: dict[Value, Value] = {}
    b = Builder(dtype, taken=max(int(v.name[1:]) for i in program for v in i.results))
    for instruction in behind:
        for value in instruction.operands:
            if value in again:
                _clone(b, value, made, again, clones)
        b.instructions.append(replace(instruction, operands=tuple(clones.get(value, value) for value in instruction.operands)))
    return without_dead(replace(program, instructions=(*ahead, *b.instructions)))


def _worth_it(read: list[Value], made: dict[Value, Instruction], kept: set[Value]) -> set[Value]:
    """The values to compute again: the bytes that only they would need are fewer than their own."""
    again: set[Value] = set()
    for value in sorted(read, key=lambda v: -v.bytes):
        chain, leaves = _chain(value, made, kept)
        if sum(leaf.bytes for leaf in leaves - kept if leaf in made) < value.bytes:
            again |= chain
            kept |= leaves
        else:
            kept.add(value)
    return again


def _chain(value: Value, made: dict[Value, Instruction], kept: set[Value]) -> tuple[set[Value], set[Value]]:
    """The clonable values that lead to one, itself included, and the others that those are made of."""
    chain, leaves, waiting = set[Value](), set[Value](), [value]
    while waiting:
        current = waiting.pop()
        if current in made and made[current].op in CLONED and current not in kept:
            if current not in chain:
                chain.add(current)
                waiting += made[current].operands
        else:
            leaves.add(current)
    return chain, leaves


def _clone(b: Builder, value: Value, made: dict[Value, Instruction], again: set[Value], clones: dict[Value, Value]) -> None:
    if value in clones or value not in again:
        return
    original = made[value]
    for inner in original.operands:
        _clone(b, inner, made, again, clones)
    b.origin = original.origin
    operands = tuple(clones.get(inner, inner) for inner in original.operands)
    results = b.emit_all(original.op, *operands, **original.attributes)
    clones.update(zip(original.results, results, strict=True))

"""A map that only products of rows read is computed where their kernels lay its rows: it is neither written nor read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from netcompiler.passes.regions import region
from netcompiler.passes.why import Why, because
from netcompiler.plan import PRODUCTS, Instruction, Program, Value
from netcompiler.scalar import COSTLY, nodes
from netcompiler.targets import Chooser, Target

MOST = 40
"""The most parts of an expression that is computed for each of its readers."""


def gathered(program: Program, target: Target, why: Why) -> Program:
    """Each of its readers becomes a fused instruction that begins with the map."""
    chooser = Chooser(target)
    lines: list[Instruction | None] = list(program.instructions)
    readers: dict[Value, list[int]] = {}
    for position, instruction in enumerate(program.instructions):
        for value in instruction.operands:
            readers.setdefault(value, []).append(position)
    for position, instruction in enumerate(program.instructions):
        at = readers.get(instruction.result, [])
        reading = [line for number in at if (line := lines[number])]
        if instruction.op != "map" or not any(_gathers(chooser, reader, instruction.result) for reader in reading):
            continue
        if reason := _refused(program, chooser, instruction, position, at) or _unfit(instruction) or _dear(instruction, len(at)):
            why(because(program, instruction, f"is not gathered by {', '.join(each.result.name for each in reading)}: {reason}"))
            continue
        lines[position] = None
        for number, reader in zip(at, reading, strict=True):
            lines[number] = region((instruction, *(reader.body or (reader,))), reader.results, reader.origin)
    if None not in lines:
        return program
    forward = sum(line is not None for line in lines[: program.forward])
    return replace(program, instructions=tuple(line for line in lines if line), forward=forward)


def _gathers(chooser: Chooser, reader: Instruction, value: Value) -> bool:
    """Whether the core alone reads it, where its kernel may compute a map."""
    core = reader.core
    if core.op not in PRODUCTS or any(value in inner.operands for inner in reader.body if inner is not core):
        return False
    taken = chooser.offer(core).gathers(core)
    return bool(taken) and all(number in taken for number, read in enumerate(core.operands) if read == value)


def _refused(program: Program, chooser: Chooser, instruction: Instruction, position: int, at: Sequence[int]) -> str:
    value = instruction.result
    if program.readers[value] > len(at):
        return "it is read otherwise, too"
    if position < program.forward <= at[-1]:
        return "it is kept for the backward half"
    others = [program.instructions[number] for number in at]
    other = next((reader for reader in others if not _gathers(chooser, reader, value)), None)
    return f"{other.result.name} reads it as it lies" if other else ""


def _unfit(instruction: Instruction) -> str:
    """Why no kernel computes it row by row."""
    if len(instruction.results) > 1:
        return "it has several results"
    result, parts = instruction.result, [part for expr in instruction.attributes["exprs"] for part in nodes(expr)]
    if costly := next((part.op for part in parts if part.op in COSTLY), ""):
        return f"{costly} takes longer than memory"
    if len(parts) > MOST:
        return f"it has {len(parts)} parts, and {MOST} are the most"
    if any(part.op == "uniform" or (part.op == "index" and part.leaf) for part in parts):
        return "it depends on positions"
    odd = next((value for value in (result, *instruction.operands) if not _beside(value, result)), None)
    if odd:
        return f"{odd.name} is neither of its shape nor one number for each channel, or not f32"
    return "" if any(value.shape == result.shape for value in instruction.operands) else "it reads nothing of its shape"


def _beside(value: Value, result: Value) -> bool:
    if value.elements == 1:
        return value.dtype in ("f32", "i32")
    return value.dtype == "f32" and (value.shape == result.shape or value.elements == value.shape[-1] == result.shape[-1])


def _dear(instruction: Instruction, readers: int) -> str:
    """In passes over memory: a map reads its k operands and writes its result, which each of r readers reads: k + 1 + r. Gathered,
    each reader reads the k operands; with arithmetic that is repeated it pays where that is half as much."""
    cells = sum(value.shape == instruction.result.shape for value in instruction.operands)
    passes, left = cells + 1 + readers, readers * cells
    return f"memory would still be crossed {left} times of {passes}" if 2 * left > passes else ""

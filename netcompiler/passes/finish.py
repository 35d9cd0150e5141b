"""The map that alone reads a core is computed where the core's results are made, if the target's kernel does that."""

from __future__ import annotations

from dataclasses import replace

from netcompiler.passes.regions import region
from netcompiler.passes.why import Why, because
from netcompiler.plan import CORES, HALVES, Instruction, Program, Value
from netcompiler.scalar import nodes
from netcompiler.targets import Chooser, Target


def finished(program: Program, target: Target, why: Why) -> Program:
    """A fused instruction stands where the map stood."""
    chooser = Chooser(target)
    readers = program.readers
    cores = {i.result: position for position, i in enumerate(program.instructions) if i.op in CORES and readers[i.result] == 1}
    lines: list[Instruction | None] = list(program.instructions)
    for position, instruction in enumerate(program.instructions):
        if instruction.op != "map":
            continue
        for value in sorted(set(instruction.operands) & cores.keys(), key=lambda v: -cores[v]):
            core = program.instructions[cores[value]]
            if reason := _refused(program, chooser, core, instruction, cores[value], position):
                why(because(program, instruction, f"is not computed in {core.op} {core.result.name}: {reason}"))
                continue
            lines[cores[value]] = None
            lines[position] = region((core, instruction), instruction.results, instruction.origin)
            break
    if None not in lines:
        return program
    forward = sum(line is not None for line in lines[: program.forward])
    return replace(program, instructions=tuple(line for line in lines if line), forward=forward)


def _refused(program: Program, chooser: Chooser, core: Instruction, outer: Instruction, at: int, position: int) -> str:
    if at < program.forward <= position:
        return "it is kept for the backward half"
    if outer.attributes["shape"] != core.result.shape:
        return f"it is computed for each of {outer.attributes['shape']}"
    offer = chooser.offer(core)
    if not offer.finishes:
        return f"{chooser.target.name} has no kernel that does that"
    if odd := next((value for value in outer.operands if not _beside(value, core.result, offer.places)), None):
        return f"{odd.name} is neither of its shape nor one number for each channel{' or picture' * offer.places}"
    if not offer.places and any(node.op in ("index", "uniform") for expr in outer.attributes["exprs"] for node in nodes(expr)):
        return "it depends on positions"
    return offer.behind(region((core, outer), outer.results, outer.origin))


def _beside(value: Value, result: Value, pictures: bool) -> bool:
    """Of the same shape, one for each channel, or a single number; where that may be, one for each picture."""
    if value.dtype not in ("f32", "b1", "u8", *HALVES):
        return False
    if value.shape == result.shape or value.elements == 1 or (value.elements == value.shape[-1] == result.shape[-1]):
        return True
    return pictures and len(value.shape) == len(result.shape) and value.elements == value.shape[0] == result.shape[0]

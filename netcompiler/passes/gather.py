"""A map that only kernels read which lay their rows apart is computed while they do: it is neither written nor read.

The norm and relu in front of a 1x1 or a depthwise convolution are what it is for, and the same once more for the gradient of its
weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from netcompiler.passes.regions import region
from netcompiler.passes.why import Why, because
from netcompiler.plan import PRODUCTS, Instruction, Program, Value
from netcompiler.scalar import COSTLY, nodes
from netcompiler.targets import Chooser, Target

MOST = 40
"""The most parts of an expression that each reader computes."""


def gathered(program: Program, target: Target, why: Why) -> Program:
    """Each of its readers becomes a fused instruction that begins with the map."""
    return _Gathering(program, target, why).program()


class _Gathering:
    def __init__(self, program: Program, target: Target, why: Why) -> None:
        self.before = program
        self.chooser = Chooser(target)
        self.why = why
        self.lines: list[Instruction | None] = list(program.instructions)
        self.made = {value for instruction in program for value in instruction.results}
        self.readers: dict[Value, list[int]] = {}
        for position, instruction in enumerate(program):
            for value in instruction.operands:
                self.readers.setdefault(value, []).append(position)

    def program(self) -> Program:
        for position, instruction in enumerate(self.before):
            at = self.readers.get(instruction.result, [])
            if instruction.op != "map" or not any(self._gathers(reader, instruction.result) for reader in at):
                continue
            if reason := self._read(position, at) or _unfit(instruction) or _dear(instruction, len(at)) or self._room(instruction, at):
                names = ", ".join(self.before.instructions[reader].result.name for reader in at)
                self.why(because(self.before, instruction, f"is not gathered by {names}: {reason}"))
            else:
                self._write(position, at)
        if None not in self.lines:
            return self.before
        forward = sum(line is not None for line in self.lines[: self.before.forward])
        return replace(self.before, instructions=tuple(line for line in self.lines if line), forward=forward)

    def _gathers(self, position: int, value: Value) -> bool:
        """Whether there the core alone reads it, and its kernel may compute a map."""
        reader = self.before.instructions[position]
        core = reader.core
        if core.op not in PRODUCTS or any(value in inner.operands for inner in reader.body if inner is not core):
            return False
        taken = self.chooser.offer(core).gathers(core)
        return all(number in taken for number, read in enumerate(core.operands) if read == value)

    def _read(self, position: int, at: Sequence[int]) -> str:
        """Why it is read from memory."""
        value = self.before.instructions[position].result
        if self.before.readers[value] > len(at):
            return "it outlives the program"
        if position < self.before.forward <= at[-1]:
            return "it is kept for the backward half"
        other = next((reader for reader in at if not self._gathers(reader, value)), None)
        return "" if other is None else f"{self.before.instructions[other].result.name} reads it as it lies"

    def _room(self, instruction: Instruction, at: Sequence[int]) -> str:
        """What it reads must not live on in more bytes than it had itself."""
        own, last = instruction.result, at[-1]
        longer = [value for value in instruction.operands if value in self.made and self._last(value) < last]
        more = sum(value.bytes for value in longer) - own.bytes
        return f"{more:,} bytes more would live until {self.before.instructions[last].result.name}" if more > own.bytes // 8 else ""

    def _last(self, value: Value) -> int:
        at = self.readers[value]
        return at[-1] if self.before.readers[value] == len(at) else len(self.lines)

    def _write(self, position: int, at: Sequence[int]) -> None:
        self.lines[position] = None
        for number in dict.fromkeys(at):
            if reader := self.lines[number]:
                body = (self.before.instructions[position], *(reader.body or (reader,)))
                self.lines[number] = region(body, reader.results, reader.origin)


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
    if odd := next((value for value in (result, *instruction.operands) if not _beside(value, result)), None):
        return f"{odd.name} is neither of its shape nor one number for each channel, or not f32"
    return "" if any(value.shape == result.shape for value in instruction.operands) else "it reads nothing of its shape"


def _beside(value: Value, result: Value) -> bool:
    if value.elements == 1:
        return value.dtype in ("f32", "i32")
    return value.dtype == "f32" and (value.shape == result.shape or value.elements == value.shape[-1] == result.shape[-1])


def _dear(instruction: Instruction, readers: int) -> str:
    """In passes over memory: a map reads its k operands and writes its result, which each of r readers reads: k + 1 + r. Gathered,
    each reader reads the k operands; as arithmetic is repeated, too, it pays where that is half as much."""
    cells = sum(value.shape == instruction.result.shape for value in instruction.operands)
    passes, left = cells + 1 + readers, readers * cells
    return f"memory would still be crossed {left} times of {passes}" if 2 * left > passes else ""

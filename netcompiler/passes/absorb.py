"""A cheap map that several read is computed in each of them, where so memory is crossed less often and no more lives at once.

A norm behind a relu is what it is for: the relu's gradient is not written, for the norm's sums and its own gradient each make
it again out of what they read anyway.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from netcompiler.passes.regions import composed, region
from netcompiler.passes.simplify import without_dead
from netcompiler.passes.why import Why, because
from netcompiler.plan import Instruction, Program, State, Value
from netcompiler.scalar import COSTLY, nodes

CHEAP = 32
"""The most parts of an expression that is computed several times."""

REDUCED = ("sum", "moments")


def absorbed(program: Program, states: Mapping[str, State], why: Why) -> Program:
    return _Absorbing(program, states, why).program()


class _Absorbing:
    def __init__(self, program: Program, states: Mapping[str, State], why: Why) -> None:
        self.before = program
        self.states = states
        self.why = why
        self.lines: list[Instruction] = list(program.instructions)
        self.positions = {value: position for position, i in enumerate(self.lines) for value in i.results}
        self.lasting = {*program.outputs.values(), *program.successors.values()}
        self.readers: dict[Value, list[int]] = {}
        for position, instruction in enumerate(self.lines):
            for value in instruction.operands:
                self.readers.setdefault(value, []).append(position)
        self.changed = False

    def program(self) -> Program:
        for position, instruction in enumerate(self.lines):
            if instruction.op == "map" and len(instruction.results) == 1 and self._taken(instruction):
                self._map(position, instruction)
        if not self.changed:
            return self.before
        before = self.before
        return without_dead(Program(before.name, tuple(self.lines), before.outputs, before.successors, before.forward))

    def _taken(self, instruction: Instruction) -> bool:
        """Whether all that read it could compute it themselves."""
        value = instruction.result
        at = self.readers.get(value, [])
        return bool(at) and value.elements > 1 and value not in self.lasting and all(_takes(self.lines[reader], value) for reader in at)

    def _map(self, position: int, instruction: Instruction) -> None:
        at = self.readers[instruction.result]
        best = max((instruction, *self._through(position, instruction)), key=lambda each: self._gain(instruction, each, at))
        if self._kept(position, at) or self._gain(instruction, best, at) <= 0:
            return
        if reason := self._costly(best) or self._room(best, at):
            readers = f"each of its {len(at)} readers" if len(at) > 1 else "its reader"
            self.why(because(self.before, instruction, f"is not computed in {readers}: {reason}"))
        else:
            self._write(best, at)

    def _kept(self, position: int, at: Sequence[int]) -> bool:
        """Whether the backward half reads it."""
        return any(position < self.before.forward <= reader for reader in at)

    def _costly(self, best: Instruction) -> str:
        parts = [part for expr in best.attributes["exprs"] for part in nodes(expr)]
        costly = next((part.op for part in parts if part.op in COSTLY), "")
        return f"{costly} takes longer than memory" if costly else f"it has {len(parts)} parts" if len(parts) > CHEAP else ""

    def _through(self, position: int, instruction: Instruction) -> list[Instruction]:
        """The map over what the maps that it reads are made of."""
        whole = instruction
        for value in instruction.operands:
            at = self.positions.get(value, -1)
            inner = self.lines[at] if at >= 0 else None
            same_half = (at < self.before.forward) == (position < self.before.forward)
            if inner and inner.op == "map" and len(inner.results) == 1 and same_half and inner.result.shape == instruction.result.shape:
                whole = composed(inner, whole)
        return [whole] if whole is not instruction and len(list(nodes(whole.attributes["exprs"][0]))) <= CHEAP else []

    def _gain(self, instruction: Instruction, best: Instruction, at: Sequence[int]) -> int:
        """Bytes that cross memory less: the value is neither written nor read, but each reader reads what it is made of."""
        saved = instruction.result.bytes * (1 + len(at)) + sum(value.bytes for value in instruction.operands)
        return saved - sum(value.bytes for reader in at for value in best.operands if value not in self.lines[reader].operands)

    def _room(self, best: Instruction, at: Sequence[int]) -> str:
        """What it is made of must not live on in more bytes than it had itself."""
        own, last = best.result, max(at)
        longer = [value for value in best.operands if value.name not in self.states and value not in self.lasting]
        more = sum(value.bytes for value in longer if max(r for r in self.readers[value]) < last) - own.bytes
        return f"{more:,} bytes more would live until {self.lines[last].result.name}" if more > own.bytes // 8 else ""

    def _write(self, best: Instruction, at: Sequence[int]) -> None:
        for reader in at:
            old = self.lines[reader]
            if old.op == "map":
                self.lines[reader] = composed(best, old)
            else:
                self.lines[reader] = region((best, *(old.body or (old,))), old.results, old.origin)
            for value in self.lines[reader].operands:
                if reader not in self.readers.setdefault(value, []):
                    self.readers[value].append(reader)
        self.readers[best.result] = []
        self.changed = True


def _takes(reader: Instruction, value: Value) -> bool:
    if reader.op == "map":
        return tuple(reader.attributes["shape"]) == value.shape
    return reader.op in REDUCED or (reader.op == "fused" and all(inner.op in ("map", *REDUCED) for inner in reader.body))

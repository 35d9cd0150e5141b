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
from netcompiler.scalar import nodes

CHEAP = 32
"""The most parts of an expression that is computed several times."""

COSTLY = frozenset(("exp", "expm1", "log", "log1p", "tanh", "sigmoid", "softplus", "erf", "sin", "cos", "pow"))


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
            if instruction.op == "map" and len(instruction.results) == 1 and self._several(instruction):
                self._map(position, instruction)
        if not self.changed:
            return self.before
        before = self.before
        return without_dead(Program(before.name, tuple(self.lines), before.outputs, before.successors, before.forward))

    def _several(self, instruction: Instruction) -> bool:
        value = instruction.result
        return value.elements > 1 and value not in self.lasting and len(self.readers.get(value, ())) > 0

    def _map(self, position: int, instruction: Instruction) -> None:
        at = self.readers[instruction.result]
        reason = self._hindered(position, instruction, at)
        best = (
            None
            if reason
            else max((instruction, *self._through(position, instruction)), key=lambda each: self._gain(instruction, each, at))
        )
        if best is not None and self._gain(instruction, best, at) <= 0:
            reason = "memory would be crossed no less often"
        elif best is not None:
            reason = self._room(best, at)
        if reason:
            self.why(because(self.before, instruction, f"is not computed in each of its {len(at)} readers: {reason}"))
        elif best is not None:
            self._write(best, at)

    def _hindered(self, position: int, instruction: Instruction, at: Sequence[int]) -> str:
        """Why the readers cannot take it."""
        [expr] = instruction.attributes["exprs"]
        for reader in at:
            if not self._takes(self.lines[reader], instruction):
                return f"{self.lines[reader].result.name} = {self.lines[reader].op} cannot"
            if position < self.before.forward <= reader:
                return "it is kept for the backward half"
        parts = list(nodes(expr))
        return "it is costly" if len(parts) > CHEAP or any(part.op in COSTLY for part in parts) else ""

    def _takes(self, reader: Instruction, inner: Instruction) -> bool:
        if reader.op == "map":
            return tuple(reader.attributes["shape"]) == inner.result.shape
        return reader.op in ("sum", "moments") or (reader.op == "fused" and all(i.op in ("map", "sum", "moments") for i in reader.body))

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

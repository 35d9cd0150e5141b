"""What the backward half reads of the forward half is kept, or computed again where that is cheaper in memory.

Maps and random numbers are computed again unless that would keep more than it frees, or they cost nothing where pictures
are sampled: finish.py. To save more bytes everything else is computed again too, in rows that begin at a value that is kept.
"""

from __future__ import annotations

from dataclasses import replace

from netcompiler.builder import Builder
from netcompiler.instructions.op import OPS
from netcompiler.passes.simplify import without_dead
from netcompiler.passes.why import Why, because, silent
from netcompiler.plan import Instruction, Plan, Program, Value

ROW = 3
"""How many values that the backward half reads may be computed again one out of the other."""

CHEAP = ("map", "random", "reshape", "constant")


def keep(plan: Plan, saving: int = 0, row: int = 1, why: Why = silent) -> Plan:
    """`saving` is how many bytes of kept values are to be computed again beyond what costs nothing, up to `row` in a row."""
    return plan.with_programs(_kept(program, plan.dtype, saving, row, why) for program in plan.programs.values())


def _kept(program: Program, dtype: str, saving: int, row: int, why: Why) -> Program:
    if not program.forward:
        return program
    ahead, behind = program.instructions[: program.forward], program.instructions[program.forward :]
    choice = _Choice(ahead, behind)
    choice.free()
    choice.save(saving, row)
    for value, reason in choice.reasons.items():
        why(because(program, choice.made[value], reason))
    if not choice.again:
        return program
    clones: dict[Value, Value] = {}
    b = Builder(dtype, taken=max(int(v.name[1:]) for i in program for v in i.results))
    for instruction in behind:
        for value in instruction.operands:
            choice.clone(b, value, clones)
        b.instructions.append(instruction.reading(clones))
    return without_dead(replace(program, instructions=(*ahead, *b.instructions)))


class _Choice:
    """Which forward values are kept, and which are computed again."""

    def __init__(self, ahead: tuple[Instruction, ...], behind: tuple[Instruction, ...]) -> None:
        self.made = {value: instruction for instruction in ahead for value in instruction.results}
        self.read = list(dict.fromkeys(value for instruction in behind for value in instruction.operands if value in self.made))
        self.kept = {value for value in self.read if self.made[value].op not in CHEAP}
        self.again: set[Value] = set()
        self.sampled = _sampled(ahead, behind)
        self.reasons: dict[Value, str] = {}

    def free(self) -> None:
        """Cheap values are computed again where only fewer bytes than their own must be kept for it, and no long row of
        values that are read themselves: those would all be there at once, from the first that is computed again."""
        depth: dict[Value, int] = {}
        order = {value: position for position, value in enumerate(self.made)}
        for value in sorted(self.read, key=order.__getitem__):
            if value in self.kept:
                continue
            if value in self.sampled:
                self.kept.add(value)
                self.reasons[value] = "is kept: it is computed where pictures are sampled, which takes longer than to read it"
                continue
            chain, leaves = self._chain(value, CHEAP)
            depth[value] = 1 + max((depth.get(inner, 0) for inner in chain if inner is not value), default=0)
            more = sum(leaf.bytes for leaf in leaves - self.kept if leaf in self.made)
            if depth[value] <= ROW and more < value.bytes:
                self.again |= chain
                self.kept |= leaves
            else:
                self.kept.add(value)
                self.reasons[value] = f"is kept: {_reason(depth[value], more, value.bytes)}"

    def save(self, saving: int, row: int) -> None:
        """Other values too, first to last, until so many bytes are saved. Of each `row` and one values one is kept, from which
        the backward half computes the others when it comes there."""
        depth: dict[Value, int] = {}
        for value in [value for value in self.made if value in self.kept]:
            if saving <= 0:
                return
            self.kept.discard(value)
            chain, leaves = self._chain(value, tuple(OPS))
            depth[value] = 1 + max((depth.get(inner, 0) for inner in chain if inner is not value), default=0)
            if depth[value] <= row and self._worth(value) and all(leaf in self.kept or leaf not in self.made for leaf in leaves):
                self.again |= chain
                saving -= value.bytes
            else:
                self.kept.add(value)
                del depth[value]

    def _worth(self, value: Value) -> bool:
        """Sums and statistics are small, and take as long as what they are made of."""
        return value.bytes >= max(x.bytes for x in self.made[value].operands) // 16

    def _chain(self, value: Value, ops: tuple[str, ...]) -> tuple[set[Value], set[Value]]:
        """The values that lead to one through these ops, itself included, and the others that those are made of."""
        chain, leaves, waiting = set[Value](), set[Value](), [value]
        while waiting:
            current = waiting.pop()
            if current in self.made and current not in self.kept and self.made[current].op in ops:
                if current not in chain:
                    chain.add(current)
                    waiting += self.made[current].operands
            else:
                leaves.add(current)
        return chain, leaves

    def clone(self, b: Builder, value: Value, clones: dict[Value, Value]) -> None:
        """Writes a value again, and before it what it is made of; the stack is our own, for chains may be long."""
        waiting = [value]
        while waiting:
            current = waiting[-1]
            if current in clones or current not in self.again:
                waiting.pop()
                continue
            original = self.made[current]
            ahead = [inner for inner in original.operands if inner in self.again and inner not in clones]
            if ahead:
                waiting += ahead
                continue
            b.origin = original.origin
            results = b.emit_all(original.op, *(clones.get(inner, inner) for inner in original.operands), **original.attributes)
            clones.update(zip(original.results, results, strict=True))


def _sampled(ahead: tuple[Instruction, ...], behind: tuple[Instruction, ...]) -> set[Value]:
    """What comes of samplings through maps of which each alone reads the one before."""
    readers: dict[Value, list[Instruction]] = {}
    for instruction in (*ahead, *behind):
        for value in instruction.operands:
            readers.setdefault(value, []).append(instruction)
    found = set()
    for value in (instruction.result for instruction in ahead if instruction.op == "resample"):
        while len(alone := readers.get(value, [])) == 1 and alone[0].op == "map" and alone[0].attributes["shape"] == value.shape:
            value = alone[0].result
        found.add(value)
    return found


def _reason(depth: int, more: int, own: int) -> str:
    if depth > ROW:
        return f"it would be the last of {depth} values in a row that are computed again"
    return f"to compute it again {more:,} bytes would have to be kept, and it has {own:,}"

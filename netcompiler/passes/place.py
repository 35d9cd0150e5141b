"""Who lies in whom: views in what they show, operands of a concatenation in its result, successors at their state's
address, maps in the place of an operand that nobody reads any more. What is left has bytes of its own; memory.py finds them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from netcompiler.instructions.op import OPS
from netcompiler.lanes import settled
from netcompiler.passes.differentiate import GRADIENT
from netcompiler.plan import SIZES, Instruction, Program, Value


class Spot(NamedTuple):
    """A place in a root: elements from its start, and from one row of the last axis to the next (0: no gaps)."""

    root: str
    begin: int = 0
    pitch: int = 0


@dataclass
class Layout:
    """The spot of every value, the roots that are computed at the address of a state, and when each value is read last."""

    last: dict[str, int]
    spots: dict[str, Spot] = field(default_factory=dict)
    at_home: dict[str, str] = field(default_factory=dict)

    def spot(self, name: str) -> Spot:
        return self.spots.get(name) or Spot(name)


def place(program: Program, states: Collection[str]) -> Layout:
    """`states` are the names of what outlives the program."""
    return _Placing(program, states).layout()


def last_reads(program: Program) -> dict[str, int]:
    """The position of each value's last reader, or of the last one beside which another lane may still be at work on it; what
    outlives the program is read behind its end."""
    last: dict[str, int] = {}
    ends = settled(program)
    for position, instruction in enumerate(program.instructions):
        for value in instruction.operands:
            last[value.name] = position
        for value in instruction.packed:
            last[value.name] = position
    for position, instruction in enumerate(program.instructions):
        if ends[position] > position:
            last.update((value.name, max(last.get(value.name, 0), ends[position])) for value in (*instruction.reads, *instruction.writes))
    end = len(program.instructions)
    last.update((value.name, end) for value in (*program.outputs.values(), *program.successors.values()))
    return last


class _Placing:
    def __init__(self, program: Program, states: Collection[str]) -> None:
        self.program = program
        self.states = states
        self.last = last_reads(program)
        self.made = {value.name: (position, i) for position, i in enumerate(program.instructions) for value in i.results}
        self.alone = _alone(program)
        self.views = {name for name, op in OPS.items() if op.view}
        self.ends: dict[str, int] = {}
        self.found = Layout(self.last)

    def layout(self) -> Layout:
        self._concats()
        spots = self.found.spots
        for position, instruction in enumerate(self.program.instructions):
            for value in instruction.results:
                spot = spots.get(value.name)
                if spot is None:
                    spot = spots[value.name] = self._view(instruction) or self._hosted(instruction, position) or Spot(value.name)
                self.ends[spot.root] = max(self.ends.get(spot.root, 0), self.last.get(value.name, position))
        self._homes()
        return self.found

    # concatenations

    def _concats(self) -> None:
        """Operands are computed right in the result; the largest first, for a smaller one may lie in it whole."""
        concats = [i for i in self.program if i.op == "concat" and i.attributes["axis"] == len(i.result.shape) - 1]
        viewed = {value.name for i in self.program if i.op in self.views for value in i.operands} if concats else set()
        for concat in sorted(concats, key=lambda i: (-i.result.shape[-1], i.result.name)):
            inside = self._run(concat.operands)
            if inside and concat.result.name not in viewed:
                self.found.spots.setdefault(concat.result.name, inside)
            host, begin = self.found.spots.get(concat.result.name) or Spot(concat.result.name, 0, concat.result.shape[-1]), 0
            for value in concat.operands:
                free = value.name not in self.found.spots and value.name not in viewed and self._own(value)
                if free and concat.operands.count(value) == 1:
                    self.found.spots[value.name] = Spot(host.root, host.begin + begin, host.pitch)
                begin += value.shape[-1]

    def _own(self, value: Value) -> bool:
        """Whether an instruction writes the value anew, so that it may write it anywhere."""
        _, instruction = self.made.get(value.name, (0, None))
        return (
            instruction is not None
            and not self._shows(instruction)
            and value.name not in {v.name for v in self.program.successors.values()}
        )

    def _run(self, operands: Sequence[Value]) -> Spot | None:
        """Where a row of values begins that lie side by side in one root already."""
        spots = [self.found.spots.get(value.name) for value in operands]
        first = spots[0]
        if first is None or not first.pitch:
            return None
        begin = first.begin
        for value, spot in zip(operands, spots, strict=True):
            if spot != Spot(first.root, begin, first.pitch):
                return None
            begin += value.shape[-1]
        return first

    # views

    def _view(self, instruction: Instruction) -> Spot | None:
        return self._inside(instruction) if self._shows(instruction) else None

    def _shows(self, instruction: Instruction) -> bool:
        return instruction.op in self.views or _channels(instruction) is not None

    def _inside(self, instruction: Instruction) -> Spot | None:
        """The operand's bytes under another shape, or some of its channels."""
        x = instruction.operands[0]
        outer = self.found.spot(x.name)
        channels = _channels(instruction)
        if channels is not None and instruction.result.name in self.alone:
            return None
        if channels is not None:
            return Spot(outer.root, outer.begin + channels, outer.pitch or x.shape[-1])
        return outer if not outer.pitch else None

    # in place

    def _hosted(self, instruction: Instruction, position: int) -> Spot | None:
        """The place of an operand that a map reads last: same size and access, and nobody else looks at it."""
        if instruction.op != "map" or len(instruction.results) != 1:
            return None
        for value in instruction.operands:
            spot = self.found.spots.get(value.name)
            fits = value.shape == instruction.result.shape and SIZES[value.dtype] == SIZES[instruction.result.dtype]
            if not spot or not fits or spot != Spot(spot.root) or spot.root in self.states or self.ends[spot.root] != position:
                continue
            if [self.found.spot(v.name).root for v in instruction.operands].count(spot.root) == 1:
                return spot
        return None

    # successors

    def _homes(self) -> None:
        """Roots that are successors are computed at their state's address, when nobody reads the state afterwards."""
        shared = {spot.root for name, spot in self.found.spots.items() if name != spot.root}
        readers: dict[str, int] = {}
        for name, spot in self.found.spots.items():
            readers[spot.root] = max(readers.get(spot.root, -1), self.last.get(name, -1))
        for state, value in self.program.successors.items():
            position, instruction = self.made.get(value.name, (0, None))
            if (
                instruction is None
                or self.found.spots[value.name] != Spot(value.name)
                or value.name in shared
                or value.name in self.found.at_home
            ):
                continue
            later = max(self.last.get(state, -1), readers.get(state, -1))
            if later < position or (later == position and instruction.op in ("map", "flat")):
                self.found.at_home[value.name] = state


def _alone(program: Program) -> set[str]:
    """Gradients that lie as their parameters do, and so cannot be some channels of something larger."""
    found = {value.name for name, value in program.outputs.items() if name.startswith(GRADIENT)}
    return found | {value.name for instruction in program if instruction.op == "flat" for value in instruction.operands}


def _channels(instruction: Instruction) -> int | None:
    """The first channel, when an instruction takes a run of channels and nothing else."""
    if instruction.op != "slice":
        return None
    [x], begin, end = instruction.operands, instruction.attributes["begin"], instruction.attributes["end"]
    whole = all(b == 0 and e == n for b, e, n in zip(begin[:-1], end[:-1], x.shape[:-1], strict=True))
    return int(begin[-1]) if whole and set(instruction.attributes["step"]) == {1} else None

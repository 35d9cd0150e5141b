"""What lanes do to one another: every instruction knows, by what it waits for, how far the other lanes are."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence

from netcompiler.plan import MAIN, Instruction, Plan, Program, Value
from netcompiler.verify.bytes import Region, region
from netcompiler.verify.memory import placed, shown
from netcompiler.verify.rule import Faults, at

Known = Mapping[str, int]
"""The last position of each lane that is done for certain."""


def lanes(plan: Plan) -> Faults:
    """11: what one lane makes another reads behind an instruction that waits for it, and no lane waits for itself."""
    for program in plan.programs.values():
        made = {value: position for position, i in enumerate(program) for value in i.results}
        known = _known(program, made) if _several(program) or any(i.after for i in program) else []
        for position, seen in enumerate(known):
            instruction = program.instructions[position]
            for value in instruction.after:
                if made.get(value, position) >= position or _lane(program.instructions[made[value]]) == _lane(instruction):
                    yield f"{at(program, instruction)}: waits for {value.name}, which no other lane has made by then"
            for value in instruction.reads:
                maker = program.instructions[made[value]] if value in made else instruction
                if _lane(maker) != _lane(instruction) and made[value] > seen.get(_lane(maker), -1):
                    yield f"{at(program, instruction)}: reads {value.name} on lane {_lane(instruction)}, and {_lane(maker)} writes it"


def bytes_of_lanes(plan: Plan) -> Faults:
    """9, 11: no lane writes over what another may still be reading or writing."""
    for program, homes in placed(plan):
        if not _several(program):
            continue
        made = {value: position for position, i in enumerate(program) for value in i.results}
        known = _known(program, made)
        touched: dict[str, list[tuple[int, Region]]] = {}
        for position, instruction in enumerate(program):
            moved = len(shown(instruction, homes)) < (len(instruction.operands) if instruction.op == "concat" else 1)
            written = [region(value, homes[value.name]) for value in instruction.writes] if moved else []
            for fault in _crossings(written, touched, known[position], _lane(instruction)):
                yield f"{at(program, instruction)}: {fault}"
            read = [region(value, homes[value.name]) for value in instruction.reads]
            touched.setdefault(_lane(instruction), []).extend((position, where) for where in (*written, *read))


def _crossings(written: Sequence[Region], touched: Mapping[str, list[tuple[int, Region]]], seen: Known, own: str) -> Iterator[str]:
    for lane, accesses in touched.items():
        if lane != own:
            first = bisect_right(accesses, seen.get(lane, -1), key=lambda access: access[0])
            if any(where.overlaps(other) for where in written for _, other in accesses[first:]):
                yield f"writes over what lane {lane} may be at work on"


def _known(program: Program, made: Mapping[Value, int]) -> list[Known]:
    """What each instruction knows of other lanes: all that its lane knew before, and all that those know for which it waits."""
    by_lane: dict[str, dict[str, int]] = {}
    found: list[Known] = []
    for instruction in program:
        own = dict(by_lane.get(_lane(instruction), {}))
        for waited in (made[value] for value in instruction.after if made.get(value, len(found)) < len(found)):
            theirs = {**found[waited], _lane(program.instructions[waited]): waited}
            own |= {lane: max(position, own.get(lane, -1)) for lane, position in theirs.items()}
        by_lane[_lane(instruction)] = own
        found.append(own)
    return found


def _several(program: Program) -> bool:
    return len({_lane(instruction) for instruction in program}) > 1


def _lane(instruction: Instruction) -> str:
    return instruction.lane or MAIN

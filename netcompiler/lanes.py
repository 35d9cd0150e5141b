"""What may be at work at once where a program has several lanes. Each runs its own instructions in order; an instruction waits
for what it names in `after`, and the end of a program for everything."""

from __future__ import annotations

from collections.abc import Sequence

from netcompiler.plan import MAIN, Program


def settled(program: Program) -> Sequence[int]:
    """For each instruction the last position at which it may still be at work: its own on the main lane; on another, that in
    front of the instruction of the main lane which waits for it, or the program's end."""
    lanes = [instruction.lane or MAIN for instruction in program]
    own = range(len(lanes))
    if set(lanes) <= {MAIN}:
        return own
    made = {value: position for position, instruction in enumerate(program) for value in instruction.results}
    ends, working = list(own), list[int]()
    for position, instruction in enumerate(program):
        if lanes[position] != MAIN:
            working.append(position)
            continue
        for waited in (made[value] for value in instruction.after):
            for at in [at for at in working if at <= waited and lanes[at] == lanes[waited]]:
                ends[at] = position - 1
                working.remove(at)
    for at in working:
        ends[at] = len(lanes)
    return ends

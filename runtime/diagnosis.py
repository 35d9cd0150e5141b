"""Why a step is not finite: the step once more on the oracle, instruction by instruction, to the first that makes infinity or NaN.

A step that is not finite changes no state, so it can be done again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from netcompiler.plan import Instruction, Program
from runtime import oracle
from runtime.arrays import Array, numbers
from runtime.binding import Binding
from runtime.feed import Feed
from runtime.session import Session

UPDATE = "update"
"""Where instructions come from that no layer wrote, and the part of a step that they are."""


class Culprit(NamedTuple):
    """The first instruction with a result that is not finite although what it reads is; where it comes from, and which part of a step."""

    instruction: Instruction
    origin: str
    part: str

    def __str__(self) -> str:
        """conv of conv1 (resnet.yaml:31), forward"""
        place, _, name = self.origin.rpartition(" ")
        where = f"{name} ({place})" if place not in ("", UPDATE) else name
        return f"{_verb(self.instruction)} of {where}, {self.part}"


def first_not_finite(session: Session, inputs: Any, targets: Any, places: Any = None) -> Culprit | None:
    """Nothing, where the oracle finds the step finite: another target rounds differently."""
    plan = replace(session.plan, target="numpy")
    binding = Binding(plan, session.seed, poison=False)
    for name, array in session.arrays.items():
        binding.states[name][...] = session.device.read(array)
    with np.errstate(all="ignore"):
        for program in _programs(binding, inputs, targets, places):
            found = _first(binding, program)
            if found:
                return found
    return None


def _programs(binding: Binding, inputs: Any, targets: Any, places: Any) -> Iterator[Program]:
    """Those of a step, each with its slots and controls set when its turn comes."""
    plan = binding.plan
    if "accumulate" not in plan.programs:
        yield plan.programs["step"]
        return
    feed = Feed(binding)
    batch = feed.checked("accumulate", inputs, targets, places)
    rows = len(next(iter(batch.values())))
    for begin in range(0, rows, plan.batch):
        count = feed.write(batch, begin)
        for control, value in (("row", begin), ("share", count / rows), ("valid", count)):
            if control in binding.states:
                binding.states[control][...] = value
        yield plan.programs["accumulate"]
    yield plan.programs["update"]


def _first(binding: Binding, program: Program) -> Culprit | None:
    """Runs a program to its end, and walks back from what is not finite there to where it comes from."""
    made: dict[str, tuple[int, Instruction]] = {}
    views = dict(binding.views[program.name])
    for position, instruction in enumerate(program):
        for call in oracle.calls(instruction, views, binding.seed):
            call()
        made.update((value.name, (position, instruction)) for value in instruction.results if not _finite(views[value.name]))
    for call in binding.successions(program):
        call()
    ends = [value.name for value in (*program.outputs.values(), *program.successors.values()) if value.name in made]
    origins = _origins(made, ends)
    if not origins:
        return None
    position, instruction = min(origins, key=lambda origin: origin[0])
    return Culprit(instruction, _origin(program, instruction), _part(program, position, instruction))


def _origin(program: Program, instruction: Instruction) -> str:
    """What is done with a gradient is put down to the layer that the gradient comes from."""
    if instruction.origin != UPDATE:
        return instruction.origin
    writers = {value.name: writer for writer in program for value in writer.results}
    read = [writers[value.name].origin for value in instruction.operands if value.name in writers]
    return read[0] if read else UPDATE


def _part(program: Program, position: int, instruction: Instruction) -> str:
    if instruction.origin.partition(" ")[0] == UPDATE:
        return UPDATE
    return "backward" if 0 < program.forward <= position else "forward"


def _origins(made: dict[str, tuple[int, Instruction]], ends: Iterable[str]) -> list[tuple[int, Instruction]]:
    """The instructions that made what is not finite out of what is: an infinity that a later one takes care of is none of them."""
    found, seen, open_ = [], set(ends), list(ends)
    while open_:
        position, instruction = made[open_.pop()]
        bad = [value.name for value in instruction.operands if value.name in made and made[value.name][0] < position]
        if not bad:
            found.append((position, instruction))
        open_ += [name for name in bad if name not in seen]
        seen.update(bad)
    return found


def _verb(instruction: Instruction) -> str:
    """A fused instruction is called after its core."""
    core = next((inner.op for inner in instruction.body if inner.op not in ("map", "sum", "max", "moments")), "")
    return core or ("map" if instruction.body else instruction.op)


def _finite(array: Array) -> bool:
    array = numbers(array)
    return array.dtype.kind != "f" or bool(np.isfinite(array).all())

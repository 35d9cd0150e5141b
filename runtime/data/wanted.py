"""What a plan reads: the shape of a row of each input and target."""

from __future__ import annotations

from typing import NamedTuple

from netcompiler.plan import Plan

INPUT, TARGET = "in.", "target."


class Wanted(NamedTuple):
    """A row, channels first. With `classes` it is the number of one of them for each position."""

    shape: tuple[int, ...]
    classes: int | None = None

    def __str__(self) -> str:
        return "x".join(map(str, self.shape)) or "one number"


def wanted(plan: Plan) -> dict[str, Wanted]:
    """By the name of the state: in.NAME, target.NAME."""
    return {name: _row(plan, name) for name in plan.states if name.startswith((INPUT, TARGET))}


def _row(plan: Plan, name: str) -> Wanted:
    value = plan.states[name].value
    *sides, channels = value.shape[1:]
    if value.dtype == "i32":
        return Wanted(tuple(sides), plan.classes[name])
    return Wanted((channels, *sides))

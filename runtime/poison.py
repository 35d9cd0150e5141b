"""A debugging aid: bytes of the arena that hold nothing any more become 0xFF, which is NaN in every float type.

A program that reads what it should not gives NaN. Who lives when is worked out here, not taken from the plan's own lifetimes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from netcompiler.plan import SIZES, Home, Program, Value

Array = np.ndarray[Any, Any]

NAN = 0xFF
"""In every byte of a float."""


class Poison:
    """For one program: `before` it all of the arena, `after` each instruction what no later one reads."""

    def __init__(self, program: Program, homes: Mapping[str, Home], arena: Array, fill: Callable[[Array, int], None]) -> None:
        self.arena = arena
        self.fill = fill
        self.free = np.ones(len(arena), bool)
        self.living = [list(living) for living in _living(program, homes)]

    def before(self) -> None:
        self.fill(self.arena, NAN)

    def after(self, position: int) -> None:
        self.free[...] = True
        for value, home in self.living[position]:
            for row in _rows(value, home):
                self.free[row] = False
        for run in _runs(self.free):
            self.fill(self.arena[run], NAN)


def _runs(free: Array) -> Iterator[slice]:
    edges = np.flatnonzero(np.diff(free, prepend=False, append=False))
    return (slice(*pair) for pair in edges.reshape(-1, 2).tolist())


def _living(program: Program, homes: Mapping[str, Home]) -> Iterator[list[tuple[Value, Home]]]:
    """Behind each instruction, the values in the arena that are there and still read."""
    last = {value: position for position, instruction in enumerate(program) for value in instruction.reads}
    last.update(dict.fromkeys([*program.outputs.values(), *program.successors.values()], len(program.instructions)))
    alive: list[tuple[Value, Home]] = []
    for position, instruction in enumerate(program):
        alive += [(value, homes[value.name]) for value in instruction.results if homes[value.name].segment == "arena"]
        alive = [(value, home) for value, home in alive if last.get(value, -1) > position]
        yield alive


def _rows(value: Value, home: Home) -> Iterator[slice]:
    """The bytes of a value: one run, or with a pitch one for each position."""
    if not home.pitch or len(value.shape) < 2:
        yield slice(home.offset, home.offset + value.bytes)
        return
    size, width = SIZES[value.dtype], value.shape[-1]
    for position in range(value.elements // width):
        begin = home.offset + position * home.pitch * size
        yield slice(begin, begin + width * size)

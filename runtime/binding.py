"""A plan's values as arrays, and its programs as lists of calls on them. Both are made once, the lists when they are first run.

It knows values, homes and kernels, and nothing of specs, layers or batches.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from netcompiler.plan import Home, Instruction, Plan, Program, State, Value
from runtime.arrays import dtype_of
from runtime.device import Call, Device, device_of
from runtime.initial import initial
from runtime.poison import Poison

Array = np.ndarray[Any, Any]


class Binding:
    """Segments, the states in them at their start, and every program bound to its views."""

    def __init__(self, plan: Plan, seed: int, poison: bool, device: Device | None = None) -> None:
        self.plan = plan
        self.seed = seed
        self.device = device or device_of(plan.target)
        self.memory = {name: self.device.allocate(max(size, 1)) for name, size in plan.segments.items()}
        self.states = states(plan, self.memory)
        self._start()
        self.views = {program.name: views(plan, program, self.memory) for program in plan.programs.values()}
        self.poison = poison
        self.calls: dict[str, list[Call]] = {}

    def run(self, program: str) -> dict[str, Array]:
        """The outputs by name: on the device, until the next run of any program."""
        with np.errstate(all="ignore"):  # infinity and NaN are answers
            for call in self.ready(program):
                call()
        return {name: self.views[program][value.name] for name, value in self.plan.programs[program].outputs.items()}

    def ready(self, program: str) -> list[Call]:
        """A program as calls; bound when it is first asked for, since many plans have programs that nobody runs."""
        if program not in self.calls:
            self.calls[program] = self._bound(self.plan.programs[program])
        return self.calls[program]

    def _start(self) -> None:
        for name, state in self.plan.states.items():
            start = initial(state, self.seed)
            if start is not None:
                self.device.write(external(state, self.states[name]), start)
        for name, state in self.plan.states.items():
            if isinstance(state.start, str):
                self.device.moved(self.states[name], self.states[state.start])()

    def _bound(self, program: Program) -> list[Call]:
        views, homes = self.views[program.name], self.plan.homes[program.name]
        spread = Poison(program, homes, self.memory["arena"], self.device.fill) if self.poison else None
        calls: list[Call] = [spread.before] if spread else []
        groups = [[instruction] for instruction in program] if spread else [list(program)]
        for position, group in enumerate(groups):
            calls += self.bound(group, views)
            calls += [partial(spread.after, position)] if spread else []
        return self.device.whole(calls + self.successions(program))

    def bound(self, instructions: Sequence[Instruction], views: Mapping[str, Array]) -> list[Call]:
        return self.device.bound(instructions, views, self.seed)

    def successions(self, program: Program) -> list[Call]:
        """Copies of the successors that were not computed at their state's address."""
        homes, views = self.plan.homes[program.name], self.views[program.name]
        moved = [(name, value) for name, value in program.successors.items() if homes.get(value.name) != self.plan.homes[""][name]]
        return [self.device.moved(self.states[name], views[value.name]) for name, value in moved if value.name != name]


def states(plan: Plan, memory: Mapping[str, Array]) -> dict[str, Array]:
    return {name: view(state.value, plan.homes[""][name], memory) for name, state in plan.states.items()}


def views(plan: Plan, program: Program, memory: Mapping[str, Array]) -> dict[str, Array]:
    """All that the instructions of a program read and write."""
    homes = plan.homes[program.name]
    values = {value.name: value for instruction in program for value in instruction.writes}
    return {**states(plan, memory), **{name: view(value, homes[name], memory) for name, value in values.items()}}


def view(value: Value, home: Home, memory: Mapping[str, Array]) -> Array:
    """The array of a value; with a pitch its rows lie apart, between those of other values."""
    dtype = dtype_of(value.dtype)
    strides = [dtype.itemsize]
    for n in (home.pitch or value.shape[-1], *value.shape[-2:0:-1]) if value.shape[1:] else ():
        strides.insert(0, strides[0] * n)
    return np.ndarray(value.shape, dtype, memory[home.segment], home.offset, strides[: len(value.shape)])


def external(state: State, array: Array) -> Array:
    """A state with its axes in the order that they have outside: a view."""
    return array.transpose(np.argsort(state.order)) if state.order else array

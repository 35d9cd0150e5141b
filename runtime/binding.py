"""A plan's values as arrays, and its programs as lists of calls on them. Both are made once.

It knows values, homes and kernels, and nothing of specs, layers or batches.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from netcompiler.plan import Home, Instruction, Plan, Program, State, Value
from runtime.initial import initial
from runtime.kernels.numpy import KERNELS
from runtime.poison import Poison

MOVES = ("reshape", "slice", "concat")
"""What is done already where the result lies in its operands' bytes."""

DTYPES: dict[str, Any] = {
    "f64": np.float64,
    "f32": np.float32,
    "i64": np.int64,
    "i32": np.int32,
    "u32": np.uint32,
    "u16": np.uint16,
    "u8": np.uint8,
    "b1": np.bool_,
}

Array = np.ndarray[Any, Any]
Call = Callable[[], None]


class Binding:
    """Segments, the states in them at their start, and every program bound to its views."""

    def __init__(self, plan: Plan, seed: int, poison: bool) -> None:
        self.plan = plan
        self.seed = seed
        self.memory = {name: np.zeros(max(size, 1), np.uint8) for name, size in plan.segments.items()}
        self.states = {name: view(state.value, plan.homes[""][name], self.memory) for name, state in plan.states.items()}
        self._start()
        self.views = {program.name: self._views(program) for program in plan.programs.values()}
        self.calls = {program.name: self._bound(program, poison) for program in plan.programs.values()}

    def run(self, program: str) -> dict[str, Array]:
        """The outputs by name: views, until the next run of any program."""
        with np.errstate(all="ignore"):  # infinity and NaN are answers
            for call in self.calls[program]:
                call()
        return {name: self.views[program][value.name] for name, value in self.plan.programs[program].outputs.items()}

    def _start(self) -> None:
        for name, state in self.plan.states.items():
            start = initial(state, self.seed)
            if start is not None:
                external(state, self.states[name])[...] = start
        for name, state in self.plan.states.items():
            if isinstance(state.start, str):
                self.states[name][...] = self.states[state.start]

    def _views(self, program: Program) -> dict[str, Array]:
        homes = self.plan.homes[program.name]
        values = {value.name: value for instruction in program for value in instruction.results}
        return {**self.states, **{name: view(value, homes[name], self.memory) for name, value in values.items()}}

    def _bound(self, program: Program, poison: bool) -> list[Call]:
        views, homes = self.views[program.name], self.plan.homes[program.name]
        spread = Poison(program, homes, self.memory["arena"]) if poison else None
        calls: list[Call] = [spread.before] if spread else []
        for position, instruction in enumerate(program):
            calls += self.calls_of(instruction, views)
            calls += [partial(spread.after, position)] if spread else []
        return calls + self.successions(program)

    def successions(self, program: Program) -> list[Call]:
        """Copies of the successors that were not computed at their state's address."""
        homes, views = self.plan.homes[program.name], self.views[program.name]
        moved = [(name, value) for name, value in program.successors.items() if homes.get(value.name) != self.plan.homes[""][name]]
        return [partial(np.copyto, self.states[name], views[value.name]) for name, value in moved if value.name != name]

    def calls_of(self, instruction: Instruction, views: Mapping[str, Array]) -> list[Call]:
        """One call, or those of a fused instruction's body on arrays of its own."""
        if instruction.op == "flat":
            return [self._flat(instruction, views)]
        if instruction.body:
            own = {value.name: np.empty(value.shape, DTYPES[value.dtype]) for inner in instruction.body for value in inner.results}
            inside = {**views, **own, **{value.name: views[value.name] for value in instruction.results}}
            return [call for inner in instruction.body for call in self.calls_of(inner, inside)]
        results = [views[value.name] for value in instruction.results]
        operands = [views[value.name] for value in instruction.operands]
        if instruction.op in MOVES and all(map(partial(np.may_share_memory, results[0]), operands)):
            return []
        return [partial(KERNELS[instruction.op], *results, *operands, **self.attributes(instruction))]

    def _flat(self, instruction: Instruction, views: Mapping[str, Array]) -> Call:
        """One map over the run of bytes from the first member to the last, padding included."""
        members = instruction.body
        results = [_run([views[m.results[i].name] for m in members]) for i in range(len(members[0].results))]
        operands = [_run([views[m.operands[i].name] for m in members]) for i in range(len(members[0].operands))]
        attributes = members[0].attributes
        return partial(KERNELS["map"], *results, *operands, **{**attributes, "shape": results[0].shape})

    def attributes(self, instruction: Instruction) -> dict[str, Any]:
        """The run's seed is part of every key."""
        if instruction.op != "random":
            return dict(instruction.attributes)
        low, high = instruction.attributes["key"]
        return {**instruction.attributes, "key": (low ^ (self.seed & 0xFFFFFFFF), high ^ (self.seed >> 32))}


def _run(arrays: Sequence[Array]) -> Array:
    """What members cover from the first to the last; a single number that all of them read."""
    if arrays[0].size == 1:
        return arrays[0].reshape(())
    first, last = (array.__array_interface__["data"][0] for array in (arrays[0], arrays[-1]))
    length = (last - first) // arrays[0].itemsize + arrays[-1].size
    return np.lib.stride_tricks.as_strided(arrays[0].reshape(-1), (length,), (arrays[0].itemsize,))


def view(value: Value, home: Home, memory: Mapping[str, Array]) -> Array:
    """The array of a value; with a pitch its rows lie apart, between those of other values."""
    dtype = np.dtype(DTYPES[value.dtype])
    strides = [dtype.itemsize]
    for n in (home.pitch or value.shape[-1], *value.shape[-2:0:-1]) if value.shape[1:] else ():
        strides.insert(0, strides[0] * n)
    return np.ndarray(value.shape, dtype, memory[home.segment], home.offset, strides[: len(value.shape)])


def external(state: State, array: Array) -> Array:
    """A state with its axes in the order that they have outside: a view."""
    return array.transpose(np.argsort(state.order)) if state.order else array

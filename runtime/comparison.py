"""A plan beside an earlier stage of it, on the same random numbers: how far the values that both have are apart.

The plan runs in its own memory, one instruction after another; the earlier stage runs in the plainest way there is, every
instruction by its kernel and every value in an array of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from netcompiler.plan import HALVES, Instruction, Plan
from runtime import oracle
from runtime.arrays import Array, dtype_of, numbers
from runtime.binding import Binding
from runtime.feed import INPUT, TARGET

LAST = ("step", "accumulate", "update")
"""Programs that change state, and so run behind the others."""

FLOORS = {"f32": 1e-4, "f64": 1e-8, "f16": 1e-3, "bf16": 1e-2}
"""What counts as large in a tensor: noise around zero is no difference."""


class Difference(NamedTuple):
    """The largest difference in a value, as a share of the value's largest number; in 16 bits the norms of both, instead."""

    program: str
    value: str
    error: float
    instruction: Instruction


def compare(plan: Plan, earlier: Plan, seed: int = 0) -> Iterator[Difference]:
    """Program by program, in the order of the plan's instructions."""
    binding = Binding(plan, seed, poison=False)
    _fill(plan, binding.states, np.random.default_rng(seed))
    kept = plan.kept_in
    for name in sorted(plan.programs, key=lambda name: (name != "prepare", name in LAST)):
        expected = _plain(earlier, name, binding, seed) if name in earlier.programs else {}
        for instruction in plan.programs[name]:
            for call in binding.bound([instruction], binding.views[name]):
                call()
            for value in instruction.results:
                if value.name in expected:
                    error = _apart(binding.views[name][value.name], expected[value.name], kept)
                    yield Difference(name, value.name, error, instruction)
        for call in binding.successions(plan.programs[name]):
            call()


def _fill(plan: Plan, states: Mapping[str, Array], rng: np.random.Generator) -> None:
    """Pictures, targets, and weights that are nowhere 0."""
    for name, state in plan.states.items():
        array = states[name]
        if name in plan.classes and array.dtype.kind == "i":
            array[...] = rng.integers(0, plan.classes[name], array.shape)
        elif array.dtype == np.uint8:
            array[...] = rng.integers(0, 256, array.shape)
        elif name.startswith((INPUT, TARGET)):
            array[...] = rng.normal(size=array.shape)
        elif state.segment in ("parameters", "statistics"):
            array[...] += 0.1 * rng.random(array.shape)
    states["valid"][...] = max(1, plan.batch - 1)


def _plain(plan: Plan, program: str, binding: Binding, seed: int) -> dict[str, Array]:
    """Every value of a program, from copies of the states as they are."""
    values = {name: binding.states[name].copy() for name in plan.states}
    for instruction in plan.programs[program]:
        results = [np.empty(value.shape, dtype_of(value.dtype)) for value in instruction.results]
        values.update({value.name: array for value, array in zip(instruction.results, results, strict=True)})
        operands = [values[value.name] for value in instruction.operands]
        oracle.call(instruction.op, results, operands, oracle.attributes(instruction, seed))()
    return values


def _apart(value: Array, expected: Array, kept: str) -> float:
    value, expected = numbers(value), numbers(expected)
    if value.dtype.kind != "f":
        return float(np.mean(value != expected)) if value.size else 0.0
    if not value.size or np.array_equal(value, expected, equal_nan=True):
        return 0.0
    size = np.linalg.norm if kept in HALVES else _largest
    return float(size(value - expected) / max(FLOORS[kept], float(size(expected))))


def _largest(x: Array) -> float:
    return float(np.max(np.abs(x)))


__all__ = ["Difference", "compare"]

"""Every instruction of a plan beside what its body means, on the same random numbers: how far their results are apart.

The plan runs in its own memory; the body runs in the plainest way there is, by the reference, on copies of what the instruction
reads. So a difference is the instruction's own, and none is handed on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import inf
from typing import NamedTuple

import numpy as np

from netcompiler.plan import HALVES, Instruction, Plan
from runtime import oracle
from runtime.arrays import Array, dtype_of, numbers
from runtime.binding import Binding
from runtime.device import Call
from runtime.feed import INPUT, TARGET

LAST = ("step", "accumulate", "update")
"""Programs that change state, and so run behind the others."""

FLOORS = {"f32": 1e-4, "f64": 1e-8, "f16": 1e-3, "bf16": 1e-2}
"""What counts as large in a tensor: noise around zero is no difference."""


class Difference(NamedTuple):
    """The largest difference in a value, as a share of the value's largest number; in 16 bits the norms of both, instead. It is
    infinite where one of both is not finite and the other is; what neither can hold says nothing."""

    program: str
    value: str
    error: float
    instruction: Instruction
    finite: bool


def compare(plan: Plan, seed: int = 0) -> Iterator[Difference]:
    """Program by program, in the order of the plan's instructions."""
    binding = Binding(plan, seed, poison=False)
    _fill(plan, binding.states, np.random.default_rng(seed))
    for name in sorted(plan.programs, key=lambda name: (name != "prepare", name in LAST)):
        views = binding.views[name]
        for instruction in plan.programs[name]:
            expected = _meant(instruction, views, seed)
            _run(binding.bound([instruction], views))
            for value in instruction.results:
                error = _apart(views[value.name], expected[value.name], plan.kept_in)
                finite = bool(np.isfinite(numbers(expected[value.name])).all())
                yield Difference(name, value.name, error, instruction, finite)
        _run(binding.successions(plan.programs[name]))


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
            array[...] += 0.1 * (rng.random(array.shape) - 0.5)
    states["valid"][...] = max(1, plan.batch - 1)


def _meant(instruction: Instruction, views: Mapping[str, Array], seed: int) -> dict[str, Array]:
    """What an instruction gives by its meaning; a flat one member by member."""
    values = {value.name: views[value.name].copy() for value in instruction.operands}
    values |= {value.name: np.empty(value.shape, dtype_of(value.dtype)) for value in instruction.results}
    members = instruction.body if instruction.op == "flat" else (instruction,)
    _run([call for member in members for call in oracle.calls(member, values, seed)])
    return values


def _run(calls: Sequence[Call]) -> None:
    with np.errstate(all="ignore"):  # infinity and NaN are answers
        for call in calls:
            call()


def _apart(value: Array, expected: Array, kept: str) -> float:
    value, expected = numbers(value), numbers(expected)
    if value.dtype.kind != "f":
        return float(np.mean(value != expected)) if value.size else 0.0
    there = np.isfinite(expected)
    if not np.array_equal(there, np.isfinite(value)):
        return inf
    value, expected = value[there], expected[there]
    if not value.size:
        return 0.0
    size = np.linalg.norm if kept in HALVES else _largest
    return float(size(value - expected) / max(FLOORS[kept], float(size(expected))))


def _largest(x: Array) -> float:
    return float(np.max(np.abs(x)))


__all__ = ["Difference", "compare"]

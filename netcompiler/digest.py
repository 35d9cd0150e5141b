"""A plan as a number: equal where the same instructions run at the same addresses, wherever the spec lies that they come from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import blake2b
from typing import Any

from netcompiler.plan import Instruction, Plan, Value


def digest(plan: Plan) -> str:
    found = blake2b(digest_size=16)
    for words in _lines(plan):
        found.update(repr(words).encode())
    return found.hexdigest()


def _lines(plan: Plan) -> Iterator[tuple[Any, ...]]:
    yield plan.mode, plan.batch, plan.target, plan.dtype, *_sorted(plan.segments), *_sorted(plan.classes)
    for name, state in plan.states.items():
        yield name, _typed(state.value), state.segment, state.parameter, state.order
    for homes in (plan.homes[key] for key in sorted(plan.homes)):
        yield from _sorted(homes)
    for program in plan.programs.values():
        yield (program.name,)
        yield from map(_line, program.instructions)
        yield from ((name, value.name) for name, value in (*program.outputs.items(), *program.successors.items()))


def _line(instruction: Instruction) -> tuple[Any, ...]:
    i = instruction
    return (
        *map(_typed, i.results),
        i.op,
        *(value.name for value in i.operands),
        *_sorted(i.attributes),
        *map(_line, i.body),
        *(i.kernel, i.algorithm, i.engine, i.workspace, i.lane),
        *(value.name for value in i.after),
    )


def _typed(value: Value) -> tuple[Any, ...]:
    return value.name, value.dtype, value.shape


def _sorted(items: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return sorted(items.items())

"""The oracle's way to run instructions: a call of NumPy for each; a fused one by its body.

Numbers of 16 bits are computed with in 32 and rounded when they are written; so are operands of products in tf32 when they are read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from netcompiler.plan import MATH, Instruction
from runtime.arrays import Array, dtype_of, is_half, numbers, rounded, write
from runtime.kernels.numpy import KERNELS

MOVES = ("reshape", "slice", "concat")
"""What is done already where the result lies in its operands' bytes."""

Call = Callable[[], None]


def calls(instruction: Instruction, views: Mapping[str, Array], seed: int) -> list[Call]:
    """One call, or those of a fused instruction's body on arrays of its own."""
    if instruction.op == "flat":
        runs, many = results_and_operands(instruction, views), len(instruction.body[0].results)
        return [call("map", runs[:many], runs[many:], flat_attributes(instruction, views))]
    if instruction.body:
        own = {value.name: np.empty(value.shape, dtype_of(value.dtype)) for inner in instruction.body for value in inner.results}
        inside = {**views, **own, **{value.name: views[value.name] for value in instruction.results}}
        return [call for inner in instruction.body for call in calls(inner, inside, seed)]
    if is_done(instruction, views):
        return []
    results, operands = ([views[value.name] for value in values] for values in (instruction.results, instruction.operands))
    return [call(instruction.op, results, operands, attributes(instruction, seed))]


def call(op: str, results: Sequence[Array], operands: Sequence[Array], attributes: Mapping[str, Any]) -> Call:
    """A kernel on arrays of whatever they hold."""
    own = {name: value for name, value in attributes.items() if name != MATH}
    if MATH in attributes or any(map(is_half, (*results, *operands))):
        return partial(_widened, KERNELS[op], results, operands, own, TF32_LOSES if MATH in attributes else 0)
    return partial(KERNELS[op], *results, *operands, **own)


TF32_LOSES = 13
"""Bits of an f32 that a product in tf32 does not look at."""


def _widened(kernel: Callable[..., None], results: Sequence[Array], operands: Sequence[Array], own: Mapping[str, Any], less: int) -> None:
    wide = [np.empty(y.shape, np.float32) if is_half(y) else y for y in results]
    read = [rounded(numbers(x), less) if less else numbers(x) for x in operands]
    kernel(*wide, *read, **own)
    for y, values in zip(results, wide, strict=True):
        if values is not y:
            write(y, values)


def is_done(instruction: Instruction, views: Mapping[str, Array]) -> bool:
    """Whether the result shows its operands' bytes, so that nothing is to be moved."""
    shown = partial(np.may_share_memory, views[instruction.results[0].name])
    return instruction.op in MOVES and all(shown(views[value.name]) for value in instruction.operands)


def results_and_operands(instruction: Instruction, views: Mapping[str, Array]) -> list[Array]:
    """In this order; of a flat instruction the runs of bytes from the first member to the last, padding included."""
    if instruction.op != "flat":
        return [views[value.name] for value in (*instruction.results, *instruction.operands)]
    rows = [[views[value.name] for value in (*member.results, *member.operands)] for member in instruction.body]
    return [_run(column) for column in zip(*rows, strict=True)]


def attributes(instruction: Instruction, seed: int) -> dict[str, Any]:
    """The run's seed is part of every key."""
    if instruction.op != "random":
        return dict(instruction.attributes)
    low, high = instruction.attributes["key"]
    return {**instruction.attributes, "key": (low ^ (seed & 0xFFFFFFFF), high ^ (seed >> 32))}


def flat_attributes(instruction: Instruction, views: Mapping[str, Array]) -> dict[str, Any]:
    """Those of the map over the whole run."""
    return {**instruction.body[0].attributes, "shape": results_and_operands(instruction, views)[0].shape}


def _run(arrays: Sequence[Array]) -> Array:
    """What members cover from the first to the last; a single number that all of them read."""
    if arrays[0].size == 1:
        return arrays[0].reshape(())
    first, last = (array.__array_interface__["data"][0] for array in (arrays[0], arrays[-1]))
    length = (last - first) // arrays[0].itemsize + arrays[-1].size
    return np.lib.stride_tricks.as_strided(arrays[0].reshape(-1), (length,), (arrays[0].itemsize,))

"""Compiled kernels for processors, written as LLVM code and run by one native loop.

A family is a file; each public function of its own turns an instruction's arrays into steps: results, operands, and attributes
by name, as its namesake in ../numpy. Read next: code.py, what kernels are written with; driver.py, what runs them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from inspect import isfunction
from types import ModuleType

from netcompiler.plan import Instruction
from runtime import oracle
from runtime.arrays import Array
from runtime.kernels.behind import ahead, behind
from runtime.kernels.cpu import (
    conv,
    depthwise,
    form,
    matmul,
    packing,
    planes,
    pointwise,
    random,
    reduction,
    region,
    sampling,
    window,
    winograd,
    winograd_filters,
)
from runtime.kernels.cpu.driver import Step, Table, available

FAMILIES: tuple[ModuleType, ...] = (
    conv,
    depthwise,
    form,
    matmul,
    packing,
    planes,
    pointwise,
    random,
    reduction,
    region,
    sampling,
    window,
    winograd,
    winograd_filters,
)

KERNELS: dict[str, Callable[..., Iterable[Step]]] = {
    name: function
    for family in FAMILIES
    for name, function in vars(family).items()
    if isfunction(function) and function.__module__ == family.__name__ and not name.startswith("_")
}
"""By what an offer names: its kernel, and the algorithm behind an underscore."""

Call = Callable[[], None]


def bound(instructions: Sequence[Instruction], views: Mapping[str, Array], seed: int) -> list[Call]:
    """Tables of steps, and between them calls of the oracle where an instruction has no kernel here."""
    calls: list[Call] = []
    steps: list[Step] = []
    for part in (part for instruction in instructions for part in _parts(instruction, views, seed)):
        if isinstance(part, Step):
            steps.append(part)
            continue
        calls += [*_table(steps), part]
        steps = []
    return [*calls, *_table(steps)]


def _table(steps: Sequence[Step]) -> list[Call]:
    return [Table(steps, available())] if steps else []


def _parts(instruction: Instruction, views: Mapping[str, Array], seed: int) -> Iterator[Step | Call]:
    if instruction.kernel == "oracle":
        yield from oracle.calls(instruction, views, seed)
    elif instruction.core is not instruction:
        yield from _around(instruction, views)
    elif instruction.op == "fused":
        yield from KERNELS[_name(instruction)](instruction, views)
    elif instruction.op == "flat":
        yield from KERNELS["map"](*oracle.results_and_operands(instruction, views), **oracle.flat_attributes(instruction, views))
    elif not oracle.is_done(instruction, views):
        arrays = oracle.results_and_operands(instruction, views)
        yield from KERNELS[_name(instruction)](*arrays, **oracle.attributes(instruction, seed), **_packed(instruction, views))


def _around(instruction: Instruction, views: Mapping[str, Array]) -> Iterable[Step]:
    """A core with maps around it."""
    core, gathers = instruction.core, ahead(instruction, views)
    operands = [gathers[i] if i in gathers else views[value.name] for i, value in enumerate(core.operands)]
    finish = {"behind": behind(instruction, views)} if instruction.finish else {}
    return KERNELS[_name(instruction)](
        views[instruction.result.name], *operands, **core.attributes, **_packed(instruction, views), **finish
    )


def _packed(instruction: Instruction, views: Mapping[str, Array]) -> dict[str, Array]:
    return {"packed": views[instruction.packed[0].name]} if instruction.packed else {}


def _name(instruction: Instruction) -> str:
    return f"{instruction.kernel}_{instruction.algorithm}" if instruction.algorithm else instruction.kernel

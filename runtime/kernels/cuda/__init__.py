"""Kernels for GPUs, written as CUDA C++ and run as one graph a program.

A family is a file; each public function of its own turns an instruction's arrays into steps: results, operands, and attributes
by name, as its namesake in ../numpy. Read next: steps.py, what it yields; code.py, what kernels are written with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from inspect import isfunction
from types import ModuleType
from typing import Any

from netcompiler.plan import Instruction
from runtime import oracle
from runtime.arrays import Array
from runtime.kernels.behind import behind
from runtime.kernels.cuda import (
    collective,
    convolutions,
    depthwise,
    form,
    matmul,
    pointwise,
    products,
    random,
    reduction,
    region,
    sampling,
    window,
)
from runtime.kernels.cuda.call import Call
from runtime.kernels.cuda.driver import Driver
from runtime.kernels.cuda.steps import Step

FAMILIES: tuple[ModuleType, ...] = (
    collective,
    convolutions,
    depthwise,
    form,
    matmul,
    pointwise,
    products,
    random,
    reduction,
    region,
    sampling,
    window,
)

KERNELS: dict[str, Callable[..., Iterable[Step]]] = {
    name: function
    for family in FAMILIES
    for name, function in vars(family).items()
    if isfunction(function) and function.__module__ == family.__name__ and not name.startswith("_")
}
"""By what an offer names: its kernel, and the algorithm behind an underscore."""


def bound(instructions: Sequence[Instruction], views: Mapping[str, Array], seed: int) -> list[Step]:
    return [step for instruction in instructions for step in _steps(instruction, views, seed)]


def engines(driver: Driver, instruction: Instruction, views: Mapping[str, Array]) -> list[str]:
    """Of the library that runs an instruction; none where our own kernels do."""
    for step in _steps(instruction, views, 0):
        if isinstance(step, Call):
            return step.engines(driver)
    return []


def _steps(instruction: Instruction, views: Mapping[str, Array], seed: int) -> Iterator[Step]:
    kernel = KERNELS[f"{instruction.kernel}_{instruction.algorithm}" if instruction.algorithm else instruction.kernel]
    arrays = oracle.results_and_operands(instruction, views)
    if instruction.core is not instruction:
        yield from _finished(kernel, instruction, views)
    elif instruction.op == "fused":
        yield from kernel(instruction, views)
    elif instruction.op == "flat":
        yield from kernel(*arrays, **oracle.flat_attributes(instruction, views))
    elif not oracle.is_done(instruction, views):
        yield from kernel(*arrays, **oracle.attributes(instruction, seed), **_own(instruction, views))


def _finished(kernel: Callable[..., Iterable[Step]], instruction: Instruction, views: Mapping[str, Array]) -> Iterable[Step]:
    """A core with the map behind it."""
    finish, core = behind(instruction, views), instruction.core
    operands = [views[value.name] for value in core.operands]
    return kernel(finish.results[0], *operands, **core.attributes, **_own(instruction, views), behind=finish)


def _own(instruction: Instruction, views: Mapping[str, Array]) -> dict[str, Any]:
    """What the compiler chose for a kernel."""
    engine = {"engine": instruction.engine} if instruction.engine else {}
    return {"workspace": views[instruction.scratch.name], **engine} if instruction.scratch else engine

"""Where the arrays of a plan lie, and who runs instructions on them: this processor, or a GPU.

An array of a GPU is a NumPy array over an address there: its shape and strides count, but only the device touches its numbers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

import numpy as np

from netcompiler.plan import Instruction
from runtime import oracle
from runtime.arrays import Array, aligned, write
from runtime.environment import available

Call = Callable[[], None]
Later = Callable[[], list[float]]
"""Numbers for who asks: it waits until they are there."""


class Refused(Exception):
    """A library of the device has no way to run instructions: other offers have to. Which ones is told as soon as it is known."""

    def __init__(self, why: str, instructions: Sequence[Instruction] = ()) -> None:
        super().__init__(why)
        self.instructions = instructions


class Slots(Protocol):
    """Where batches come in. What is laid between `begin` and `end` is what is read by all that is run behind."""

    def begin(self) -> Array:
        """Bytes outside, as those of the segment of inputs."""

    def end(self) -> None: ...


class Device(Protocol):
    behind: int
    """How many steps may be under way while the next one is begun."""

    def free(self) -> int:
        """Bytes that can still be had."""

    def takes(self, segments: Mapping[str, int]) -> int:
        """Bytes for a plan with segments of these sizes."""

    def allocate(self, size: int) -> Array:
        """Bytes of zero."""

    def slots(self, inputs: Array) -> Slots:
        """What brings batches into a segment."""

    def write(self, to: Array, values: Any) -> None:
        """Numbers from outside, broadcast to an array here."""

    def fill(self, array: Array, byte: int) -> None:
        """Each byte of an array without gaps."""

    def read(self, array: Array) -> Array:
        """A copy outside, without gaps."""

    def figures(self, numbers: Sequence[Array]) -> Later:
        """Single numbers, as they are when all is done that was begun."""

    def bound(self, instructions: Sequence[Instruction], views: Mapping[str, Array], seed: int) -> list[Call]:
        """What runs the instructions one after the other."""

    def engines(self, instruction: Instruction, views: Mapping[str, Array]) -> list[str]:
        """The names of a library's ways to run an instruction that is its business, the most promising first."""

    def moved(self, to: Array, values: Array) -> Call:
        """What copies from one array here to another."""

    def whole(self, calls: Sequence[Call]) -> list[Call]:
        """A program's calls as they are run again and again."""

    def seconds(self, calls: Sequence[Call]) -> float:
        """What calls take."""

    def wait(self) -> None:
        """Until everything that was begun is done."""


class Host:
    """Memory of this process; the oracle, or compiled kernels."""

    behind = 0

    def __init__(self, target: str) -> None:
        self.target = target

    def free(self) -> int:
        return available()

    def takes(self, segments: Mapping[str, int]) -> int:
        return sum(segments.values())

    def allocate(self, size: int) -> Array:
        return aligned(size)

    def slots(self, inputs: Array) -> Slots:
        return _InPlace(inputs)

    def write(self, to: Array, values: Any) -> None:
        write(to, values)

    def fill(self, array: Array, byte: int) -> None:
        array.fill(byte)

    def read(self, array: Array) -> Array:
        return array.copy()

    def figures(self, numbers: Sequence[Array]) -> Later:
        values = [float(number.item()) for number in numbers]
        return lambda: values

    def bound(self, instructions: Sequence[Instruction], views: Mapping[str, Array], seed: int) -> list[Call]:
        if self.target == "cpu":
            from runtime.kernels import cpu  # LLVM is loaded by those who want it

            return cpu.bound(instructions, views, seed)
        return [call for instruction in instructions for call in oracle.calls(instruction, views, seed)]

    def engines(self, instruction: Instruction, views: Mapping[str, Array]) -> list[str]:
        return []

    def moved(self, to: Array, values: Array) -> Call:
        return partial(np.copyto, to, values)

    def whole(self, calls: Sequence[Call]) -> list[Call]:
        return list(calls)

    def seconds(self, calls: Sequence[Call]) -> float:
        begin = time.perf_counter()
        for call in calls:
            call()
        return time.perf_counter() - begin

    def wait(self) -> None:
        return


class _InPlace:
    """What is done as soon as it is asked for takes its inputs where they are laid."""

    def __init__(self, inputs: Array) -> None:
        self.inputs = inputs

    def begin(self) -> Array:
        return self.inputs

    def end(self) -> None:
        return


def device_of(target: str) -> Device:
    if target == "cuda":
        from runtime.kernels.cuda.device import Gpu  # CuPy is loaded by those who want it
        from runtime.kernels.cuda.hardware import opened

        return Gpu(opened())
    return Host(target)

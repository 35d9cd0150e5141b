"""Where the arrays of a plan lie, and who runs instructions on them: this processor, or a GPU.

An array of a GPU is a NumPy array over an address there: its shape and strides count, but only the device touches its numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

import numpy as np

from netcompiler.plan import Instruction
from runtime import oracle
from runtime.arrays import Array, aligned

Call = Callable[[], None]


class Device(Protocol):
    def allocate(self, size: int) -> Array:
        """Bytes of zero."""

    def write(self, to: Array, values: Any) -> None:
        """Numbers from outside, broadcast to an array here."""

    def read(self, array: Array) -> Array:
        """A copy outside, without gaps."""

    def bound(self, instructions: Sequence[Instruction], views: Mapping[str, Array], seed: int) -> list[Call]:
        """What runs the instructions one after the other."""

    def moved(self, to: Array, values: Array) -> Call:
        """What copies from one array here to another."""

    def whole(self, calls: Sequence[Call]) -> list[Call]:
        """A program's calls as they are run again and again."""

    def wait(self) -> None:
        """Until everything that was begun is done."""


class Host:
    """Memory of this process; the oracle, or compiled kernels."""

    def __init__(self, target: str) -> None:
        self.target = target

    def allocate(self, size: int) -> Array:
        return aligned(size)

    def write(self, to: Array, values: Any) -> None:
        to[...] = values

    def read(self, array: Array) -> Array:
        return array.copy()

    def bound(self, instructions: Sequence[Instruction], views: Mapping[str, Array], seed: int) -> list[Call]:
        if self.target == "cpu":
            from runtime.kernels import cpu  # LLVM is loaded by those who want it

            return cpu.bound(instructions, views, seed)
        return [call for instruction in instructions for call in oracle.calls(instruction, views, seed)]

    def moved(self, to: Array, values: Array) -> Call:
        return partial(np.copyto, to, values)

    def whole(self, calls: Sequence[Call]) -> list[Call]:
        return list(calls)

    def wait(self) -> None:
        return


def device_of(target: str) -> Device:
    return Host(target)

"""A GPU as a plan's device: programs are bound to steps, and run as one graph each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from netcompiler.plan import Instruction
from runtime.arrays import Array
from runtime.device import Call
from runtime.kernels import cuda
from runtime.kernels.cuda.driver import Driver
from runtime.kernels.cuda.steps import Copy, Step


class Steps:
    """A call that runs steps one after the other."""

    def __init__(self, driver: Driver, steps: Sequence[Step]) -> None:
        self.driver = driver
        self.steps = steps
        for step in steps:
            step.prepare(driver)

    def __call__(self) -> None:
        for step in self.steps:
            step.run(self.driver)


class Gpu:
    def __init__(self, driver: Driver) -> None:
        self.driver = driver

    def allocate(self, size: int) -> Array:
        return self.driver.allocate(size)

    def write(self, to: Array, values: Any) -> None:
        """Laid out here as it lies there, then moved as a whole."""
        there = _lying(to)
        here = np.empty(there.shape, there.dtype)
        here.transpose(np.argsort(_order(to)))[...] = values
        self.driver.upload(there, here)

    def read(self, array: Array) -> Array:
        return np.ascontiguousarray(self.driver.download(_lying(array)).transpose(np.argsort(_order(array))))

    def bound(self, instructions: Sequence[Instruction], views: Mapping[str, Array], seed: int) -> list[Call]:
        return [Steps(self.driver, cuda.bound(instructions, views, seed))]

    def moved(self, to: Array, values: Array) -> Call:
        return Steps(self.driver, [Copy(to, values)])

    def whole(self, calls: Sequence[Call]) -> list[Call]:
        """One graph, captured when it is run for the first time: then all that it reads is there."""
        return [_Graph(self.driver, calls)]

    def wait(self) -> None:
        self.driver.wait()


class _Graph:
    def __init__(self, driver: Driver, calls: Sequence[Call]) -> None:
        self.driver = driver
        self.calls = calls
        self.replay: Call | None = None

    def __call__(self) -> None:
        self.replay = self.replay or self.driver.captured(self._run)
        self.replay()

    def _run(self) -> None:
        for call in self.calls:
            call()


def _order(array: Array) -> list[int]:
    """Axes from the longest step to the shortest: in their order in memory."""
    return sorted(range(array.ndim), key=lambda axis: (-array.strides[axis], axis))


def _lying(array: Array) -> Array:
    """The same bytes with the axes as they lie: without gaps between them, as states and outputs are."""
    there = array.transpose(_order(array))
    assert there.flags.c_contiguous, "arrays with gaps stay on the device"
    return there

"""A GPU as a plan's device: programs are bound to steps, and run as one graph each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from netcompiler.plan import Instruction
from runtime.arrays import Array, bytes_at, write
from runtime.device import Call, Later, Refused, Slots
from runtime.kernels import cuda
from runtime.kernels.cuda.driver import MAIN, Driver
from runtime.kernels.cuda.figures import Figures
from runtime.kernels.cuda.inputs import SLOTS, Inputs
from runtime.kernels.cuda.small import number, pause
from runtime.kernels.cuda.steps import Copy, Launch, Step
from runtime.kernels.layout import address


class Steps:
    """A call that runs steps one after the other."""

    def __init__(self, driver: Driver, steps: Sequence[Step]) -> None:
        self.driver = driver
        self.steps = steps
        driver.compile(texts(steps))
        for step in steps:
            step.prepare(driver)

    def __call__(self) -> None:
        for step in self.steps:
            step.run(self.driver)


def texts(steps: Sequence[Step]) -> list[str]:
    return [step.source for step in steps if isinstance(step, Launch)]


class Gpu:
    """With `graphs` a program is captured when it is run again, and from then on launched as a whole."""

    behind = 1

    def __init__(self, driver: Driver, graphs: bool = True) -> None:
        self.driver = driver
        self.graphs = graphs
        self.told = Figures(driver)

    def free(self) -> int:
        return self.driver.free()

    def takes(self, segments: Mapping[str, int]) -> int:
        """Inputs also lie in the slots that they come by."""
        return sum(segments.values()) + SLOTS * segments.get("inputs", 0)

    def allocate(self, size: int) -> Array:
        return self.driver.allocate(size)

    def slots(self, inputs: Array) -> Slots:
        return Inputs(self.driver, inputs)

    def write(self, to: Array, values: Any) -> None:
        """Laid out here as it lies there, then moved as a whole; a single number goes into the stream, and nobody waits for it."""
        if to.size == 1 and np.size(values) == 1:
            number(to, np.asarray(values).item()).run(self.driver)
            return
        there = _lying(to)
        here = np.empty(there.shape, there.dtype)
        write(here.transpose(np.argsort(_order(to))), values)
        self.driver.upload(there, here)

    def fill(self, array: Array, byte: int) -> None:
        self.driver.fill(array, byte)

    def read(self, array: Array) -> Array:
        """All from its first byte to its last, gaps included, which are left out here."""
        here = self.driver.download(_span(array))
        return np.ascontiguousarray(np.ndarray(array.shape, array.dtype, here, 0, array.strides))

    def figures(self, numbers: Sequence[Array]) -> Later:
        return self.told.later(numbers)

    def bound(self, instructions: Sequence[Instruction], views: Mapping[str, Array], seed: int) -> list[Call]:
        """A call for each instruction; all their texts are compiled side by side."""
        each = [cuda.bound([instruction], views, seed) for instruction in instructions]
        self.driver.compile(text for steps in each for text in texts(steps))
        calls: list[Call] = []
        refused: dict[Instruction, str] = {}
        for instruction, steps in zip(instructions, each, strict=True):
            try:
                calls.append(Steps(self.driver, steps))
            except Refused as reason:
                refused[instruction] = str(reason)
        if refused:
            raise Refused("; ".join(dict.fromkeys(refused.values())), tuple(refused))
        return calls

    def engines(self, instruction: Instruction, views: Mapping[str, Array]) -> list[str]:
        return cuda.engines(self.driver, instruction, views)

    def moved(self, to: Array, values: Array) -> Call:
        return Steps(self.driver, [Copy(to, values)])

    def whole(self, calls: Sequence[Call]) -> list[Call]:
        """One graph, captured when it is run for the second time: the first time libraries load what a capture forbids."""
        return [_Graph(self.driver, calls)] if self.graphs else list(calls)

    def seconds(self, calls: Sequence[Call]) -> float:
        """By the stream's own clock. The pause lets all be asked for before the first of it begins."""
        pause().run(self.driver)
        begin = self.driver.mark(MAIN)
        for call in calls:
            call()
        end = self.driver.mark(MAIN)
        self.driver.reached(end)
        return self.driver.seconds(begin, end)

    def wait(self) -> None:
        self.driver.wait()


class _Graph:
    def __init__(self, driver: Driver, calls: Sequence[Call]) -> None:
        self.driver = driver
        self.calls = calls
        self.replay: Call = self._first

    def __call__(self) -> None:
        self.replay()

    def _first(self) -> None:
        self._run()
        self.replay = self._second

    def _second(self) -> None:
        self.replay = self.driver.captured(self._run)
        self.replay()

    def _run(self) -> None:
        for call in self.calls:
            call()


def _order(array: Array) -> list[int]:
    """Axes from the longest step to the shortest: in their order in memory."""
    return sorted(range(array.ndim), key=lambda axis: (-array.strides[axis], axis))


def _lying(array: Array) -> Array:
    """The same bytes with the axes as they lie: without gaps between them, as states are."""
    there = array.transpose(_order(array))
    assert there.flags.c_contiguous, "what is written from outside has no gaps"
    return there


def _span(array: Array) -> Array:
    """Bytes from the first to the last of an array."""
    last = sum((n - 1) * step for n, step in zip(array.shape, array.strides, strict=True))
    return bytes_at(address(array), (last + array.itemsize) * bool(array.size), array)

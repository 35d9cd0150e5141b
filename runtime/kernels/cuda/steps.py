"""What a bound program consists of on a GPU. Each step says what it reads and writes, so that the order can be checked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from runtime.arrays import Array
from runtime.kernels.cuda.driver import Driver


class Step(Protocol):
    @property
    def reads(self) -> Sequence[Array]: ...

    @property
    def writes(self) -> Sequence[Array]: ...

    def prepare(self, driver: Driver) -> None:
        """Whatever must not be done while a graph is captured."""

    def run(self, driver: Driver) -> None:
        """Into the driver's stream."""


class Launch(NamedTuple):
    """A kernel of a text over a grid of blocks; its only parameter is a table of 64-bit numbers, addresses among them."""

    source: str
    grid: tuple[int, int, int]
    block: tuple[int, int, int]
    table: Sequence[int]
    reads: Sequence[Array] = ()
    writes: Sequence[Array] = ()

    def prepare(self, driver: Driver) -> None:
        driver.function(self.source)

    def run(self, driver: Driver) -> None:
        driver.launch(driver.function(self.source), self.grid, self.block, self.table)


class Copy(NamedTuple):
    """Between arrays of the device that are equally laid out, without gaps."""

    to: Array
    values: Array

    @property
    def reads(self) -> Sequence[Array]:
        return (self.values,)

    @property
    def writes(self) -> Sequence[Array]:
        return (self.to,)

    def prepare(self, driver: Driver) -> None:
        return

    def run(self, driver: Driver) -> None:
        driver.copy(self.to, self.values)

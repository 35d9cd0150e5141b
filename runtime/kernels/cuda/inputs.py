"""Batches on their way to a GPU: two slots, so that one is filled and copied while a program reads the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from runtime.arrays import Array
from runtime.kernels.cuda.driver import COPIES, MAIN, Driver

SLOTS = 2


@dataclass
class _Slot:
    here: Array
    there: Array
    sent: Any = None
    """The mark behind its copy to the GPU."""
    taken: Any = None
    """The mark behind its copy to where programs read it."""


class Inputs:
    """Programs read one place; from its slot a batch is moved there in the main stream, which takes as good as no time."""

    def __init__(self, driver: Driver, inputs: Array) -> None:
        self.driver, self.inputs = driver, inputs
        self.slots = [_Slot(driver.staging(inputs.nbytes), driver.allocate(inputs.nbytes)) for _ in range(SLOTS)]
        driver.wait()  # memory is cleared in another stream than it is written in

    def begin(self) -> Array:
        """The slot that was filled before the last one: where its copy is under way, it is waited for."""
        slot = self.slots[0]
        if slot.sent:
            self.driver.reached(slot.sent)
        return slot.here

    def end(self) -> None:
        driver, slot = self.driver, self.slots[0]
        if slot.taken:
            driver.hold(COPIES, slot.taken)
        driver.copy(slot.there, slot.here, COPIES)
        slot.sent = driver.mark(COPIES)
        driver.hold(MAIN, slot.sent)
        driver.copy(self.inputs, slot.there)
        slot.taken = driver.mark(MAIN)
        self.slots.reverse()

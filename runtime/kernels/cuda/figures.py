"""Losses and metrics on their way from a GPU: written to memory of this process by a kernel, and read when somebody asks.

Places are used again and again, as many as there are figures that nobody has asked for yet.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from runtime.arrays import Array
from runtime.device import Later
from runtime.kernels.cuda.driver import MAIN, Driver
from runtime.kernels.cuda.small import gathered

WIDTH = 8
"""Bytes of a figure."""


class Figures:
    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self.free: defaultdict[int, list[Array]] = defaultdict(list)
        """Places by their size."""

    def later(self, numbers: Sequence[Array]) -> Later:
        places = self.free[len(numbers)]
        place = places.pop() if places else self.driver.staging(WIDTH * len(numbers))
        gathered(place, numbers).run(self.driver)
        mark = self.driver.mark(MAIN)

        def ask() -> list[float]:
            self.driver.reached(mark)
            found: list[float] = place.view("f8").tolist()
            places.append(place)
            return found

        return ask

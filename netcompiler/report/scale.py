"""From numbers to positions on an axis, and the round numbers that are written beside it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

DECADES, MIDDLE = 100, 5
"""Positive numbers are drawn by their logarithms, when they lie further apart than the first factor and the greatest lies further
above the one in the middle than the second: else few would be seen at all."""


GREATEST = 1e100
"""What lies beyond is drawn at the end of the axis."""


class Scale(NamedTuple):
    low: float
    high: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """0 at the low end, 1 at the high one."""
        if self.high == self.low:
            return 0.5
        value = min(max(value, self.low), self.high)
        if self.log:
            low, at, high = map(math.log, (self.low, value, self.high))
            return (at - low) / (high - low)
        return (value - self.low) / (self.high - self.low)

    def ticks(self, most: int = 5) -> list[float]:
        """Powers of ten, or multiples of 1, 2 or 5 times one."""
        if self.high == self.low:
            return [self.low]
        if self.log:
            first, last = math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9)
            every = max(1, -(-(last - first + 1) // most))
            return [10.0**power for power in range(first, last + 1, every)]
        step = _round((self.high - self.low) / most)
        return [n * step for n in range(math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9) + 1)]


def scale(values: Iterable[float], zero: bool = False) -> Scale:
    """For values of any use; `zero` begins a linear one at 0, where there is nothing below."""
    finite = [value if abs(value) > 1 / GREATEST else 0.0 for value in values if abs(value) < GREATEST] or [0.0, 1.0]
    low, high = min(finite), max(finite)
    if low > 0 and high > max(DECADES * low, MIDDLE * sorted(finite)[len(finite) // 2]):
        return Scale(low, high, log=True)
    return Scale(min(low, 0.0) if zero else low, high)


def _round(step: float) -> float:
    """The next of 1, 2, 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= step * (1 - 1e-9))

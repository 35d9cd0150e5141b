"""Gradients against central differences, in float64: a few elements of every tensor, drawn by chance.

Where there is a corner in reach, as of a relu or a max, another element is drawn.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from runtime.feed import INPUT, TARGET
from runtime.session import Session

Array = np.ndarray[Any, Any]
Numbers = dict[str, Array]
STEP = 1e-5
DRAWS = 8
"""Elements that are drawn at most for each that is compared."""

CORNER = 1e-6
"""What slopes ahead and behind differ by halves with the step. Where it does not, up to this part of the slope, there is a corner."""


class Compared(NamedTuple):
    """One element of a tensor."""

    at: tuple[int, ...]
    gradient: float
    difference: float
    error: float


class Tensor(NamedTuple):
    """What came out for one tensor; `corners` counts elements that had no derivative in reach."""

    name: str
    shape: tuple[int, ...]
    compared: list[Compared]
    corners: int

    @property
    def error(self) -> float:
        return max((each.error for each in self.compared), default=0.0)


def made_up(session: Session, rng: np.random.Generator) -> tuple[Numbers, Numbers]:
    """Normal inputs, and targets between 0 and 1 or classes, for a whole batch."""
    inputs: Numbers = {}
    targets: Numbers = {}
    for name, slot in session.feed.slots.items():
        rows, *sides, channels = slot.shape
        if name.startswith(INPUT):
            inputs[name.removeprefix(INPUT)] = rng.normal(size=(rows, channels, *sides))
        elif classes := session.plan.classes.get(name):
            targets[name.removeprefix(TARGET)] = rng.integers(0, classes, (rows, *sides))
        elif name.startswith(TARGET):
            targets[name.removeprefix(TARGET)] = rng.uniform(size=(rows, channels, *sides))
    return inputs, targets


class Check:
    """Compares the gradients of one batch.

    An error is relative to the element, or where that is smaller to a thousandth of the largest gradient, or of a tenth of the loss."""

    def __init__(self, session: Session, batch: tuple[Numbers, Numbers], samples: int, rng: np.random.Generator) -> None:
        self.session, self.batch, self.samples, self.rng = session, batch, samples, rng
        self.loss, self.gradients = session.gradients(*batch)
        self.floor = max(1e-3 * max((float(np.max(np.abs(g))) for g in self.gradients.values()), default=0.0), 1e-4 * abs(self.loss))
        self.weights = session.parameters()

    def tensors(self) -> Iterator[Tensor]:
        for name in self.gradients:
            yield self._tensor(name)
            self.session.load({name: self.weights[name]})

    def _tensor(self, name: str) -> Tensor:
        gradient = self.gradients[name]
        found: list[Compared] = []
        corners = 0
        for flat in self.rng.permutation(gradient.size)[: self.samples * DRAWS]:
            at = tuple(int(i) for i in np.unravel_index(flat, gradient.shape))
            (_, wide_bend), (slope, bend), own = self._slope(name, at, STEP), self._slope(name, at, STEP / 2), float(gradient[at])
            scale = max(abs(own), abs(slope), self.floor)
            if abs(wide_bend / 2 - bend) > CORNER * scale:
                corners += 1
            else:
                found.append(Compared(at, own, slope, abs(own - slope) / scale))
            if len(found) == self.samples:
                break
        return Tensor(name, gradient.shape, found, corners)

    def _slope(self, name: str, at: tuple[int, ...], step: float) -> tuple[float, float]:
        """The central difference, and by how much the slope ahead differs from the slope behind."""
        ends = []
        for sign in (1, -1):
            moved = self.weights[name].copy()
            moved[at] += sign * step
            self.session.load({name: moved})
            ends.append(self.session.gradients(*self.batch)[0])
        ahead, behind = ends
        return (ahead - behind) / (2 * step), (ahead + behind - 2 * self.loss) / step

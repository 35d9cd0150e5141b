"""Training that is only tried: what a step and a validation take, on the first pictures; nothing is kept."""

from __future__ import annotations

import time
from typing import NamedTuple

import numpy as np

from runtime.data.feeder import Feeder
from runtime.session import Session

PATIENCE = 5.0
"""Seconds after which no further step is tried."""
STEPS = 3


class Pace(NamedTuple):
    """Seconds for a step with its pictures, and for the validation of all pictures."""

    step: float
    validation: float
    finite: bool

    def whole(self, steps: int, validations: int) -> float:
        return steps * self.step + validations * self.validation


def rehearse(session: Session, batch: int, train: Feeder, test: Feeder) -> Pace:
    """The first step warms up, where there is time for another."""
    seconds: list[float] = []
    finite, begin = True, time.perf_counter()
    for places, (inputs, targets) in train.batches(batch, np.arange(min(len(train), STEPS * batch))):
        figures = session.step(inputs, targets, places, 0)
        finite = finite and session.is_sound(figures)
        seconds.append(time.perf_counter() - begin - sum(seconds))
        if sum(seconds) > PATIENCE:
            break
    return Pace(min(seconds), _validation(session, test), finite)


def _validation(session: Session, test: Feeder) -> float:
    size, begin = session.plan.batch, time.perf_counter()
    order = np.arange(min(len(test), 2 * size))
    for _, (inputs, targets) in test.batches(size, order):
        session.evaluate(inputs, targets)
    return (time.perf_counter() - begin) * len(test) / len(order)

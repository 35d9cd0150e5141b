"""Whether a target computes what it should: a small net is trained on it for some steps, and on the oracle beside it."""

from __future__ import annotations

import time
from typing import NamedTuple

import numpy as np

from netcompiler.plan import Plan
from runtime.arrays import Array
from runtime.session import Session

STEPS = 10
APART = 2e-2
"""Of losses that were computed in other orders and precisions, relative to the oracle's."""


class Verdict(NamedTuple):
    """Losses of both, and the seconds of the target's, compiling included."""

    losses: list[float]
    expected: list[float]
    seconds: float

    @property
    def sound(self) -> bool:
        return bool(np.allclose(self.losses, self.expected, APART))


def compared(plan: Plan, oracle: Plan) -> Verdict:
    """Both plans of one net, which reads pictures and tells classes."""
    rng, (images, labels) = np.random.default_rng(0), (plan.states["in.input"].value, plan.states["target.output"].value)
    x = rng.normal(size=(images.shape[0], images.shape[-1], *images.shape[1:-1])).astype("f4")
    y = rng.integers(0, plan.classes["target.output"], labels.shape[0])
    expected = _losses(Session(oracle), x, y)
    begin = time.perf_counter()
    losses = _losses(Session(plan), x, y)
    return Verdict(losses, expected, time.perf_counter() - begin)


def _losses(session: Session, x: Array, y: Array) -> list[float]:
    return [session.step(x, y)["loss"] for _ in range(STEPS)]

"""What this machine does at best, measured: arithmetic in a product of matrices, and memory in a copy."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

SIDE = 1024
COPIED = 2**26
"""Bytes, far more than a cache holds."""

TURNS = 5


class Ceilings(NamedTuple):
    """In a second."""

    flops: float
    bytes: float


def ceilings() -> Ceilings:
    a, b, c = (np.ones((SIDE, SIDE), np.float32) for _ in range(3))
    source, copy = np.ones(COPIED, np.uint8), np.empty(COPIED, np.uint8)
    return Ceilings(2 * SIDE**3 / _least(lambda: np.matmul(a, b, out=c)), 2 * COPIED / _least(lambda: np.copyto(copy, source)))


def _least(work: Callable[[], object]) -> float:
    def once() -> float:
        begin = time.perf_counter()
        work()
        return time.perf_counter() - begin

    return min(once() for _ in range(TURNS))

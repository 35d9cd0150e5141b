"""What this machine does at best, measured on the target's own ground: arithmetic in products, and memory in a copy."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from netcompiler.scalar import operand

SIDE = 1024
BLOCKS = 2**14
COPIED = 2**26
"""Bytes, far more than a cache holds."""

TURNS = 15
"""Short ones, so that one of them has the machine to itself."""


class Ceilings(NamedTuple):
    """In a second."""

    flops: float
    bytes: float


def ceilings(target: str) -> Ceilings:
    return _compiled() if target == "cpu" else _called()


def _compiled() -> Ceilings:
    """By compiled kernels, on as many threads as run them."""
    from runtime.kernels import cpu
    from runtime.kernels.cpu import peak
    from runtime.kernels.cpu.driver import Table, available

    source, copy = np.ones(COPIED // 4, np.float32), np.empty(COPIED // 4, np.float32)
    copying = cpu.KERNELS["map"](copy, source, exprs=(operand(0),), shape=copy.shape, dtype="f32")
    block, stream = (Table(list(steps), available()) for steps in ([peak.blocks(BLOCKS)], copying))
    return Ceilings(peak.flops(BLOCKS) / _least(block), 2 * COPIED / _least(stream))


def _called() -> Ceilings:
    a, b, c = (np.ones((SIDE, SIDE), np.float32) for _ in range(3))
    source, copy = np.ones(COPIED, np.uint8), np.empty(COPIED, np.uint8)
    return Ceilings(2 * SIDE**3 / _least(lambda: np.matmul(a, b, out=c)), 2 * COPIED / _least(lambda: np.copyto(copy, source)))


def _least(work: Callable[[], object]) -> float:
    def once() -> float:
        begin = time.perf_counter()
        work()
        return time.perf_counter() - begin

    return min(once() for _ in range(TURNS))

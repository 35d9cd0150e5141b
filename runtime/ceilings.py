"""What this machine does at best, measured on the target's own ground: arithmetic in products, and memory in a copy."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from netcompiler.scalar import operand
from runtime.arrays import Array, dtype_of
from runtime.device import device_of

SIDE = 1024
BLOCKS = 2**14
COPIED = 2**26
"""Bytes, far more than a cache holds."""

GPU_SIDE, GPU_COPIED, GPU_WORKSPACE = 8192, 2**29, 2**25
GPU_PRODUCTS = {"fp32": ("f32", ""), "tf32": ("f32", "tf32"), "bf16": ("bf16", ""), "fp16": ("f16", "")}
"""By precision, what factors are kept in, and the way in which they are multiplied."""

TURNS = 15
"""Short ones, so that one of them has the machine to itself."""


class Ceilings(NamedTuple):
    """In a second."""

    flops: float
    bytes: float


def ceilings(target: str, precision: str = "fp32") -> Ceilings:
    """`precision` is what products are computed in, where a target has several."""
    if target == "cuda":
        return _on_gpu(precision)
    return _compiled() if target == "cpu" else _called()


def _on_gpu(precision: str) -> Ceilings:
    from runtime.kernels.cuda import KERNELS
    from runtime.kernels.cuda.device import Gpu, Steps

    device = device_of("cuda")
    assert isinstance(device, Gpu)

    def least(kernel: str, *arrays: Array, **how: Any) -> float:
        [call] = device.whole([Steps(device.driver, list(KERNELS[kernel](*arrays, **how)))])
        return min(device.seconds([call]) for _ in range(TURNS))

    source, copy = (device.allocate(GPU_COPIED).view("f4") for _ in range(2))
    kept, math = GPU_PRODUCTS[precision]
    a, b, c = (device.allocate(GPU_SIDE**2 * dtype_of(kept).itemsize).view(dtype_of(kept)).reshape(GPU_SIDE, GPU_SIDE) for _ in range(3))
    product = least("matmul_cublas", c, a, b, ta=False, tb=False, workspace=device.allocate(GPU_WORKSPACE), math=math)
    copying = least("map", copy, source, exprs=(operand(0),), shape=copy.shape, dtype="f32")
    return Ceilings(2 * GPU_SIDE**3 / product, 2 * GPU_COPIED / copying)


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

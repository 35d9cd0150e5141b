"""What the driver of a machine's GPUs says, asked without CuPy."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any, NamedTuple

OLDEST = 12
"""The first CUDA that there are packages for."""
NEWEST = 13


class Seen(NamedTuple):
    """By the driver: its newest CUDA as major and minor, and the GPUs by name and bytes."""

    cuda: tuple[int, int]
    gpus: tuple[tuple[str, int], ...]

    @property
    def extra(self) -> str:
        return f"cuda{min(NEWEST, max(OLDEST, self.cuda[0]))}"


@cache
def seen() -> Seen | None:
    """Nothing, where there is no driver of NVIDIA's."""
    try:
        cuda = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return None
    if cuda.cuInit(0):
        return None
    number, count = ctypes.c_int(), ctypes.c_int()
    cuda.cuDriverGetVersion(ctypes.byref(number))
    cuda.cuDeviceGetCount(ctypes.byref(count))
    return Seen((number.value // 1000, number.value % 1000 // 10), tuple(_gpu(cuda, at) for at in range(count.value)))


def _gpu(cuda: Any, at: int) -> tuple[str, int]:
    device, name, size = ctypes.c_int(), ctypes.create_string_buffer(256), ctypes.c_size_t()
    cuda.cuDeviceGet(ctypes.byref(device), at)
    cuda.cuDeviceGetName(name, len(name), device)
    cuda.cuDeviceTotalMem_v2(ctypes.byref(size), device)
    return name.value.decode(), size.value

"""Arrays as plans name them."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

_DTYPES: dict[str, np.dtype[Any]] = {
    "f64": np.dtype(np.float64),
    "f32": np.dtype(np.float32),
    "i64": np.dtype(np.int64),
    "i32": np.dtype(np.int32),
    "u32": np.dtype(np.uint32),
    "u16": np.dtype(np.uint16),
    "u8": np.dtype(np.uint8),
    "b1": np.dtype(np.bool_),
}
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}


def dtype_of(name: str) -> np.dtype[Any]:
    return _DTYPES[name]


def name_of(array: Array) -> str:
    """The plan's name of an array's dtype."""
    return _NAMES[array.dtype]


def aligned(size: int, to: int = 64) -> Array:
    """Bytes of zero that begin at a line of the cache."""
    whole = np.zeros(size + to, np.uint8)
    begin = -whole.ctypes.data % to
    return whole[begin : begin + size]


class _Bytes:
    """What NumPy makes an array of, without looking at what lies there."""

    def __init__(self, address: int, size: int, owner: Any) -> None:
        self.owner = owner
        self.__array_interface__ = {"data": (address, False), "shape": (size,), "typestr": "|u1", "version": 3}


def bytes_at(address: int, size: int, owner: Any) -> Array:
    """An array over memory that somebody else owns, and keeps for as long as the array lives."""
    return np.asarray(_Bytes(address, size, owner))

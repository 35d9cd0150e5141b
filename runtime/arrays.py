"""Arrays as plans name them."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

_DTYPES: dict[str, np.dtype[Any]] = {
    "f64": np.dtype(np.float64),
    "f32": np.dtype(np.float32),
    "f16": np.dtype(np.float16),
    "bf16": np.dtype([("bits", np.uint16)]),  # the upper half of an f32; a dtype of its own, for NumPy has none
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


def is_half(array: Array) -> bool:
    """Whether its numbers have 16 bits, in which nothing is computed."""
    return array.dtype in (_DTYPES["f16"], _DTYPES["bf16"])


def numbers(array: Array) -> Array:
    """What can be computed with: numbers of 16 bits in 32, all else as it is."""
    if array.dtype == _DTYPES["bf16"]:
        return np.asarray(array["bits"].astype(np.uint32) << 16).view(np.float32)
    return array.astype(np.float32) if is_half(array) else array


def write(array: Array, values: Array) -> None:
    """Numbers into an array, rounded to what it holds."""
    if array.dtype == _DTYPES["bf16"]:
        array["bits"] = rounded(values, 16).view(np.uint32) >> 16
        return
    with np.errstate(over="ignore"):  # infinity is an answer
        array[...] = values


def rounded(a: Array, bits: int) -> Array:
    """float32 without so many of its last bits, to the nearest, of two equally near to the even one."""
    own = np.ascontiguousarray(a, np.float32)
    whole = own.view(np.uint32)
    half = np.uint32((1 << (bits - 1)) - 1)
    nearest = (whole + half + ((whole >> bits) & 1)) & np.uint32(0x100000000 - (1 << bits))
    return np.where(np.isnan(own), np.float32(np.nan), nearest.view(np.float32)).reshape(np.shape(a))


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

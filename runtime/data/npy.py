"""The .npy format: a header that says type and shape, then the values. Plain numbers only, never pickled objects."""

from __future__ import annotations

import io
from math import prod
from pathlib import Path
from tokenize import TokenError
from typing import IO, Any, NamedTuple

import numpy as np

from runtime.data.faults import BadRow, DataError
from runtime.data.fit import Array

LONGEST = 10_000
"""Bytes of a header."""


class Header(NamedTuple):
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    fortran: bool
    begin: int

    @property
    def bytes(self) -> int:
        return prod(self.shape) * self.dtype.itemsize


def header(stream: IO[bytes]) -> Header:
    """BadRow where there is none, or where it speaks of objects."""
    try:
        version = np.lib.format.read_magic(stream)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read(stream, max_header_size=LONGEST)
    except (ValueError, SyntaxError, TypeError, KeyError, OverflowError, MemoryError, RecursionError, TokenError) as error:
        raise BadRow(f"it is no .npy array: {' '.join(str(error).split())[:200]}") from None
    if dtype.hasobject or dtype.itemsize == 0 or any(n < 0 for n in shape):
        raise BadRow(f"it holds {dtype} of shape {list(shape)}, and numbers are needed")
    return Header(dtype, tuple(map(int, shape)), bool(fortran), stream.tell())


def parsed(content: bytes) -> Array:
    """The array of a whole file."""
    head = header(io.BytesIO(content))
    if len(content) - head.begin != head.bytes:
        raise BadRow(f"it announces {head.bytes:,} bytes of values, and has {len(content) - head.begin:,}")
    return np.frombuffer(content, head.dtype, offset=head.begin).reshape(head.shape, order="F" if head.fortran else "C")


def mapped(path: Path) -> Array:
    """The array of a file, which stays on the disk: only the rows that are read come into memory."""
    try:
        with path.open("rb") as file:
            head = header(file)
        size = path.stat().st_size - head.begin
    except BadRow as bad:
        raise DataError(f"{path}: {bad}") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None
    if size != head.bytes:
        raise DataError(f"{path} announces {head.bytes:,} bytes of values, and has {size:,}")
    return view(path, head, head.begin)


def view(path: Path, head: Header, begin: int) -> Array:
    """Values that begin at a byte of a file."""
    if not head.bytes:
        return np.zeros(head.shape, head.dtype)
    return np.memmap(path, head.dtype, "r", begin, head.shape, "F" if head.fortran else "C")

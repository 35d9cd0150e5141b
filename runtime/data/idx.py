"""IDX, the format of MNIST: two zero bytes, a type, the number of axes, their sizes, the values; packed with gzip or not."""

from __future__ import annotations

import gzip
import struct
import zlib
from math import prod
from pathlib import Path

import numpy as np

from runtime.data.faults import DataError
from runtime.data.fit import Array

TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
GZIP = b"\x1f\x8b"
DEFLATED = 1032
"""No gzip file grows by a larger factor."""


def read_idx(path: Path) -> Array:
    first = unpacked(path, 4)
    if len(first) < 4 or first[:2] != b"\0\0" or first[2] not in TYPES:
        raise DataError(f"{path} is no IDX file: it begins with {first.hex(' ') or 'nothing'}")
    kind, axes = np.dtype(TYPES[first[2]]), first[3]
    begin = 4 + 4 * axes
    if len(header := unpacked(path, begin)) < begin:
        raise DataError(f"{path} ends inside its header")
    shape = struct.unpack(f">{axes}I", header[4:])
    want = prod(shape) * kind.itemsize
    content = unpacked(path, begin + want + 1) if want <= DEFLATED * path.stat().st_size else header
    if len(content) - begin != want:
        have = f"has {'more' if len(content) - begin > want else f'{len(content) - begin:,}'}"
        raise DataError(f"{path} announces {want:,} bytes of values ({'x'.join(map(str, shape))}), and {have}")
    return np.frombuffer(content, kind, offset=begin).reshape(shape).astype(kind.newbyteorder("="), copy=False)


def unpacked(path: Path, limit: int) -> bytes:
    """The first bytes of a file, unpacked where it is a gzip file whatever its name says. At the file's end its checksum is compared."""
    try:
        with path.open("rb") as file:
            packed = file.read(2) == GZIP
            file.seek(0)
            return gzip.GzipFile(fileobj=file).read(limit) if packed else file.read(limit)
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise DataError(f"{path} is a damaged gzip file: fetch it again") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None


def pictures(path: Path) -> Array:
    """An IDX file of grey pictures, with an axis for their one channel."""
    found = read_idx(path)
    if found.ndim != 3:
        raise DataError(f"{path} holds no grey pictures: its shape is {'x'.join(map(str, found.shape))}")
    return found[:, None]


def labels(path: Path) -> Array:
    found = read_idx(path)
    if found.ndim != 1 or found.dtype.kind not in "iu":
        raise DataError(f"{path} holds no class numbers: its shape is {'x'.join(map(str, found.shape))}")
    return found

"""IDX, the format of MNIST: two zero bytes, a type, the number of axes, their sizes, the values; packed with gzip or not."""

from __future__ import annotations

import gzip
import struct
import zlib
from math import prod
from pathlib import Path

import numpy as np

from runtime.data.rows import Array, DataError

TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
GZIP = b"\x1f\x8b"


def read_idx(path: Path) -> Array:
    content = unpacked(path)
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in TYPES:
        raise DataError(f"{path} is no IDX file: it begins with {content[:4].hex(' ') or 'nothing'}")
    kind, axes = np.dtype(TYPES[content[2]]), content[3]
    begin = 4 + 4 * axes
    if len(content) < begin:
        raise DataError(f"{path} ends inside its header")
    shape = struct.unpack(f">{axes}I", content[4:begin])
    want = prod(shape) * kind.itemsize
    if len(content) - begin != want:
        raise DataError(f"{path} announces {want:,} bytes of values ({'x'.join(map(str, shape))}), and has {len(content) - begin:,}")
    return np.frombuffer(content, kind, offset=begin).reshape(shape).astype(kind.newbyteorder("="), copy=False)


def unpacked(path: Path) -> bytes:
    """The bytes of a file, unpacked where it is a gzip file whatever its name says."""
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if content.startswith(GZIP) else content
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

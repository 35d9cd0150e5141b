"""Arrays as PNG files, and many small pictures as one."""

from __future__ import annotations

import struct
import zlib

import numpy as np

from runtime.arrays import Array

GREY, COLOUR = 0, 2
GAP = 1


def png(picture: Array) -> bytes:
    """uint8, (rows, columns) in grey or (rows, columns, 3) in colour."""
    rows, columns = picture.shape[:2]
    kind = COLOUR if picture.ndim == 3 else GREY
    lines = np.zeros((rows, 1 + picture[0].size), np.uint8)  # each line begins with its filter: none
    lines[:, 1:] = picture.reshape(rows, -1)
    head = struct.pack(">IIBBBBB", columns, rows, 8, kind, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(lines.tobytes(), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, content) for name, content in parts)


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def shown(values: Array) -> Array | None:
    """(channels, rows, columns) of any numbers as a picture, the smallest black and the largest white; None where it is none."""
    if values.ndim != 3 or values.shape[0] not in (1, 3):
        return None
    low, high = float(values.min()), float(values.max())
    levels = np.rint(255 * (values - low) / ((high - low) or 1)).astype(np.uint8)
    return levels[0] if len(levels) == 1 else np.moveaxis(levels, 0, -1)


def tiled(pictures: list[Array], between: int = 128) -> Array:
    """Pictures of one size side by side, about as many rows as columns, with gaps of one level, as a rule grey."""
    across = int(np.ceil(np.sqrt(len(pictures))))
    rows, columns, *colours = pictures[0].shape
    sheet = np.full((-(-len(pictures) // across) * (rows + GAP) - GAP, across * (columns + GAP) - GAP, *colours), between, np.uint8)
    for number, picture in enumerate(pictures):
        y, x = number // across * (rows + GAP), number % across * (columns + GAP)
        sheet[y : y + rows, x : x + columns] = picture
    return sheet

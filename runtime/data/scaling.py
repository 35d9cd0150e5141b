"""Colour pictures brought to another size, as Pillow does it with BILINEAR, in a fraction of the time: a vector of bytes at once,
and without copies from and to a picture of Pillow's. Where nothing can be compiled Pillow does it.

Equal to the last bit where Pillow scales along lines first; where newer versions of it go the other way, one level apart at most.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any, NamedTuple

import numpy as np

from runtime.data.fit import Array

Box = tuple[float, float, float, float]
"""The part of a picture that is scaled: left, top, right, bottom."""
BITS = 22
"""Behind the point of a weight."""
LEAST = 32
"""Pixels of the narrowest picture that is worth the while."""

_lock = threading.Lock()
_own = threading.local()


class Weights(NamedTuple):
    """For each new place the first old one that counts and how many do, and what they count."""

    windows: Array
    weights: Array

    @property
    def addresses(self) -> tuple[int, int, int]:
        """As kernels take them, with the length of the longest window."""
        return self.windows.ctypes.data, self.weights.ctypes.data, self.weights.shape[1]


def scaled(picture: Array, height: int, width: int, box: Box) -> Array:
    """(rows, columns, 3) of bytes; between the box and the new size nothing is cut."""
    kernels = _kernels() if picture.ndim == 3 and picture.shape[2] == 3 and width >= LEAST else None
    return _by_pillow(picture, height, width, box) if kernels is None else _compiled(kernels, picture, height, width, box)


def _by_pillow(picture: Array, height: int, width: int, box: Box) -> Array:
    from PIL import Image

    colours = picture.shape[2]
    image = Image.fromarray(picture if colours == 3 else picture[:, :, 0])
    return np.asarray(image.resize((width, height), Image.Resampling.BILINEAR, box)).reshape(height, width, colours)


def _compiled(kernels: Kernels, picture: Array, height: int, width: int, box: Box) -> Array:
    """The lines that count are scaled along, then all of it across them."""
    columns, rows = weights(picture.shape[1], box[0], box[2], width), weights(picture.shape[0], box[1], box[3], height)
    top = int(rows.windows[0, 0])
    lines = int(rows.windows[-1].sum()) - top
    line, pitch = 3 * picture.shape[1], 3 * width + kernels.spare
    source, between = _roomy(picture, kernels.spare).ctypes.data + top * line, buffer("between", lines * pitch).ctypes.data
    kernels.along(-(-lines // kernels.lines), source, line, between, pitch, *columns.addresses, width, lines)
    found = np.empty((height, width, 3), np.uint8)
    kernels.across(height, between - top * pitch, pitch, found.ctypes.data, 3 * width, *rows.addresses, 3 * width)
    return found


def buffer(name: str, size: int) -> Array:
    """Memory of this thread, which is used again by whoever asks next by this name."""
    held = getattr(_own, name, None)
    if held is None or len(held) < size:
        held = np.empty(size, np.uint8)
        setattr(_own, name, held)
    return held


def roomy(size: int) -> Array:
    """Memory of this thread for a picture to be scaled, with the room behind it that is read for nothing."""
    kernels = _kernels()
    return buffer("picture", size + (kernels.spare if kernels else 0))


def _roomy(picture: Array, spare: int) -> Array:
    """A picture that may be read a little past its end."""
    if isinstance(picture.base, np.ndarray) and picture.base is getattr(_own, "picture", None) and picture.flags.c_contiguous:
        return picture
    copy = buffer("picture", picture.size + spare)
    copy[: picture.size] = picture.reshape(-1)
    return copy


@lru_cache(maxsize=1024)
def weights(old: int, begin: float, end: float, new: int) -> Weights:
    """A triangle about the centre of each new place, as wide as the larger of two places; as Pillow rounds it, step by step."""
    first, last = np.float32(begin), np.float32(end)
    scale = float(last - first) / new
    wide = max(1.0, scale)
    centre = float(first) + (np.arange(new) + 0.5) * scale
    low = np.maximum(0, (centre - wide + 0.5).astype(np.int64))
    high = np.minimum(old, (centre + wide + 0.5).astype(np.int64))
    t = np.arange(2 * int(np.ceil(wide)) + 1)
    w = np.maximum(0, 1 - np.abs((t + low[:, None] - centre[:, None] + 0.5) * (1 / wide)))
    w[t >= (high - low)[:, None]] = 0
    w /= np.cumsum(w, axis=1)[:, -1:]
    windows = np.stack([low, high - low], axis=1).astype(np.int32)
    return Weights(np.ascontiguousarray(windows), (0.5 + w * (1 << BITS)).astype(np.int32))


# the compiled half


class Kernels(NamedTuple):
    """`lines` are a group's; `spare` bytes are read or written behind pictures and lines."""

    along: Callable[..., None]
    across: Callable[..., None]
    lines: int
    spare: int


def _kernels() -> Kernels | None:
    with _lock:
        return _made()


@cache
def _made() -> Kernels | None:
    try:
        from runtime.kernels.cpu import machine, pixels
        from runtime.kernels.cpu.library import address

        machine.works()
    except (ImportError, OSError, RuntimeError):
        return None
    return Kernels(_callable(address((pixels.along, BITS))), _callable(address((pixels.across, BITS))), pixels.LINES, pixels.SPARE)


def _callable(address: int) -> Callable[..., None]:
    """A kernel over a range from 0, with the numbers of its table."""
    function = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p)(address)

    def call(count: int, *numbers: Any) -> None:
        function((ctypes.c_int64 * len(numbers))(*numbers), 0, count, None)

    return call

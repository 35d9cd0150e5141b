"""Signals of one side: WAV files -> float32 from -1 to 1, and arrays in .npy files."""

from __future__ import annotations

import io
import wave

import numpy as np

from runtime.data.faults import BadRow, DataError
from runtime.data.fit import Array, Form, fit, shown
from runtime.data.npy import parsed

ENDINGS = frozenset({"wav"})
WIDEST = 4
"""Bytes of a sample."""


class Waves:
    """PCM of 8, 16, 24 or 32 bits. A rate that is given is the rate of all."""

    def __init__(self, rate: int | None = None, channels: int | None = None) -> None:
        self.rate = rate
        self.channels = channels

    def raw(self, content: bytes) -> Array:
        try:
            with wave.open(io.BytesIO(content)) as file:
                channels, width, rate, count = file.getparams()[:4]
                samples = file.readframes(min(count, len(content)))
        except (wave.Error, EOFError, ValueError, RuntimeError, OverflowError) as error:
            raise BadRow(f"it is no readable WAV file: {error or 'it ends too early'}") from None
        if width > WIDEST:
            raise BadRow(f"it has {8 * width} bits a sample, and netc reads 8, 16, 24 and 32")
        if not count or len(samples) != count * channels * width:
            raise BadRow(f"it announces {count:,} samples, and has {len(samples) // max(1, channels * width):,}")
        if self.rate not in (None, rate):
            raise BadRow(f"it has {rate:,} samples a second, and the data {self.rate:,}")
        if self.channels not in (None, channels):
            raise BadRow(f"it has {channels} channels, and the data {self.channels}")
        return _levels(samples, width).reshape(-1, channels).T

    def fitted(self, content: bytes, form: Form) -> Array:
        return fitted(self.raw(content), form)


class Arrays:
    """Each row is an .npy file of its own."""

    def raw(self, content: bytes) -> Array:
        array = parsed(content)
        if array.dtype.kind not in "iufb":
            raise BadRow(f"it holds {array.dtype}, and numbers are needed")
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise BadRow("it holds a value that is not finite")
        return array

    def fitted(self, content: bytes, form: Form) -> Array:
        array = self.raw(content)
        classes = form.want.classes
        if classes and array.dtype.kind in "iu" and array.size and not 0 <= array.min() <= array.max() < classes:
            raise BadRow(f"it holds class numbers from {array.min()} to {array.max()}, and the net's are 0 to {classes - 1}")
        return fitted(array if classes else _numbers(array), form)


def _numbers(array: Array) -> Array:
    """float32 for all rows, whatever each file holds."""
    numbers: Array = array.astype(np.float32)
    numbers /= 255 if array.dtype == np.uint8 else 1
    return numbers


def fitted(row: Array, form: Form) -> Array:
    if not row.ndim and form.want.shape:
        raise BadRow(f"it is {shown(row.shape)}, and the net reads {form.want}")
    try:
        return np.asarray(fit(row[None], form)[0])
    except DataError as error:
        raise BadRow(str(error)) from None


def _levels(samples: bytes, width: int) -> Array:
    """8 bits have no sign, and their middle is at 128; 24 bits become the upper ones of 32."""
    if width == 1:
        return ((np.frombuffer(samples, np.uint8).astype(np.float32) - 128) / 128).astype(np.float32)
    if width == 3:
        wide = np.zeros((len(samples) // 3, 4), np.uint8)
        wide[:, 1:] = np.frombuffer(samples, np.uint8).reshape(-1, 3)
        return wide.reshape(-1).view("<i4").astype(np.float32) / np.float32(2**31)
    return np.frombuffer(samples, f"<i{width}").astype(np.float32) / np.float32(2 ** (8 * width - 1))

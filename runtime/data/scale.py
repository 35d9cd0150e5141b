"""Normalization: each channel brought to mean 0 and deviation 1. Pixels are numbers from 0 to 1 by then."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np

from runtime.data.rows import Array

if TYPE_CHECKING:
    from netcompiler.recipe import Normalization
    from netcompiler.recipe.normalization import Channels


@dataclass(frozen=True)
class Scale:
    """y[c] = (x[c] - mean[c]) / std[c]"""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __call__(self, x: Array) -> Array:
        axes = (-1, *(1,) * (x.ndim - 2))
        mean, std = (np.reshape(values, axes).astype(np.float32) for values in (self.mean, self.std))
        pixels = x / np.float32(255) if x.dtype == np.uint8 else x.astype(np.float32)
        return (pixels - mean) / std


def scale(normalization: Normalization | None, x: Array) -> Scale | None:
    """What the recipe says; `auto` measures the pictures to train on."""
    if normalization is None:
        return None
    if normalization.kind == "channels":
        given = cast("Channels", normalization)
        return Scale(tuple(given.mean), tuple(given.std))
    return measured(x)


def measured(x: Array) -> Scale:
    """Mean and deviation of each channel in double precision; a channel that never varies keeps its size."""
    channels = np.moveaxis(x, 1, 0).reshape(x.shape[1], -1)
    found = [_byte_moments(channel) if x.dtype == np.uint8 else _moments(channel) for channel in channels]
    return Scale(tuple(mean for mean, _ in found), tuple(std or 1.0 for _, std in found))


def _moments(values: Array) -> tuple[float, float]:
    return float(values.mean(dtype=np.float64)), float(values.std(dtype=np.float64))


def _byte_moments(values: Array) -> tuple[float, float]:
    """From how often each of the 256 values is there."""
    levels = np.arange(256) / 255
    shares = np.bincount(values, minlength=256) / values.size
    mean = float(shares @ levels)
    return mean, float(np.sqrt(shares @ (levels - mean) ** 2))

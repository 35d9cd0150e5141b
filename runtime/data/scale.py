"""What a plan normalizes its input by: mean and deviation of each channel. Pixels are numbers from 0 to 1 by then."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np

from runtime.data.faults import DataError
from runtime.data.fields import Reading
from runtime.data.fit import Array
from runtime.data.resident import Fitted

if TYPE_CHECKING:
    from netcompiler.recipe import Normalization
    from netcompiler.recipe.normalization import Channels

LOOKED_AT = 4096
"""Rows that are measured where reading takes long, at even distances."""
BATCH = 256
LEVELS = np.arange(256) / 255


@dataclass(frozen=True)
class Scale:
    """y[c] = (x[c] - mean[c]) / std[c]"""

    mean: tuple[float, ...]
    std: tuple[float, ...]


def scale(normalization: Normalization | None, reader: Fitted, places: Array) -> Scale | None:
    """What the recipe says; `auto` measures the pictures to train on, of which these are the places."""
    if normalization is None:
        return None
    if normalization.kind == "channels":
        given = cast("Channels", normalization)
        return Scale(tuple(given.mean), tuple(given.std))
    some = places if reader.quick else places[:: -(-len(places) // LOOKED_AT)]
    return measured(_sound(reader.read(some[at : at + BATCH])) for at in range(0, len(some), BATCH))


def _sound(reading: Reading) -> Array:
    """Without rows that are bad."""
    return np.delete(reading.values, list(reading.faults), axis=0)


def measured(parts: Iterable[Array]) -> Scale:
    """Mean and deviation of each channel in double precision; a channel that never varies keeps its size."""
    total = None
    for x in parts:
        if len(x):
            found = moments(x)
            total = found if total is None else merged(total, found)
    if total is None:
        raise DataError("no picture to measure can be read")
    count, mean, squares = total
    return Scale(tuple(map(float, mean)), tuple(float(std) or 1.0 for std in np.sqrt(squares / count)))


Moments = tuple[float, Array, Array]
"""How many values, their mean, and the sum of squares about it, by channel."""


def moments(x: Array) -> Moments:
    channels = np.moveaxis(x, 1, 0).reshape(x.shape[1], -1)
    if x.dtype == np.uint8:  # exact, and quicker: from how often each of the 256 values is there
        shares = np.stack([np.bincount(channel, minlength=256) for channel in channels]) / channels.shape[1]
        mean = shares @ LEVELS
        squares = (shares * (LEVELS - mean[:, None]) ** 2).sum(axis=1)
    else:
        mean = channels.mean(axis=1, dtype=np.float64)
        squares = ((channels - mean[:, None]) ** 2).mean(axis=1)
    return channels.shape[1], mean, squares * channels.shape[1]


def merged(a: Moments, b: Moments) -> Moments:
    """M2 = M2a + M2b + (mean_b - mean_a)^2 n_a n_b / n"""
    count = a[0] + b[0]
    apart = b[1] - a[1]
    return count, a[1] + apart * b[0] / count, a[2] + b[2] + apart**2 * a[0] * b[0] / count

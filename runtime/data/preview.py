"""What a net sees in training, as a picture for people."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod

import numpy as np

from runtime.data.faults import DataError
from runtime.data.fit import Array, shown
from runtime.data.order import shuffled
from runtime.data.prepare import Material
from runtime.data.scale import Scale
from runtime.png import png, tiled
from runtime.session import Session


def preview(session: Session, material: Material, count: int, epoch: int, seed: int) -> bytes:
    """The first rows of an epoch, as its first steps would meet them, in a PNG file."""
    feeder, shape = material.train, material.shape
    session.normalize(feeder.scales)
    places, (inputs, _) = next(feeder.batches(count, shuffled(len(feeder), seed, "order", epoch)))
    if not len(places):
        raise DataError("none of these rows can be read")
    seen = session.look(inputs, places, epoch)
    if seen.ndim == 2 and len(shape) == 3 and prod(shape) == seen.shape[1]:
        seen = seen.reshape(len(seen), *shape)  # a vector that is a picture in its file
    return png(tiled(list(visible(seen, feeder.scales.values()))))


def visible(x: Array, scales: Iterable[Scale]) -> Array:
    """Values before they were normalized, 0 black and 1 white; of more channels than colours their mean, of signals a line for each."""
    for scale in scales:
        axes = (-1, *(1,) * (x.ndim - 2))
        x = x * np.reshape(scale.std, axes) + np.reshape(scale.mean, axes)
    if x.ndim < 4:
        x = x.reshape(len(x), 1, -1, x.shape[-1])
    if x.ndim != 4:
        raise DataError(f"a row of {shown(x.shape[1:])} is no picture")
    levels = 255 * np.clip(x, 0, 1)
    drawn: Array = np.moveaxis(levels, 1, -1) if x.shape[1] == 3 else levels.mean(axis=1)
    return np.rint(drawn).astype(np.uint8)

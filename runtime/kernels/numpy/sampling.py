"""Affine sampling: pictures turned, moved and scaled, and the adjoint of that.

Cell p of the result reads x at A[:, :-1] p + A[:, -1], both counted from the centres; A is one matrix, or one for each picture.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np

from runtime.kernels.numpy.frame import Array


def resample(y: Array, x: Array, affine: Array, *, size: Sequence[int], filter: str, border: str) -> None:
    reads = _reads(affine, len(x), x.shape[1:-1], size, filter, border)
    y[...] = sum(weight * x[cells] for cells, weight in reads)


def resample_dx(dx: Array, dy: Array, affine: Array, *, size: Sequence[int], filter: str, border: str) -> None:
    dx[...] = 0
    for cells, weight in _reads(affine, len(dx), size, dy.shape[1:-1], filter, border):
        np.add.at(dx, cells, weight * dy)


def _reads(
    affine: Array, n: int, sides: Sequence[int], size: Sequence[int], filter: str, border: str
) -> Iterator[tuple[tuple[Array, ...], Array]]:
    """The cells of the input that each cell of the result reads, with their weights: one pair for each neighbour."""
    rows = np.arange(n).reshape(-1, *(1 for _ in size))
    for corner, weight in _neighbours(_places(affine, sides, size), filter):
        for axis, cells in enumerate(sides):
            if border == "zero":
                weight = weight * ((corner[axis] >= 0) & (corner[axis] < cells))
            corner[axis] = _folded(corner[axis], cells, border)
        yield (rows, *corner), weight[..., None].astype(affine.dtype)


def _places(affine: Array, sides: Sequence[int], size: Sequence[int]) -> list[Array]:
    """For each side the place, in cells of the input, that each cell of the result reads: (n or 1, *size)."""
    cells = np.meshgrid(*(np.arange(m) - (m - 1) / 2 for m in size), indexing="ij")
    ones = (1,) * len(size)
    places = []
    for row, side in zip(affine.astype(np.float64).transpose(1, 2, 0), sides, strict=True):
        place = row[-1].reshape(-1, *ones) + (side - 1) / 2
        for factor, cell in zip(row, cells, strict=False):
            place = place + factor.reshape(-1, *ones) * cell
        places.append(place)
    return places


def _neighbours(places: list[Array], filter: str) -> Iterator[tuple[list[Array], Array]]:
    """Whole cells near each place, with weights that add up to 1."""
    if filter == "nearest":
        yield [np.floor(place + 0.5).astype(np.int64) for place in places], np.ones_like(places[0])
        return
    lower = [np.floor(place) for place in places]
    for corner in product((0, 1), repeat=len(places)):
        weight = np.ones_like(places[0])
        for upper, place, low in zip(corner, places, lower, strict=True):
            weight = weight * (place - low if upper else 1 - (place - low))
        yield [(low + upper).astype(np.int64) for low, upper in zip(lower, corner, strict=True)], weight


def _folded(cell: Array, cells: int, border: str) -> Array:
    """A cell of the picture in place of one outside: its outermost, or its mirror image beyond the edge."""
    if border == "mirror":
        turn = cell % (2 * cells)
        cell = np.minimum(turn, 2 * cells - 1 - turn)
    return np.clip(cell, 0, cells - 1)

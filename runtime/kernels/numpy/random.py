"""Random bits that are a function of their place: the same for any batch, order and number of threads."""

from __future__ import annotations

import numpy as np

from runtime.kernels.numpy.frame import Array
from runtime.kernels.numpy.philox import MASK, philox


def random(y: Array, row: Array, tick: Array, *, key: tuple[int, int], rows: int, columns: int) -> None:
    """Element (r, j) is word j % 4 of the counter (j // 4, place in two halves, tick); the place is that of row r, or row + r."""
    place = row if row.ndim else row + np.arange(rows)[:, None]
    block = np.arange(-(-columns // 4))
    words = philox((block, place & MASK, place >> 32, np.array(tick.item() & MASK)), key)
    y[...] = np.stack(words, axis=-1).reshape(rows, -1)[:, :columns]

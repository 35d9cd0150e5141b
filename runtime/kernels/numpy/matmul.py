"""Matrix products over the last two axes; the axes before them broadcast."""

from __future__ import annotations

import numpy as np

from runtime.kernels.numpy.frame import Array


def matmul(y: Array, a: Array, b: Array, *, ta: bool, tb: bool) -> None:
    y[...] = np.matmul(a.swapaxes(-1, -2) if ta else a, b.swapaxes(-1, -2) if tb else b)

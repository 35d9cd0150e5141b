"""Pools and patches: windows over named axes (sums) or over the sides (the rest), and their adjoints."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from runtime.kernels.numpy.frame import Array, Window, blank, framed, gathered, overlapped, sides, taps, unframed


def patches(p: Array, x: Array, *, window: Window) -> None:
    p[...] = gathered(x, window)


def unpatch(x: Array, p: Array, *, window: Window, size: Sequence[int]) -> None:
    x[...] = overlapped(p, window, size)


def window_sum(y: Array, x: Array, *, axes: Sequence[int], window: Window) -> None:
    y[...] = sum(taps(framed(x, axes, window), axes, window))


def window_spread(x: Array, y: Array, *, axes: Sequence[int], window: Window, size: Sequence[int]) -> None:
    frame = blank(y, axes, window, size)
    for cells in taps(frame, axes, window):
        cells += y
    x[...] = unframed(frame, axes, window)


def window_max(y: Array, at: Array, x: Array, *, window: Window) -> None:
    """A window that meets nothing but padding gives 0, at tap 0, where its derivative is lost."""
    axes = sides(window)
    best, place = np.zeros(y.shape, x.dtype), np.zeros(at.shape, at.dtype)
    met = np.zeros(y.shape, bool)
    inside = framed(np.ones(x.shape, bool), axes, window)
    for t, (cells, real) in enumerate(zip(taps(framed(x, axes, window), axes, window), taps(inside, axes, window), strict=True)):
        larger = (cells > best) | (np.isnan(cells) & ~np.isnan(best))
        wins = real & (larger | ~met)
        np.copyto(best, cells, where=wins)
        place[wins] = t
        met |= real
    y[...], at[...] = best, place


def window_route(dx: Array, dy: Array, at: Array, *, window: Window, size: Sequence[int]) -> None:
    axes = sides(window)
    frame = blank(dy, axes, window, size)
    for t, cells in enumerate(taps(frame, axes, window)):
        cells += np.where(at == t, dy, 0)
    dx[...] = unframed(frame, axes, window)

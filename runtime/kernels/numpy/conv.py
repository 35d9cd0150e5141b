"""Convolution and its adjoints in any number of dimensions: windows side by side, then one product a group.

y = p w^T      dp = y w      dw = y^T p      where p holds what each window reads
"""

from __future__ import annotations

from collections.abc import Sequence

from runtime.kernels.numpy.frame import Array, Window, gathered, overlapped


def conv(y: Array, x: Array, w: Array, *, window: Window, groups: int) -> None:
    p = _windows_by_group(gathered(x, window), groups)
    y[...] = (p @ _filters_by_group(w, groups).swapaxes(1, 2)).swapaxes(0, 1).reshape(y.shape)


def conv_dx(x: Array, y: Array, w: Array, *, window: Window, groups: int, size: Sequence[int]) -> None:
    p = _maps_by_group(y, groups) @ _filters_by_group(w, groups)
    by_position = p.reshape(*p.shape[:2], -1, w.shape[-1]).transpose(1, 2, 0, 3)  # positions, taps, groups, c/groups
    x[...] = overlapped(by_position.reshape(*y.shape[:-1], -1, x.shape[-1]), window, size)


def conv_dw(w: Array, x: Array, y: Array, *, window: Window, groups: int) -> None:
    p = _windows_by_group(gathered(x, window), groups)
    w[...] = (_maps_by_group(y, groups).swapaxes(1, 2) @ p).reshape(w.shape)


def _windows_by_group(p: Array, groups: int) -> Array:
    """groups, positions, taps * c/groups"""
    taps, c = p.shape[-2:]
    by_group = p.reshape(-1, taps, groups, c // groups).transpose(2, 0, 1, 3)
    return by_group.reshape(groups, -1, taps * (c // groups))


def _filters_by_group(w: Array, groups: int) -> Array:
    """groups, k/groups, taps * c/groups"""
    return w.reshape(groups, len(w) // groups, -1)


def _maps_by_group(y: Array, groups: int) -> Array:
    """groups, positions, k/groups"""
    return y.reshape(-1, groups, y.shape[-1] // groups).swapaxes(0, 1)

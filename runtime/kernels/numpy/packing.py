"""Packed weights: what each form means."""

from __future__ import annotations

from collections.abc import Callable
from math import isqrt

import numpy as np

from netcompiler.plan import PANEL
from runtime.kernels.numpy.frame import Array


def pack(p: Array, w: Array, *, form: str, groups: int, elements: int) -> None:
    """w is [k, taps, c / groups]; groups take equal shares of k."""
    p[...] = FORMS[form](w.reshape(groups, w.shape[0] // groups, -1, w.shape[-1])).reshape(elements)


def _rows(w: Array) -> Array:
    """[group, panel, tap, c, PANEL of k]"""
    return _paneled(w.transpose(0, 2, 3, 1))


def _rows_dx(w: Array) -> Array:
    """[group, panel, tap, k, PANEL of c], the last tap first"""
    return _paneled(w.transpose(0, 2, 1, 3)[:, ::-1])


def _paneled(w: Array) -> Array:
    """The last axis in panels, which stand behind the first axis; the last one is filled with 0."""
    full = np.pad(w, [(0, 0)] * (w.ndim - 1) + [(0, -w.shape[-1] % PANEL)])
    return np.moveaxis(full.reshape(*full.shape[:-1], -1, PANEL), -2, 1)


def _winograd(w: Array) -> Array:
    """[point, panel, c, PANEL of k]"""
    return _paneled(_points(w).transpose(0, 2, 1))


def _winograd_dx(w: Array) -> Array:
    """[point, panel, k, PANEL of c], the last tap first"""
    return _paneled(_points(w[:, :, ::-1]))


POINTS, FACTORS = (0, 1, -1, 2, -2), (6, -4, -4, 1, 1)
"""Where Winograd's F(4, 3) and F(2, 5) take the values of a filter's polynomial, beside infinity, and so many 24ths of them."""


def _points(w: Array) -> Array:
    """[point, k, c] of square filters in one group."""
    side = isqrt(w.shape[2])
    values = [[factor * point**power / 24 for power in range(side)] for point, factor in zip(POINTS, FACTORS, strict=True)]
    matrix = np.array([*values, [float(power == side - 1) for power in range(side)]])
    [kernels] = w.reshape(1, w.shape[1], side, side, w.shape[-1])
    points: Array = np.einsum("ia,kabc,jb->ijkc", matrix, kernels, matrix)
    return points.reshape(-1, *kernels.shape[::3])


FORMS: dict[str, Callable[[Array], Array]] = {
    "rows": _rows,
    "rows_dx": _rows_dx,
    **dict.fromkeys(("winograd4", "winograd2"), _winograd),
    **dict.fromkeys(("winograd4_dx", "winograd2_dx"), _winograd_dx),
}

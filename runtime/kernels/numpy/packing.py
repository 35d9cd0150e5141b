"""Packed weights: what each form means."""

from __future__ import annotations

from collections.abc import Callable

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


FORMS: dict[str, Callable[[Array], Array]] = {"rows": _rows, "rows_dx": _rows_dx}

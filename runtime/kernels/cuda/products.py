"""Convolutions of any window and matrix products, where no library has anything better: all of them one contraction, in
f32 whatever is asked for.

y[n, p, k] = sum over t, c of x[n, p stride + t dilation - low, c] w[k, t, c]
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from netcompiler.plan import Axis
from runtime.arrays import Array
from runtime.kernels.behind import Behind, plain
from runtime.kernels.cuda.contraction import contracted
from runtime.kernels.cuda.places import Cell, Part, Spaces
from runtime.kernels.cuda.slices import added, shares
from runtime.kernels.cuda.steps import Launch

Window = Sequence[Axis]


def conv_plain(
    y: Array, x: Array, w: Array, *, window: Window, groups: int, math: str = "", behind: Behind | None = None
) -> Iterator[Launch]:
    c, k = x.shape[-1] // groups, len(w) // groups
    spaces = {"batch": (groups,), "rows": y.shape[:-1], "inner": (*w.shape[1:-1], c), "columns": (k,)}
    cells = [_direct(x, j, axis, ("rows", 1 + j), ("inner", j)) for j, axis in enumerate(window)]
    left = Part(x, {"batch": _channels(x, c), "rows": _rows(x, window), "inner": _taps(x, window)}, cells)
    right = Part(w, {"batch": (k * w.strides[0],), "inner": w.strides[1:], "columns": w.strides[:1]})
    yield contracted(spaces, left, right, behind or plain(y), _pixels(window, k))


def conv_dx_plain(
    x: Array, y: Array, w: Array, *, window: Window, groups: int, size: Sequence[int], math: str = "", behind: Behind | None = None
) -> Iterator[Launch]:
    """Each pixel asks the windows that it is in: tap t of the one at (pixel + low - t dilation) / stride."""
    c, k = x.shape[-1] // groups, len(w) // groups
    spaces = {"batch": (groups,), "rows": x.shape[:-1], "inner": (*w.shape[1:-1], k), "columns": (c,)}
    cells = [_adjoint(y, j, axis, ("rows", 1 + j), ("inner", j)) for j, axis in enumerate(window)]
    left = Part(y, {"batch": _channels(y, k), "rows": _rows(y, window), "inner": _taps(y, window)}, cells)
    right = Part(w, {"batch": (k * w.strides[0],), "inner": (*w.strides[1:-1], w.strides[0]), "columns": w.strides[-1:]})
    yield contracted(spaces, left, right, behind or plain(x), _pixels(window, c))


def conv_dw_plain(
    w: Array, x: Array, y: Array, *, window: Window, groups: int, math: str = "", workspace: Array | None = None
) -> Iterator[Launch]:
    """Pixels are cut into slices where filters alone keep too few blocks busy."""
    c, k = w.shape[-1], len(w) // groups
    spaces = {"batch": (groups,), "rows": (k,), "inner": y.shape[:-1], "columns": w.shape[1:]}
    cells = [_direct(x, j, axis, ("inner", 1 + j), ("columns", j)) for j, axis in enumerate(window)]
    left = Part(y, {"batch": _channels(y, k), "rows": y.strides[-1:], "inner": y.strides[:-1]})
    right = Part(x, {"batch": _channels(x, c), "inner": _rows(x, window), "columns": _taps(x, window)}, cells)
    lying = {"batch": [(0, k)], "rows": [(0, 1)], "columns": [(axis, 1) for axis in range(1, w.ndim)]}
    parts = shares(workspace, w)
    yield contracted(spaces, left, right, plain(parts[0]), lying, parts)
    if workspace is not None:
        yield added(w, parts)


def matmul_plain(y: Array, a: Array, b: Array, *, ta: bool, tb: bool, math: str = "", behind: Behind | None = None) -> Iterator[Launch]:
    outer = y.shape[:-2]
    rows, inner, left = *((-1, -2) if ta else (-2, -1)), np.broadcast_to(a, (*outer, *a.shape[-2:]))
    spaces: Spaces = {"batch": outer or (1,), "rows": y.shape[-2:-1], "inner": (a.shape[inner],), "columns": y.shape[-1:]}
    right, deep, columns = np.broadcast_to(b, (*outer, *b.shape[-2:])), *((-1, -2) if tb else (-2, -1))
    batch = [(axis, 1) for axis in range(len(outer))] or [(0, 0)]
    yield contracted(
        spaces,
        Part(a, {"batch": left.strides[:-2] or (0,), "rows": (a.strides[rows],), "inner": (a.strides[inner],)}),
        Part(b, {"batch": right.strides[:-2] or (0,), "inner": (b.strides[deep],), "columns": (b.strides[columns],)}),
        behind or plain(y),
        {"batch": batch, "rows": [(-2, 1)], "columns": [(-1, 1)]},
    )


def _direct(x: Array, j: int, axis: Axis, window: tuple[str, int], tap: tuple[str, int]) -> Cell:
    """The cell of side j that a tap of a window meets."""
    digits = {window[0]: (window[1], axis.stride), tap[0]: (tap[1], axis.dilation)}
    return Cell(x.strides[1 + j], x.shape[1 + j], digits, -axis.low)


def _adjoint(y: Array, j: int, axis: Axis, pixel: tuple[str, int], tap: tuple[str, int]) -> Cell:
    """The window of side j whose tap meets a pixel."""
    digits = {pixel[0]: (pixel[1], 1), tap[0]: (tap[1], -axis.dilation)}
    return Cell(y.strides[1 + j], y.shape[1 + j], digits, axis.low, axis.stride)


def _channels(x: Array, group: int) -> tuple[int]:
    """From group to group."""
    return (group * x.strides[-1],)


def _rows(x: Array, window: Window) -> tuple[int, ...]:
    """From picture to picture; cells are found by windows."""
    return (x.strides[0], *(0 for _ in window))


def _taps(x: Array, window: Window) -> tuple[int, ...]:
    """From channel to channel; cells are found by windows."""
    return (*(0 for _ in window), x.strides[-1])


def _pixels(window: Window, group: int) -> dict[str, list[tuple[int, int]]]:
    """Results that are pictures."""
    return {"batch": [(-1, group)], "rows": [(axis, 1) for axis in range(1 + len(window))], "columns": [(-1, 1)]}

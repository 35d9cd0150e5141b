"""CUDA's pools and patches against the oracle, run on this processor, and compiled for GPUs."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
import pytest
from compiled import GAP, Array, close, expected, normal
from cuda_host import compiles, results
from oracle import WINDOWS, sizes
from test_cpu_window import AXES, POOLS, few, index

from netcompiler.plan import Axis

Window = tuple[Axis, ...]
F32 = np.dtype(np.float32)
ALL = {**WINDOWS, **POOLS}
CHANNELS = [(name, 16, 0) for name in ALL]
CHANNELS += [(name, c, gap) for name in ("residual stem", "side by side", "overlaps") for c, gap in ((1, 0), (6, 0), (5, GAP))]
windowed = pytest.mark.parametrize(("name", "c", "gap"), CHANNELS)


def agree(op: str, types: Any, /, *operands: Array, gap: int, error: float = 0, **how: Any) -> None:
    found, wanted = results(op, types, *operands, gap=gap, **how), expected(op, types, *operands, **how)
    for y, y0 in zip(found, wanted, strict=True):
        if error:
            close(y, y0, error)
        else:
            np.testing.assert_array_equal(y, y0)


@windowed
def test_the_largest_and_where_it_was(name: str, c: int, gap: int) -> None:
    sides, window = ALL[name]
    out = (2, *sizes(window, sides), c)
    x = few(2, *sides, c)
    x[np.random.default_rng(3).random(x.shape) < 0.1] = np.nan
    for numbers in (normal(2, *sides, c), x):
        agree("window_max", [(out, F32), (out, index(window))], numbers, gap=gap, window=window)


@windowed
def test_routes_add_where_windows_overlap(name: str, c: int, gap: int) -> None:
    sides, window = ALL[name]
    out = (2, *sizes(window, sides), c)
    at = np.random.default_rng(1).integers(0, prod(w.kernel for w in window), out).astype(index(window))
    agree("window_route", [((2, *sides, c), F32)], normal(*out), at, gap=gap, error=1e-6, window=window, size=sides)


@windowed
def test_sums_and_their_adjoints(name: str, c: int, gap: int) -> None:
    sides, window = ALL[name]
    sums(tuple(range(1, 1 + len(sides))), window, (2, *sides, c), (2, *sizes(window, sides), c), gap)


@pytest.mark.parametrize(("shape", "axes", "window", "gap"), AXES)
def test_sums_over_any_axes(shape: tuple[int, ...], axes: tuple[int, ...], window: Window, gap: int) -> None:
    out = list(shape)
    for axis, w in zip(axes, window, strict=True):
        out[axis] = w.size(shape[axis])
    sums(axes, window, shape, tuple(out), gap)


def sums(axes: tuple[int, ...], window: Window, shape: tuple[int, ...], out: tuple[int, ...], gap: int) -> None:
    how: dict[str, Any] = {"axes": axes, "window": window, "gap": gap, "error": 1e-6}
    agree("window_sum", [(out, F32)], normal(*shape), **how)
    agree("window_spread", [(shape, F32)], normal(*out), **how, size=tuple(shape[axis] for axis in axes))


@windowed
def test_patches_and_their_adjoints(name: str, c: int, gap: int) -> None:
    sides, window = ALL[name]
    shape, out = (2, *sides, c), (2, *sizes(window, sides), prod(w.kernel for w in window), c)
    agree("patches", [(out, F32)], normal(*shape), gap=gap, window=window)
    agree("unpatch", [(shape, F32)], normal(*out), gap=gap, error=1e-6, window=window, size=sides)


@pytest.mark.parametrize("architecture", ["sm_80", "sm_90a"])
@pytest.mark.parametrize("window", [POOLS["residual stem"][1], POOLS["wider than is written out"][1], (Axis(4, 2, 1, 1),) * 3])
def test_windows_compile_for_gpus_without_spills(architecture: str, window: Window) -> None:
    sides = (12, 14, 9)[: len(window)]
    shape, out = (2, *sides, 16), (2, *sizes(window, sides), 16)
    x, y, at = np.empty(shape, F32), np.empty(out, F32), np.empty(out, np.uint8)
    p = np.empty((*out[:-1], prod(w.kernel for w in window), 16), F32)
    how: dict[str, Any] = {"window": window}
    sums = {**how, "axes": tuple(range(1, 1 + len(sides)))}
    compiles(architecture, "window_max", [(out, F32), (out, np.uint8)], x, **how)
    compiles(architecture, "window_route", [(shape, F32)], y, at, **how, size=sides)
    compiles(architecture, "window_sum", [(out, F32)], x, **sums)
    compiles(architecture, "window_spread", [(shape, F32)], y, **sums, size=sides)
    compiles(architecture, "patches", [(p.shape, F32)], x, **how)
    compiles(architecture, "unpatch", [(shape, F32)], p, **how, size=sides)

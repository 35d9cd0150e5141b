"""Compiled pools and patches against the oracle: windows of all kinds, pixels apart, ties, NaN, and vectors of other machines."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
import pytest
from compiled import GAP, Array, close, expected, normal, results
from oracle import WINDOWS, sizes

from netcompiler.plan import Axis, Instruction, Value
from netcompiler.targets.cpu import CPU
from runtime.kernels.cpu import narrow, slide

POOLS = {
    "pool of two": ((8, 6), (Axis(2, 2), Axis(2, 2))),
    "residual stem": ((9, 12), (Axis(3, 2, 1, 1), Axis(3, 2, 1, 1))),
    "inception": ((5, 19), (Axis(3, 1, 1, 1), Axis(3, 1, 1, 1))),
    "one window": ((3, 3), (Axis(2, 2), Axis(2, 2))),
    "a column of windows": ((6, 3), (Axis(2, 2), Axis(2, 2))),
    "a row of windows": ((2, 6), (Axis(2, 2), Axis(2, 2))),
    "side by side": ((7, 22), (Axis(3, 2, 1, 1), Axis(2, 2))),
    "threes side by side": ((4, 21), (Axis(2, 2), Axis(3, 3))),
    "ceil": ((6, 8), (Axis(3, 2, 0, 1), Axis(3, 2, 0, 1))),
    "wider than is written out": ((11, 13), (Axis(7, 2, 3, 3), Axis(9, 3, 4, 2))),
    "windows of nothing": ((4, 4), (Axis(2, 2, 2, 2), Axis(2, 2, 3, 4))),
    "nothing but padding in wide windows": ((3,), (Axis(6, 6, 6, 6),)),
}
windowed = pytest.mark.parametrize(("sides", "window"), [*WINDOWS.values(), *POOLS.values()], ids=[*WINDOWS, *POOLS])
channels = pytest.mark.parametrize(("c", "gap"), [(1, 0), (3, 0), (6, 0), (17, GAP), (80, 0), (5, GAP)])
lanes = pytest.mark.parametrize("lanes", [16, 8, 4])


@pytest.fixture(autouse=True)
def of_this_width(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "lanes" in request.fixturenames:
        for module in (slide, narrow):
            monkeypatch.setattr(module, "LANES", request.getfixturevalue("lanes"))


def few(*shape: int) -> Array:
    """Whole numbers, so that there are ties."""
    return np.random.default_rng(shape).integers(-2, 3, shape).astype(np.float32)


def index(window: tuple[Axis, ...]) -> Any:
    return np.uint8 if prod(w.kernel for w in window) <= 256 else np.uint16


@windowed
@channels
def test_the_largest_and_where_it_was(sides: tuple[int, ...], window: tuple[Axis, ...], c: int, gap: int) -> None:
    out = (2, *sizes(window, sides), c)
    types = [(out, np.float32), (out, index(window))]
    for x in (normal(2, *sides, c), few(2, *sides, c)):
        for one, other in zip(
            results("window_max", types, x, gap=gap, window=window), expected("window_max", types, x, window=window), strict=True
        ):
            np.testing.assert_array_equal(one, other)


@windowed
@channels
def test_routes_add_where_windows_overlap(sides: tuple[int, ...], window: tuple[Axis, ...], c: int, gap: int) -> None:
    shape, out = (2, *sides, c), (2, *sizes(window, sides), c)
    at = np.random.default_rng(1).integers(0, prod(w.kernel for w in window), out).astype(index(window))
    how = {"window": window, "size": sides}
    [dx] = results("window_route", [(shape, np.float32)], normal(*out), at, gap=gap, **how)
    close(dx, expected("window_route", [(shape, np.float32)], normal(*out), at, **how)[0])


@windowed
@channels
def test_sums_and_their_adjoints(sides: tuple[int, ...], window: tuple[Axis, ...], c: int, gap: int) -> None:
    shape, out = (2, *sides, c), (2, *sizes(window, sides), c)
    how: dict[str, Any] = {"axes": tuple(range(1, 1 + len(sides))), "window": window}
    [y] = results("window_sum", [(out, np.float32)], normal(*shape), gap=gap, **how)
    close(y, expected("window_sum", [(out, np.float32)], normal(*shape), **how)[0])
    [dx] = results("window_spread", [(shape, np.float32)], normal(*out), gap=gap, **how, size=sides)
    close(dx, expected("window_spread", [(shape, np.float32)], normal(*out), **how, size=sides)[0])


@windowed
@channels
def test_patches_and_their_adjoints(sides: tuple[int, ...], window: tuple[Axis, ...], c: int, gap: int) -> None:
    shape, out = (2, *sides, c), (2, *sizes(window, sides), prod(w.kernel for w in window), c)
    [p] = results("patches", [(out, np.float32)], normal(*shape), gap=gap, window=window)
    np.testing.assert_array_equal(p, expected("patches", [(out, np.float32)], normal(*shape), window=window)[0])
    [x] = results("unpatch", [(shape, np.float32)], normal(*out), gap=gap, window=window, size=sides)
    close(x, expected("unpatch", [(shape, np.float32)], normal(*out), window=window, size=sides)[0])


AXES: list[tuple[tuple[int, ...], tuple[int, ...], tuple[Axis, ...], int]] = [
    ((2, 3, 4, 40), (3,), (Axis(5, 1, 2, 2),), 0),
    ((2, 3, 4, 7), (3,), (Axis(9, 1, 4, 4),), GAP),
    ((2, 3, 21), (2,), (Axis(4, 2, 1, 1, 2),), GAP),
    ((3, 5), (1,), (Axis(2, 3),), 0),
    ((7, 5), (0,), (Axis(3, 2, 1, 1),), GAP),
    ((2, 6, 5, 4), (1, 3), (Axis(2, 2), Axis(3, 1, 1, 1)), 0),
    ((2, 3, 4, 5, 6), (2, 4), (Axis(2), Axis(3)), 0),
    ((9,), (0,), (Axis(3),), 0),
]


@lanes
@pytest.mark.parametrize(("shape", "axes", "window", "gap"), AXES)
def test_sums_over_any_axes(shape: tuple[int, ...], axes: tuple[int, ...], window: tuple[Axis, ...], gap: int, lanes: int) -> None:
    out, size = list(shape), tuple(shape[axis] for axis in axes)
    for axis, w in zip(axes, window, strict=True):
        out[axis] = w.size(shape[axis])
    how: dict[str, Any] = {"axes": axes, "window": window}
    [y] = results("window_sum", [(out, np.float32)], normal(*shape), gap=gap, **how)
    close(y, expected("window_sum", [(out, np.float32)], normal(*shape), **how)[0])
    [dx] = results("window_spread", [(shape, np.float32)], normal(*out), gap=gap, **how, size=size)
    close(dx, expected("window_spread", [(shape, np.float32)], normal(*out), **how, size=size)[0])


@lanes
@pytest.mark.parametrize("c", [1, 2, 3, 6])
@pytest.mark.parametrize("pool", ["side by side", "threes side by side"])
def test_few_channels_share_vectors(pool: str, c: int, lanes: int) -> None:
    sides, window = POOLS[pool]
    test_the_largest_and_where_it_was(sides, window, c, 0)
    test_routes_add_where_windows_overlap(sides, window, c, 0)
    test_sums_and_their_adjoints(sides, window, c, 0)


@lanes
def test_the_first_nan_is_the_largest(lanes: int) -> None:
    x = few(2, 8, 8, 21)
    x[np.random.default_rng(3).random(x.shape) < 0.2] = np.nan
    x[:, :4] = -np.inf
    window = (Axis(3, 2, 1, 1), Axis(3, 2, 1, 1))
    types = [((2, 4, 4, 21), np.float32), ((2, 4, 4, 21), np.uint8)]
    y, at = results("window_max", types, x, window=window)
    wanted = expected("window_max", types, x, window=window)
    assert np.isnan(y).any()
    np.testing.assert_array_equal(y, wanted[0])
    np.testing.assert_array_equal(at, wanted[1])
    dy = np.where(np.isnan(y), np.nan, 1).astype(np.float32)
    [dx] = results("window_route", [(x.shape, np.float32)], dy, at, window=window, size=(8, 8))
    np.testing.assert_array_equal(dx, expected("window_route", [(x.shape, np.float32)], dy, at, window=window, size=(8, 8))[0])


REFUSED = [
    ("f64", (2, 4, 4, 3), (1, 2), 2, "f64"),
    ("f32", (2, 4, 4, 4, 4), (1, 2, 3, 4), 4, "4 axes"),
    ("f32", (2, 4, 4, 4, 4), (0, 2, 4), 3, "5 axes"),
]


@pytest.mark.parametrize(("dtype", "shape", "axes", "count", "reason"), REFUSED)
def test_what_is_left_to_the_oracle(dtype: str, shape: tuple[int, ...], axes: tuple[int, ...], count: int, reason: str) -> None:
    value = Value("%1", dtype, shape)
    instruction = Instruction((value,), "window_sum", (value,), {"axes": axes, "window": (Axis(1),) * count})
    offer = next(offer for offer in CPU.offers["window_sum"] if offer.kernel == "window_sum")
    assert reason in offer.refuses(instruction)

"""Kernels of the CUDA target that move, window and multiply numbers of 16 bits: those are read as they are, summed in f32, and
rounded once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from compiled import Array, close, expected, normal
from cuda_host import compiles, results

from netcompiler.plan import Axis
from runtime.arrays import dtype_of, numbers, write

POOL, SAME = (Axis(3, 2, 1, 1), Axis(3, 2, 1, 1)), (Axis(3, 1, 1, 1), Axis(3, 1, 1, 1))
U8 = np.dtype(np.uint8)
halves = pytest.mark.parametrize("dtype", ["bf16", "f16"])
ROUNDED = 2.0**-8

SIDES: dict[str, Any] = {"axes": (1, 2), "window": POOL}
HOW: dict[str, tuple[tuple[int, ...], tuple[tuple[int, ...], ...], dict[str, Any]]] = {
    "window_sum": ((2, 4, 5, 24), ((2, 8, 9, 24),), SIDES),
    "window_spread": ((2, 8, 9, 24), ((2, 4, 5, 24),), {**SIDES, "size": (8, 9)}),
    "patches": ((2, 4, 5, 9, 24), ((2, 8, 9, 24),), {"window": POOL}),
    "unpatch": ((2, 8, 9, 24), ((2, 4, 5, 9, 24),), {"window": POOL, "size": (8, 9)}),
    "transpose": ((2, 40, 5, 24), ((2, 5, 24, 40),), {"order": (0, 3, 1, 2)}),
    "pad": ((2, 6, 9), ((2, 5, 6),), {"low": (0, 1, 2), "high": (0, 0, 1), "interior": (0, 0, 0)}),
    "concat": ((2, 5, 30), ((2, 5, 24), (2, 5, 6)), {"axis": 2}),
    "gather": ((2, 3, 24), ((2, 5, 24),), {"table": (4, -1, 0), "axis": 1}),
    "scatter": ((2, 5, 24), ((2, 3, 24),), {"table": (4, 4, 0), "axis": 1, "size": 5}),
    "matmul": ((20, 33), ((20, 50), (50, 33)), {"ta": False, "tb": False}),
    "conv": ((2, 6, 7, 40), ((2, 6, 7, 12), (40, 3, 3, 12)), {"window": SAME, "groups": 1}),
    "conv_dx": ((2, 6, 7, 12), ((2, 6, 7, 40), (40, 3, 3, 12)), {"window": SAME, "groups": 1, "size": (6, 7)}),
    "conv_dw": ((40, 3, 3, 12), ((2, 6, 7, 12), (2, 6, 7, 40)), {"window": SAME, "groups": 1}),
}
BY_CHANNEL: dict[str, tuple[tuple[int, ...], tuple[tuple[int, ...], ...], dict[str, Any]]] = {
    "conv": ((2, 6, 7, 24), ((2, 6, 7, 24), (24, 3, 3, 1)), {"window": SAME, "groups": 24}),
    "conv_dx": ((2, 6, 7, 24), ((2, 6, 7, 24), (24, 3, 3, 1)), {"window": SAME, "groups": 24, "size": (6, 7)}),
    "conv_dw": ((24, 3, 3, 1), ((2, 6, 7, 24), (2, 6, 7, 24)), {"window": SAME, "groups": 24}),
}
CASES = [(op, op + "_plain" * (op in ("matmul", *BY_CHANNEL)), HOW[op]) for op in HOW]
CASES += [(op, f"{op}_depthwise", how) for op, how in BY_CHANNEL.items()]
cases = pytest.mark.parametrize(("op", "kernel", "case"), CASES, ids=[kernel for _, kernel, _ in CASES])


def half(shape: tuple[int, ...], dtype: str, seed: int) -> Array:
    x = np.empty(shape, dtype_of(dtype))
    write(x, normal(*shape, seed=seed))
    return x


@halves
@cases
def test_sums_are_rounded_once(op: str, kernel: str, case: Any, dtype: str) -> None:
    shape, shapes, how = case
    read = [half(own, dtype, seed) for seed, own in enumerate(shapes)]
    workspace = {"workspace": 2 * 24 * 9} if kernel in ("conv_depthwise", "conv_dx_depthwise") else {}
    [y] = results(kernel, [(shape, dtype_of(dtype))], *read, **how, **workspace)
    close(numbers(y), expected(op, [(shape, np.float32)], *map(numbers, read), **how)[0], ROUNDED)


@halves
def test_gradients_of_weights_in_slices_are_rounded_once(dtype: str) -> None:
    for op, name, own in (("conv_dw", "plain", HOW["conv_dw"]), ("conv_dw", "depthwise", BY_CHANNEL["conv_dw"])):
        shape, shapes, how = own
        read = [half(own, dtype, seed) for seed, own in enumerate(shapes)]
        [y] = results(f"{op}_{name}", [(shape, dtype_of(dtype))], *read, **how, workspace=3 * 4 * int(np.prod(shape)))
        close(numbers(y), expected(op, [(shape, np.float32)], *map(numbers, read), **how)[0], ROUNDED)


@halves
def test_the_largest_goes_back_where_it_was(dtype: str) -> None:
    x, out = half((2, 8, 9, 24), dtype, 0), (2, 4, 5, 24)
    y, at = results("window_max", [(out, dtype_of(dtype)), (out, U8)], x, window=POOL)
    wanted = expected("window_max", [(out, np.float32), (out, U8)], numbers(x), window=POOL)
    np.testing.assert_array_equal(numbers(y), wanted[0])
    np.testing.assert_array_equal(at, wanted[1])
    how: dict[str, Any] = {"window": POOL, "size": (8, 9)}
    [dx] = results("window_route", [(x.shape, x.dtype)], y, at, **how)
    close(numbers(dx), expected("window_route", [(x.shape, np.float32)], numbers(y), at, **how)[0], ROUNDED)


@pytest.mark.parametrize("architecture", ["sm_80", "sm_90a"])
@cases
def test_halves_compile_for_gpus_without_spills(op: str, kernel: str, case: Any, architecture: str) -> None:
    shape, shapes, how = case
    workspace = {"workspace": 4 * 24 * 9 * 2} if kernel.endswith("depthwise") else {}
    compiles(architecture, kernel, [(shape, dtype_of("bf16"))], *(half(own, "bf16", 0) for own in shapes), **how, **workspace)

"""Products of the cpu target: convolutions of any window, both gradients, matrix products, the map behind them, against the oracle."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from netcompiler.plan import PANEL, Axis
from netcompiler.scalar import Expr, compare, operand, relu, select, wrap
from runtime.arrays import aligned
from runtime.kernels import cpu, numpy
from runtime.kernels.behind import Behind
from runtime.kernels.cpu import caches, matmul
from runtime.kernels.cpu.caches import go_past
from runtime.kernels.cpu.driver import Table

Array = np.ndarray[Any, Any]
Window = tuple[Axis, ...]

ONE, THREE = (Axis(1), Axis(1)), (Axis(3, 1, 1, 1), Axis(3, 1, 1, 1))
CASES: dict[str, tuple[int, tuple[int, ...], int, int, Window, int]] = {
    "one pixel": (1, (1, 1), 1, 1, ONE, 1),
    "one pixel and padding": (2, (1, 1), 1, 2, THREE, 1),
    "narrow": (2, (7, 6), 2, 3, (Axis(3), Axis(3)), 1),
    "1x1": (2, (5, 5), 64, 96, ONE, 1),
    "1x1, odd channels": (3, (5, 4), 17, 33, ONE, 1),
    "1x1, rows that share lines": (1, (9, 9), 1024, 40, ONE, 1),
    "3x3": (2, (9, 9), 20, 48, THREE, 1),
    "stride": (2, (9, 8), 5, 37, (Axis(3, 2, 1, 0), Axis(2, 3, 0, 1)), 1),
    "stride, cells left out": (2, (8, 8), 16, 16, (Axis(1, 2, 0, -1), Axis(1, 2, 0, -1)), 1),
    "stride > kernel": (2, (9, 9), 3, 5, (Axis(2, 4), Axis(1, 3)), 1),
    "dilation, groups": (2, (9, 8), 6, 70, (Axis(3, 1, 2, 1, 3), Axis(3, 1, 0, 0, 2)), 2),
    "many groups": (2, (5, 5), 12, 12, THREE, 6),
    "groups of half a line": (2, (5, 4), 16, 16, ONE, 2),
    "signal": (3, (9,), 3, 17, (Axis(4, 2, 1, 1),), 1),
    "volume": (2, (4, 3, 5), 2, 3, (Axis(2, 1, 1, 1), Axis(3, 2, 1, 1), Axis(2, 2, 1, 1)), 1),
    "cells left out": (2, (9, 9), 3, 5, (Axis(2, 3, -1, -1), Axis(2, 3, -1, -2)), 1),
    "wide": (1, (3, 40), 3, 50, (Axis(3, 1, 1, 1), Axis(7, 1, 3, 3)), 1),
    "few weights, many cells": (3, (40, 40), 2, 3, THREE, 1),
}
cases = pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))


def numbers(*shape: int) -> Array:
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)


def pitched(x: Array) -> Array:
    """The same numbers among others, as an operand of a concatenation lies."""
    wide = np.full((*x.shape[:-1], x.shape[-1] + 5), np.nan, np.float32)
    wide[..., 2:-3] = x
    return wide[..., 2:-3]


def blank(*shape: int) -> Array:
    return np.full(shape, np.nan, np.float32)


def run(kernel: str, *arrays: Array, threads: int = 2, **attributes: Any) -> None:
    """Steps hold addresses: the arrays live until they have run."""
    Table(list(cpu.KERNELS[kernel](*arrays, **attributes)), threads)()


def packed(w: Array, form: str, groups: int) -> Array:
    outer, inner = w.shape[0] // groups, w.shape[-1]
    channels, rest = (outer, inner) if form == "rows" else (inner, outer)
    elements = groups * -(-channels // PANEL) * PANEL * rest * w[0, ..., 0].size
    p, expected = blank(elements), np.empty(elements, np.float32)
    run(f"pack_{form}", p, w, form=form, groups=groups, elements=elements)
    numpy.KERNELS["pack"](expected, w, form=form, groups=groups, elements=elements)
    np.testing.assert_array_equal(p, expected)
    return p


def close(found: Array, expected: Array, tolerance: float = 3e-6) -> None:
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= tolerance * np.abs(expected).max()


def operands(case: tuple[int, tuple[int, ...], int, int, Window, int]) -> tuple[Array, Array, Array]:
    n, sides, inner, outer, window, groups = case
    x, w = numbers(n, *sides, inner), numbers(outer, *(axis.kernel for axis in window), inner // groups)
    return x, w, numbers(n, *(axis.size(size) for axis, size in zip(window, sides, strict=True)), outer)


def oracle(op: str, shape: tuple[int, ...], *read: Array, **attributes: Any) -> Array:
    y = np.empty(shape)
    numpy.KERNELS[op](y, *(x.astype(np.float64) for x in read), **attributes)
    return y


@cases
@pytest.mark.parametrize("lie", [np.ascontiguousarray, pitched])
def test_products_of_rows(case: Any, lie: Any) -> None:
    (x, w, dy), (*_, window, groups) = operands(case), case
    how = {"window": window, "groups": groups}
    y, dx, dw = lie(np.full_like(dy, np.nan)), lie(np.full_like(x, np.nan)), np.full_like(w, np.nan)
    run("conv_product", y, lie(x), w, **how, packed=packed(w, "rows", groups))
    run("conv_dx_product", dx, lie(dy), w, **how, size=x.shape[1:-1], packed=packed(w, "rows_dx", groups))
    run("conv_dw_product", dw, lie(x), lie(dy), **how)
    close(y, oracle("conv", y.shape, x, w, **how))
    close(dx, oracle("conv_dx", x.shape, dy, w, **how, size=x.shape[1:-1]))
    close(dw, oracle("conv_dw", w.shape, x, dy, **how))


BANDS = ["one pixel and padding", "narrow", "3x3", "few weights, many cells", "signal", "stride", "cells left out", "volume", "wide"]


@pytest.mark.parametrize("name", BANDS)
@pytest.mark.parametrize("lie", [np.ascontiguousarray, pitched])
def test_bands(name: str, lie: Any) -> None:
    (x, w, dy), (*_, window, groups) = operands(CASES[name]), CASES[name]
    how = {"window": window, "groups": groups}
    y, dx = lie(np.full_like(dy, np.nan)), lie(np.full_like(x, np.nan))
    run("conv_bands", y, lie(x), w, **how, packed=packed(w, "rows", groups))
    close(y, oracle("conv", y.shape, x, w, **how))
    dw = np.full_like(w, np.nan)
    run("conv_dw_bands", dw, lie(x), lie(dy), **how)
    close(dw, oracle("conv_dw", w.shape, x, dy, **how))
    if all(axis.stride == 1 for axis in window):
        run("conv_dx_bands", dx, lie(dy), w, **how, size=x.shape[1:-1], packed=packed(w, "rows_dx", groups))
        close(dx, oracle("conv_dx", x.shape, dy, w, **how, size=x.shape[1:-1]))


@pytest.mark.parametrize("name", ["one pixel", "1x1", "1x1, odd channels", "3x3", "stride, cells left out", "groups of half a line"])
@pytest.mark.parametrize("threads", [1, 3])
def test_large_results_go_past_the_caches(name: str, threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caches, "large", lambda: 0)
    (x, w, dy), (*_, window, groups) = operands(CASES[name]), CASES[name]
    how = {"window": window, "groups": groups}
    y, dx = (aligned(like.nbytes).view(np.float32).reshape(like.shape) for like in (dy, x))
    for result in (y, dx):
        result[...] = np.nan
        assert go_past([result], [])
    run("conv_product", y, x, w, **how, packed=packed(w, "rows", groups), threads=threads)
    run("conv_dx_product", dx, dy, w, **how, size=x.shape[1:-1], packed=packed(w, "rows_dx", groups), threads=threads)
    close(y, oracle("conv", y.shape, x, w, **how))
    close(dx, oracle("conv_dx", x.shape, dy, w, **how, size=x.shape[1:-1]))


A, B, C, D = map(operand, range(4))
MAPS: dict[str, tuple[Expr, ...]] = {
    "bias and relu": (relu(A + B),),
    "scaled and added": (0.3 * A * D + C,),
    "kept where it is positive": (select(compare("gt", C, wrap(0)), A, wrap(0)),),
    "two results": (A + C, compare("lt", A, B)),
}


@pytest.mark.parametrize("name", ["1x1, odd channels", "stride", "dilation, groups", "signal"])
@pytest.mark.parametrize("exprs", MAPS.values(), ids=list(MAPS))
def test_the_map_behind_a_product(name: str, exprs: tuple[Expr, ...]) -> None:
    (x, w, dy), (*_, window, groups) = operands(CASES[name]), CASES[name]
    how = {"window": window, "groups": groups}
    for op, read, form, size in (("conv", x, "rows", {}), ("conv_dx", dy, "rows_dx", {"size": x.shape[1:-1]})):
        shape = dy.shape if op == "conv" else x.shape
        channel, cell, one = numbers(shape[-1]), numbers(*shape), numbers(1)
        results = [pitched(blank(*shape)), np.empty(shape, np.bool_)][: len(exprs)]
        behind = Behind(exprs, results, [None, channel, pitched(cell), one])
        p = packed(w, form, groups)
        run(f"{op}_product", results[0], read, w, **how, **size, packed=p, behind=behind)
        product = oracle(op, shape, read, w, **how, **size).astype(np.float32)
        expected = [np.empty(shape, y.dtype) for y in results]
        numpy.KERNELS["map"](*expected, product, channel, cell, one, exprs=exprs, shape=shape, dtype="f32")
        close(results[0], expected[0], 1e-5)
        assert all(np.mean(a != b) < 0.01 for a, b in zip(results[1:], expected[1:], strict=True))


PRODUCTS = [(1, 1, 1), (1, 90, 9), (2, 40, 5), (4, 100, 11), (5, 7, 3), (13, 33, 70), (8, 1030, 600), (70, 300, 33), (3, 0, 4)]


@pytest.mark.parametrize(("ta", "tb"), [(False, False), (False, True), (True, False)])
@pytest.mark.parametrize(("rows", "inner", "columns"), PRODUCTS)
def test_matrix_products(rows: int, inner: int, columns: int, ta: bool, tb: bool) -> None:
    a = numbers(*((inner, rows) if ta else (rows, inner)))
    b = numbers(*((columns, inner) if tb else (inner, columns)))
    y = blank(rows, columns)
    run("matmul", y, a, b, ta=ta, tb=tb)
    close(y, oracle("matmul", y.shape, a, b, ta=ta, tb=tb))


@pytest.mark.parametrize("rows", [1, 2, 4, 8])
def test_few_rows_are_summed_in_runs(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matmul, "LONG", 48)
    a, b, y = numbers(rows, 130), numbers(21, 130), blank(rows, 21)
    run("matmul", y, a, b, ta=False, tb=True)
    close(y, oracle("matmul", y.shape, a, b, ta=False, tb=True))


def test_matrices_in_a_batch_may_share_one() -> None:
    a, b, y = numbers(2, 3, 5, 4), numbers(3, 4, 6), blank(2, 3, 5, 6)
    run("matmul", y, a, b, ta=False, tb=False)
    close(y, np.matmul(a.astype(np.float64), b))


def test_sums_are_equal_for_any_number_of_threads() -> None:
    x, w, dy = operands(CASES["few weights, many cells"])
    found = []
    for threads in (1, 2, 3):
        dw = np.full_like(w, np.nan)
        run("conv_dw_product", dw, x, dy, window=THREE, groups=1, threads=threads)
        found.append(dw)
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


def test_what_is_not_a_number_is_seen() -> None:
    x, w, y = numbers(1, 5, 5, 3), numbers(4, 3, 3, 3), blank(1, 5, 5, 4)
    x[0, 2, 2, 1] = np.nan
    run("conv_product", y, x, w, window=THREE, groups=1, packed=packed(w, "rows", 1))
    assert np.isnan(y[0, 1:4, 1:4]).all()
    assert not np.isnan(y[0, 0]).any()

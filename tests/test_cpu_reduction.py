"""Compiled reductions against the oracle: any axes, pixels apart, parts that are put together, rows that do not count, NaN, ties."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from compiled import GAP, Array, close, expected, normal, results

from netcompiler.instructions.op import kept
from netcompiler.passes.regions import region
from netcompiler.plan import Instruction, Value
from netcompiler.scalar import Expr, compare, index, literal, operand, select
from netcompiler.targets.sweeps import not_swept
from runtime import oracle
from runtime.kernels import cpu
from runtime.kernels.cpu import interpreted, partition, pointwise, sweep
from runtime.kernels.cpu.driver import Table

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

NAN, INF = math.nan, math.inf
F32, I32 = np.dtype("f4"), np.dtype("i4")


@pytest.fixture(params=[16, 8, 4])
def lanes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Vectors of other machines."""
    for module in (interpreted, partition, pointwise, sweep):
        monkeypatch.setattr(module, "LANES", request.param)
    return int(request.param)


def reduced(op: str, x: Array, axes: tuple[int, ...], gap: int = 0, valid: int | None = None) -> tuple[list[Array], list[Array]]:
    shape = tuple(1 if axis in axes else n for axis, n in enumerate(x.shape))
    types = [(shape, I32 if op == "argmax" else F32)] * (2 if op == "moments" else 1)
    how: dict[str, Any] = {"axis": axes[0]} if op in ("argmax", "logsumexp") else {"axes": axes}
    operands = [x] if valid is None else [x, np.array([valid], I32)]
    return results(op, types, *operands, gap=gap, **how), expected(op, types, *operands, **how)


def held(op: str, x: Array, axes: tuple[int, ...], gap: int = 0, valid: int | None = None) -> None:
    for one, other in zip(*reduced(op, x, axes, gap, valid), strict=True):
        if op in ("max", "argmax"):
            np.testing.assert_array_equal(one, other.astype(one.dtype))
        else:
            close(one, other)


SHAPES: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
    ((2, 5, 7, 64), (0, 1, 2)),
    ((2, 5, 7, 17), (0, 1, 2)),
    ((3, 9, 9, 6), (0, 1, 2)),
    ((2, 3, 3, 1), (0, 1, 2)),
    ((1, 1, 1, 5), (0, 1, 2)),
    ((4, 1000), (0,)),
    ((5, 2500), (0,)),
    ((3, 7, 7, 40), (1, 2)),
    ((3, 1, 1, 33), (1, 2)),
    ((6, 10), (1,)),
    ((5, 300), (1,)),
    ((2, 5, 3), (2,)),
    ((2, 4, 5, 3), (0, 1, 2, 3)),
    ((2, 4, 5, 3), (1, 2, 3)),
    ((2, 3, 3, 4, 5), (1, 2, 4)),
    ((2, 4, 3, 2, 8), (1, 2, 4)),
    ((3, 4, 5, 6), (0, 3)),
    ((3, 4, 5, 6), (1, 3)),
    ((2, 3, 2, 3, 2, 3), (0, 2, 4)),
    ((7, 1, 1, 1), (0,)),
    ((1, 7), (0,)),
    ((1,), (0,)),
]


@pytest.mark.parametrize("gap", [0, GAP])
@pytest.mark.parametrize("op", ["sum", "max", "moments"])
@pytest.mark.parametrize(("shape", "axes"), SHAPES)
def test_any_axes(op: str, shape: tuple[int, ...], axes: tuple[int, ...], gap: int, lanes: int) -> None:
    held(op, normal(*shape) + 3, axes, gap)


LARGE: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
    ((8, 56, 56, 64), (0, 1, 2)),
    ((70_001, 3), (0,)),
    ((3_000_001,), (0,)),
    ((16, 300, 17, 8), (1, 3)),
    ((3, 200_000), (1,)),
    ((20, 25_000), (0,)),
    ((2, 100, 100, 4, 8), (1, 2, 4)),
    ((700_000, 1), (0,)),
]


@pytest.mark.parametrize("op", ["sum", "max", "moments"])
@pytest.mark.parametrize(("shape", "axes"), LARGE)
def test_parts_are_put_together(op: str, shape: tuple[int, ...], axes: tuple[int, ...]) -> None:
    held(op, normal(*shape) + 1, axes)


@pytest.mark.parametrize("valid", [0, 1, 3, 13, 16])
@pytest.mark.parametrize("shape", [(16, 24), (16, 40, 40, 32), (16, 3, 3, 5), (16, 1)])
def test_rows_that_do_not_count(shape: tuple[int, ...], valid: int, lanes: int) -> None:
    x = normal(*shape)
    x[valid:] = NAN
    axes = tuple(range(len(shape) - 1))
    held("moments", x, axes, 0, valid)


@pytest.mark.parametrize("axes", [(0, 1), (1,)])
def test_nothing_cancels(axes: tuple[int, ...]) -> None:
    """Means a thousand times as large as what is around them; the first row far from all others."""
    x = normal(500, 800, 16) if axes == (0, 1) else normal(16, 4000)
    x += 1000
    x[0, 0] = -5000
    (mean, var), wanted = reduced("moments", x, axes)
    np.testing.assert_allclose(mean, wanted[0], 2e-6)
    np.testing.assert_allclose(var, wanted[1], 2e-4)


FEW = np.random.default_rng(5).integers(-2, 3, (6, 40, 9)).astype(F32)


@pytest.mark.parametrize("op", ["argmax", "logsumexp"])
@pytest.mark.parametrize("axis", range(3))
def test_over_one_axis(op: str, axis: int, lanes: int) -> None:
    held(op, normal(6, 40, 9) * 30, (axis,))
    held(op, FEW, (axis,), GAP)
    held(op, normal(6, 40, 9)[:, :, :1].copy(), (axis,))


@pytest.mark.parametrize("axis", range(3))
def test_nan_is_seen(axis: int, lanes: int) -> None:
    x = FEW.copy()
    x[2, 5, 3] = x[2, 7, 4] = NAN
    x[3], x[:, 2] = -INF, INF
    for op in ("argmax", "max", "sum", "logsumexp"):
        one, other = (answers[0] for answers in reduced(op, x, (axis,)))
        np.testing.assert_array_equal(np.isnan(one), np.isnan(other))
        np.testing.assert_allclose(one, other, 1e-5)
    assert np.isnan(reduced("max", x, (axis,))[0][0]).sum() == 2


def test_a_row_of_nothing_but_minus_infinity() -> None:
    x = np.full((3, 10), -INF, F32)
    x[1, 4] = 2
    held("logsumexp", x, (1,))


# Regions: maps into reductions

A, B, C, D = map(operand, range(4))
X, DY, MEAN = Value("%x", "f32", (6, 9, 9, 20)), Value("%dy", "f32", (6, 9, 9, 20)), Value("%m", "f32", (20,))
VALID, LABELS = Value("%v", "i32", (1,)), Value("%l", "i32", (6, 1, 1, 1))


def value(name: str, shape: tuple[int, ...]) -> Value:
    return Value(name, "f32", shape)


def mapped(name: str, expr: Expr, *operands: Value, shape: tuple[int, ...] = X.shape) -> Instruction:
    return Instruction((value(name, shape),), "map", operands, {"exprs": (expr,), "shape": shape, "dtype": "f32"})


def over(op: str, names: str, x: Value, axes: tuple[int, ...], *more: Value) -> Instruction:
    results = [value(name, kept(x.shape, axes)) for name in names.split()]
    return Instruction(tuple(results), op, (x, *more), {"axes": axes})


MASKED = mapped("%1", select(compare("gt", A, literal(0.2)), B, literal(0)), X, DY)
APART = mapped("%2", (A - C) * B, X, MASKED.result, MEAN)
ROWS = mapped("%1", select(compare("eq", index(3), B), A, literal(0)), X, LABELS)
SHIFTED = mapped("%1", 2 - A, MEAN, shape=(1, 1, 1, 20))
LARGER = mapped("%2", A * B, X, SHIFTED.result)
PLACED = mapped("%1", A * index(0), MEAN, shape=(1, 20))
REGIONS = {
    "sums side by side": (MASKED, over("sum", "%3", MASKED.result, (0, 1, 2)), APART, over("sum", "%4", APART.result, (0, 1, 2))),
    "of a source and of a map": (over("sum", "%3", X, (0, 1, 2)), MASKED, APART, over("sum", "%4", APART.result, (0, 1, 2))),
    "with a smaller map": (SHIFTED, LARGER, over("sum", "%3", LARGER.result, (1, 2))),
    "into moments": (MASKED, over("moments", "%3 %4", MASKED.result, (0, 1, 2), VALID)),
    "moments and sums": (
        MASKED,
        over("moments", "%3 %4", MASKED.result, (1, 2)),
        over("sum", "%5", X, (1, 2)),
        over("max", "%6", DY, (1, 2)),
    ),
    "along rows": (ROWS, over("sum", "%3", ROWS.result, (3,)), over("max", "%4", ROWS.result, (3,))),
    "of all": (MASKED, over("sum", "%3", MASKED.result, (0, 1, 2, 3))),
}


@pytest.mark.parametrize("few", [0, 10**6])
@pytest.mark.parametrize("case", REGIONS)
def test_regions(case: str, few: int, lanes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpreted, "FEW", few)
    body = sorted(REGIONS[case], key=lambda inner: inner.op != "map")
    made = [v for inner in body if inner.op != "map" for v in inner.results]
    fused = region(body, made, "")
    assert not not_swept(fused)
    views = {v.name: normal(*v.shape, seed=i) for i, v in enumerate(fused.operands)}
    views |= {"%v": np.array([4], I32), "%l": np.array([2, 0, 19, 5, 5, 1], I32).reshape(6, 1, 1, 1)}
    seen = []
    for threads in (1, 2):
        mine = {v.name: np.full(v.shape, NAN, F32) for v in made}
        Table(list(cpu.KERNELS["region"](fused, {**views, **mine})), threads)()
        seen.append(mine)
    theirs = {v.name: np.full(v.shape, NAN) for v in made}
    for call in oracle.calls(fused, {**views, **theirs}, 0):
        call()
    for name, answer in theirs.items():
        np.testing.assert_array_equal(seen[0][name], seen[1][name])
        close(seen[0][name], answer)


OTHERS = {
    "other axes": (over("sum", "%3", X, (0,)), over("sum", "%4", X, (1,)), "different shapes"),
    "other rows": (over("moments", "%3 %4", X, (0,), VALID), over("sum", "%5", X, (0,)), "different shapes"),
    "another op": (over("sum", "%3", X, (0,)), Instruction((MEAN,), "reshape", (MEAN,), {"shape": (20,)}), "reshape inside"),
    "positions of its own": (
        PLACED,
        mapped("%2", A * B, X, PLACED.result),
        over("sum", "%3", value("%2", X.shape), (1,)),
        "different shapes",
    ),
    "apart": (over("moments", "%3 %4", X, (0, 2), VALID), "lie apart"),
}


@pytest.mark.parametrize("case", OTHERS)
def test_regions_that_are_no_sweep(case: str) -> None:
    *body, reason = OTHERS[case]
    made = [v for inner in body for v in inner.results if inner.op in ("sum", "moments")]
    assert reason in not_swept(region(body, made, ""))


def test_a_map_that_others_read_is_no_sweep() -> None:
    summed = over("sum", "%3", MASKED.result, (0,))
    assert "more comes out" in not_swept(region((MASKED, summed), [MASKED.result, summed.result], ""))

"""CUDA's reductions against the oracle: any axes, parts that are put together, rows that do not count, NaN, ties, numbers of 16 bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from compiled import GAP, Array, close, expected, normal
from cuda_host import HostDriver, compiles, results
from test_cpu_reduction import F32, FEW, I32, INF, NAN, REGIONS, SHAPES, mapped, over

from netcompiler.instructions.op import kept
from netcompiler.passes.regions import region
from netcompiler.plan import Instruction, Value
from netcompiler.scalar import operand
from netcompiler.targets.cuda.sweeps import NUMBERS, not_swept, workspace
from runtime import oracle
from runtime.arrays import dtype_of, numbers, write
from runtime.kernels import cuda
from runtime.kernels.cuda.reducers import REDUCERS

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


def reduced(
    op: str, x: Array, axes: tuple[int, ...], gap: int = 0, valid: int | None = None, parts: int = 1
) -> tuple[list[Array], list[Array]]:
    """With room for so many parts."""
    shape = kept(x.shape, axes)
    types = [(shape, I32 if op == "argmax" else F32)] * (2 if op == "moments" else 1)
    how: dict[str, Any] = {"axis": axes[0]} if op in ("argmax", "logsumexp") else {"axes": axes}
    operands = [x] if valid is None else [x, np.array([valid], I32)]
    room = 4 * NUMBERS[op] * int(np.prod(shape)) * parts if parts > 1 else 0
    return results(op, types, *operands, gap=gap, workspace=room, **how), expected(op, types, *operands, **how)


def held(op: str, x: Array, axes: tuple[int, ...], gap: int = 0, valid: int | None = None, parts: int = 1) -> None:
    for one, other in zip(*reduced(op, x, axes, gap, valid, parts), strict=True):
        if op in ("max", "argmax"):
            np.testing.assert_array_equal(one, other.astype(one.dtype))
        else:
            close(one, other, 1e-6)


@pytest.mark.parametrize("gap", [0, GAP])
@pytest.mark.parametrize(("shape", "axes"), SHAPES)
def test_any_axes(shape: tuple[int, ...], axes: tuple[int, ...], gap: int) -> None:
    held("moments", normal(*shape) + 3, axes, gap)


PARTS: list[tuple[tuple[int, ...], tuple[int, ...], int]] = [
    ((8, 14, 14, 64), (0, 1, 2), 31),
    ((7001, 3), (0,), 7),
    ((30_001,), (0,), 3),
    ((5, 300, 17, 8), (1, 3), 4),
    ((3, 2000), (1,), 9),
    ((2, 10, 100, 4, 8), (1, 2, 4), 5),
    ((7, 1), (0,), 20),
]


@pytest.mark.parametrize("op", ["sum", "max", "moments"])
@pytest.mark.parametrize(("shape", "axes", "parts"), PARTS)
def test_parts_are_put_together(op: str, shape: tuple[int, ...], axes: tuple[int, ...], parts: int) -> None:
    held(op, normal(*shape) + 1, axes, parts=parts)


@pytest.mark.parametrize("parts", [1, 4])
@pytest.mark.parametrize("valid", [0, 1, 13, 16])
@pytest.mark.parametrize("shape", [(16, 24), (16, 10, 11, 32), (16, 3, 3, 5), (16, 1)])
def test_rows_that_do_not_count(shape: tuple[int, ...], valid: int, parts: int) -> None:
    x = normal(*shape)
    x[valid:] = NAN
    held("moments", x, tuple(range(len(shape) - 1)), 0, valid, parts)


@pytest.mark.parametrize("parts", [1, 6])
@pytest.mark.parametrize("axes", [(0, 1), (1,)])
def test_nothing_cancels(axes: tuple[int, ...], parts: int) -> None:
    """Means a thousand times as large as what is around them; the first row far from all others."""
    x = normal(50, 80, 16) if axes == (0, 1) else normal(16, 4000)
    x += 1000
    x[0, 0] = -5000
    (mean, var), wanted = reduced("moments", x, axes, parts=parts)
    np.testing.assert_allclose(mean, wanted[0], 2e-6)
    np.testing.assert_allclose(var, wanted[1], 2e-4)


@pytest.mark.parametrize("parts", [1, 3])
@pytest.mark.parametrize("op", ["argmax", "logsumexp"])
@pytest.mark.parametrize("axis", range(3))
def test_over_one_axis(op: str, axis: int, parts: int) -> None:
    held(op, normal(6, 40, 9) * 30, (axis,), parts=parts)
    held(op, FEW, (axis,), GAP, parts=parts)
    held(op, normal(6, 40, 9)[:, :, :1].copy(), (axis,), parts=parts)


@pytest.mark.parametrize("parts", [1, 3])
@pytest.mark.parametrize("axis", range(3))
def test_nan_is_seen(axis: int, parts: int) -> None:
    x = FEW.copy()
    x[2, 5, 3] = x[2, 7, 4] = NAN
    x[3], x[:, 2] = -INF, INF
    for op in ("argmax", "max", "sum", "logsumexp"):
        one, other = (answers[0] for answers in reduced(op, x, (axis,), parts=parts))
        np.testing.assert_array_equal(np.isnan(one), np.isnan(other))
        np.testing.assert_allclose(one, other, 1e-5)
    assert np.isnan(reduced("max", x, (axis,))[0][0]).sum() == 2


def test_a_row_of_nothing_but_minus_infinity() -> None:
    x = np.full((3, 10), -INF, F32)
    x[1, 4] = 2
    held("logsumexp", x, (1,))
    held("argmax", x, (1,))


@pytest.mark.parametrize("op", ["sum", "max"])
def test_whole_numbers_stay_exact(op: str) -> None:
    x = np.arange(2**24, 2**24 + 600, dtype=I32).reshape(20, 30)
    [y], [wanted] = (run(op, [((1, 30), I32)], x, axes=(0,)) for run in (results, expected))
    np.testing.assert_array_equal(y, wanted)


def test_doubles_are_computed_with_in_doubles() -> None:
    x = np.random.default_rng(0).normal(size=(9, 20)) + 1e6
    found, wanted = (run("moments", [((1, 20), np.dtype("f8"))] * 2, x, axes=(0,)) for run in (results, expected))
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, 1e-9)


@pytest.mark.parametrize("dtype", ["bf16", "f16"])
@pytest.mark.parametrize(("shape", "axes"), [((5, 6, 7, 24), (0, 1, 2)), ((9, 40), (1,)), ((30, 7), (0,))])
def test_numbers_of_16_bits(dtype: str, shape: tuple[int, ...], axes: tuple[int, ...]) -> None:
    x, made = np.empty(shape, dtype_of(dtype)), kept(shape, axes)
    write(x, normal(*shape) + 2)
    found = results("moments", [(made, F32)] * 2, x, axes=axes)
    for one, other in zip(found, expected("moments", [(made, F32)] * 2, numbers(x), axes=axes), strict=True):
        close(one, other, 1e-6)
    [largest] = results("max", [(made, dtype_of(dtype))], x, axes=axes)
    np.testing.assert_array_equal(numbers(largest), numbers(x).max(axes, keepdims=True))


A, B = operand(0), operand(1)
X, VALID, MEAN = Value("%x", "f32", (6, 9, 9, 20)), Value("%v", "i32", (1,)), Value("%m", "f32", (20,))
PLACED = Instruction((Value("%1", "f32", (9, 20)),), "map", (MEAN,), {"exprs": (A * 0.5,), "shape": (9, 20), "dtype": "f32"})
MORE = {
    "other rows": (over("moments", "%3 %4", X, (0,), VALID), over("sum", "%5", X, (0,))),
    "with axes of its own": (PLACED, mapped("%2", A * B, X, PLACED.result), over("sum", "%3", Value("%2", "f32", X.shape), (1, 2))),
}


@pytest.mark.parametrize("parts", [1, 3])
@pytest.mark.parametrize("case", [*REGIONS, *MORE])
def test_regions(case: str, parts: int) -> None:
    body = sorted({**REGIONS, **MORE}[case], key=lambda inner: inner.op != "map")
    made = [v for inner in body if inner.op != "map" for v in inner.results]
    fused = region(body, made, "")
    assert not not_swept(fused)
    views = {v.name: normal(*v.shape, seed=i) for i, v in enumerate(fused.operands)}
    views |= {"%v": np.array([4], I32), "%l": np.array([2, 0, 19, 5, 5, 1], I32).reshape(6, 1, 1, 1)}
    mine, theirs = ({v.name: np.full(v.shape, NAN, dtype) for v in made} for dtype in (F32, np.float64))
    room = parts * sum(4 * NUMBERS[inner.op] * inner.result.elements for inner in body if inner.op != "map") if parts > 1 else 0
    own = Instruction(fused.results, "fused", fused.operands, {}, fused.body, workspace=room)
    scratch = {own.scratch.name: np.empty(room, np.uint8)} if own.scratch else {}
    for step in cuda.KERNELS["region"](own, {**views, **mine, **scratch}):
        step.run(HostDriver())
    for call in oracle.calls(fused, {**views, **theirs}, 0):
        call()
    for name, answer in theirs.items():
        close(mine[name], answer)


@pytest.mark.parametrize(
    ("shape", "axes", "parts"),
    [
        ((256, 56, 56, 64), (0, 1, 2), 256),
        ((128, 7, 7, 2048), (0, 1, 2), 8),
        ((128, 7, 7, 2048), (1, 2), 1),
        ((128, 1000), (1,), 1),
        ((128, 1000), (0,), 1),
        ((4_000_000,), (0,), 488),
        ((4, 1_000_000), (1,), 122),
    ],
)
def test_large_reductions_are_shared_among_blocks(shape: tuple[int, ...], axes: tuple[int, ...], parts: int) -> None:
    """The room is the offer's, and it is taken."""
    moments = over("moments", "%1 %2", Value("%x", "f32", shape), axes)
    room = workspace(moments)
    assert room == (12 * parts * moments.result.elements if parts > 1 else 0)
    x, *made = (np.lib.stride_tricks.as_strided(np.empty(64, F32), v.shape, _dense(v.shape)) for v in (*moments.operands, *moments.results))
    first, *rest = cuda.KERNELS["moments"](*made, x, axes=axes, workspace=np.empty(room, np.uint8) if room else None)
    assert len(rest) == (parts > 1)
    assert 0.9 * parts <= first.grid[1] <= parts
    assert first.grid[0] * first.grid[1] >= 16


def test_offers_know_what_kernels_gather() -> None:
    assert {kind: reducer.numbers for kind, reducer in REDUCERS.items()} == NUMBERS


def _dense(shape: tuple[int, ...]) -> list[int]:
    return [4 * int(np.prod(shape[axis + 1 :])) for axis in range(len(shape))]


@pytest.mark.parametrize("architecture", ["sm_80", "sm_90a"])
@pytest.mark.parametrize("dtype", ["f32", "bf16"])
@pytest.mark.parametrize("op", NUMBERS)
def test_compiles_without_spills(op: str, dtype: str, architecture: str) -> None:
    x = np.empty((8, 64), dtype_of(dtype))
    how: dict[str, Any] = {"axis": 0} if op in ("argmax", "logsumexp") else {"axes": (0,)}
    types = [((1, 64), I32 if op == "argmax" else F32)] * (2 if op == "moments" else 1)
    compiles(architecture, op, types, x, workspace=64 * 12 * 4, **how)

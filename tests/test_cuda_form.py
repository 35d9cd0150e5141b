"""CUDA's moves against the oracle: exact, whatever lies between pixels, turned or not; and sampling by affine maps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from compiled import GAP, Array, close, expected, normal
from cuda_host import compiles, results
from test_cpu_form import CONSTANTS, JOINTS, ORDERS, PADS, SHAPES, SLICES, TABLES
from test_cpu_sampling import ENDS, READS, SIDES, WINDOWS, affine, borders, ends, filters, sampled_and_ended

from runtime.arrays import dtype_of

F32 = np.dtype(np.float32)
gaps = pytest.mark.parametrize("gap", [0, GAP])
WHOLE = {"f32": 1, "i64": 1 << 60, "u16": 1 << 12, "u8": 1, "b1": 1}


def whole(shape: tuple[int, ...], dtype: str) -> Array:
    """Numbers that no computation in f32 keeps."""
    return (np.random.default_rng(0).integers(0, 200, shape) * WHOLE[dtype]).astype(dtype_of(dtype))


def same(op: str, shape: tuple[int, ...], /, *operands: Array, gap: int, **how: Any) -> None:
    types = [(shape, operands[0].dtype)]
    [answer] = results(op, types, *operands, gap=gap, **how)
    np.testing.assert_array_equal(answer, expected(op, types, *operands, **how)[0])


@gaps
@pytest.mark.parametrize("dtype", ["f32", "i64", "u16"])
@pytest.mark.parametrize(("before", "behind"), SHAPES)
def test_reshape(before: tuple[int, ...], behind: tuple[int, ...], gap: int, dtype: str) -> None:
    same("reshape", behind, whole(before, dtype), gap=gap, shape=behind)


TURNED = [((2, 33, 50), (0, 2, 1)), ((40, 3, 70), (2, 1, 0)), ((2, 3, 5, 64), (3, 0, 2, 1)), ((17, 2, 2, 90), (1, 3, 2, 0))]


@gaps
@pytest.mark.parametrize("dtype", ["f32", "u8"])
@pytest.mark.parametrize(("shape", "order"), [*ORDERS, *TURNED])
def test_transpose(shape: tuple[int, ...], order: tuple[int, ...], gap: int, dtype: str) -> None:
    same("transpose", tuple(shape[axis] for axis in order), whole(shape, dtype), gap=gap, order=order)


@gaps
@pytest.mark.parametrize("dtype", ["f32", "b1"])
@pytest.mark.parametrize(("begin", "end", "step"), SLICES)
def test_slice(begin: tuple[int, ...], end: tuple[int, ...], step: tuple[int, ...], gap: int, dtype: str) -> None:
    shape = tuple(len(range(*piece)) for piece in zip(begin, end, step, strict=True))
    same("slice", shape, whole((2, 6, 7, 40), dtype), gap=gap, begin=begin, end=end, step=step)


FOUR_SIDES = ((1, 1, 1, 2), (0, 0, -1, 1), (0, 1, 0, 1))


@gaps
@pytest.mark.parametrize("dtype", ["f32", "u16"])
@pytest.mark.parametrize(("low", "high", "interior"), [*PADS, FOUR_SIDES])
def test_pad(low: tuple[int, ...], high: tuple[int, ...], interior: tuple[int, ...], gap: int, dtype: str) -> None:
    x = whole((2, 6, 7, 16), dtype)
    shape = tuple(n + a + b + (n - 1) * i for n, a, b, i in zip(x.shape, low, high, interior, strict=True))
    same("pad", shape, x, gap=gap, low=low, high=high, interior=interior)


@gaps
@pytest.mark.parametrize(("sizes", "axis"), JOINTS)
def test_concat(sizes: tuple[int, ...], axis: int, gap: int) -> None:
    shapes = [tuple(size if at == axis else n for at, n in enumerate((2, 3, 4, 5))) for size in sizes]
    joined = tuple(sum(sizes) if at == axis else n for at, n in enumerate(shapes[0]))
    same("concat", joined, *(normal(*shape, seed=i) for i, shape in enumerate(shapes)), gap=gap, axis=axis)


def test_concat_leaves_alone_what_is_in_place() -> None:
    from runtime.kernels.cuda import KERNELS

    y = np.zeros((2, 3, 5), np.float32)
    assert len(list(KERNELS["concat"](y, y[..., :2], np.zeros((2, 3, 3), np.float32), axis=2))) == 1


@gaps
@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize(("shape", "axis"), [((2, 6, 3, 20), 1), ((2, 6), 1)])
def test_gather_and_scatter(shape: tuple[int, ...], axis: int, table: tuple[int, ...], gap: int) -> None:
    chosen = (*shape[:axis], len(table), *shape[axis + 1 :])
    same("gather", chosen, whole(shape, "i64"), gap=gap, table=table, axis=axis)
    how: dict[str, Any] = {"table": table, "axis": axis, "size": 6}
    [answer] = results("scatter", [(shape, F32)], normal(*chosen), gap=gap, **how)
    close(answer, expected("scatter", [(shape, F32)], normal(*chosen), **how)[0], 1e-6)


@pytest.mark.parametrize("numbers", [np.int64, np.int32, np.uint8])
@pytest.mark.parametrize(("shape", "gap"), [((5,), 0), ((5, 3), GAP), ((5, 4, 64), 0)])
def test_take(shape: tuple[int, ...], numbers: Any, gap: int) -> None:
    i = np.array([[4], [0], [0], [3], [1], [2], [4]], numbers)
    same("take", (7, *shape[1:]), whole(shape, "i64"), i, gap=gap)


def test_rows_that_are_not_there_are_the_nearest() -> None:
    [answer] = results("take", [((3, 2), F32)], normal(4, 2), np.array([-5, 1, 9]))
    np.testing.assert_array_equal(answer, normal(4, 2)[[0, 1, 3]])


@gaps
@pytest.mark.parametrize(("shape", "dtype"), CONSTANTS)
def test_constant(shape: tuple[int, ...], dtype: str, gap: int) -> None:
    types = [(shape, dtype_of(dtype))]
    for how in ({"value": 1.0}, {"table": tuple(i % 7 - 2 * (dtype != "b1") for i in range(int(np.prod(shape))))}):
        [answer] = results("constant", types, gap=gap, shape=shape, dtype=dtype, **how)
        np.testing.assert_array_equal(answer, expected("constant", types, shape=shape, dtype=dtype, **how)[0])


def test_one_rank_has_what_all_have() -> None:
    same("all_reduce", (3, 5), normal(3, 5), gap=GAP, op="sum", ranks=1)


@filters
@borders
@pytest.mark.parametrize(("sides", "size", "c"), SIDES)
def test_pictures_and_their_gradients(sides: tuple[int, ...], size: tuple[int, ...], c: int, filter: str, border: str) -> None:
    rows, gap = (3, GAP) if border == "mirror" else (1, 0)
    x, dy, matrix = normal(3, *sides, c), normal(3, *size, c), affine(rows, len(sides))
    how: dict[str, Any] = {"filter": filter, "border": border}
    for op, operand, shape, wanted in (("resample", x, dy.shape, size), ("resample_dx", dy, x.shape, sides)):
        types = [(shape, F32)]
        [answer] = results(op, types, operand, matrix, gap=gap, size=wanted, **how)
        close(answer, expected(op, types, operand, matrix, size=wanted, **how)[0])


@borders
@pytest.mark.parametrize("c", [3, 16])
def test_bytes_are_picked(c: int, border: str) -> None:
    x, matrix = np.random.default_rng(c).integers(0, 256, (3, 8, 9, c)).astype(np.uint8), affine(3, 2)
    same("resample", (3, 8, 9, c), x, matrix, gap=0, size=(8, 9), filter="nearest", border=border)


@ends
@pytest.mark.parametrize(("read", "filter"), READS)
@pytest.mark.parametrize(("c", "gap", "border"), [(1, 0, "zero"), (3, GAP, "edge"), (16, 0, "mirror"), (17, GAP, "zero")])
def test_the_map_behind_a_sampling(end: str, read: str, filter: str, c: int, gap: int, border: str) -> None:
    for sides, size in WINDOWS:
        sampled_and_ended(results, end, read, sides, size, c, gap, filter=filter, border=border)


def test_a_map_that_is_no_number_stays_within_memory() -> None:
    x = normal(2, 4, 4, 3)
    for number in (np.nan, np.inf, -np.inf, 1e30):
        matrix = np.full((1, 2, 3), number, np.float32)
        results("resample", [(x.shape, F32)], x, matrix, size=(4, 4), filter="bilinear", border="mirror")
        results("resample_dx", [(x.shape, F32)], x, matrix, size=(4, 4), filter="nearest", border="edge")


@pytest.mark.parametrize("architecture", ["sm_80", "sm_90a"])
def test_moves_compile_for_gpus_without_spills(architecture: str) -> None:
    x = normal(2, 40, 6, 32)
    pads: dict[str, Any] = {"low": (0, 1, 1, 0), "high": (0, 1, -1, 0), "interior": (0, 1, 0, 0)}
    compiles(architecture, "transpose", [((2, 32, 6, 40), F32)], x, order=(0, 3, 2, 1))
    compiles(architecture, "reshape", [((2, 640, 6), F32)], x[..., ::2], shape=(2, 640, 6))
    compiles(architecture, "pad", [((2, 81, 6, 32), F32)], x, **pads)
    compiles(architecture, "gather", [((2, 40, 6, 32), F32)], x, table=(3, -1, 0), axis=1)
    compiles(architecture, "scatter", [((2, 40, 6, 32), F32)], x, table=(3, -1, 0), axis=1, size=40)
    compiles(architecture, "take", [((3, 40, 6, 32), F32)], x, np.array([1, 0, 1]))
    compiles(architecture, "constant", [((2, 3), F32)], shape=(2, 3), dtype="f32", table=tuple(range(6)))
    for border in ("zero", "mirror"):
        how: dict[str, Any] = {"size": (40, 6), "filter": "bilinear", "border": border}
        compiles(architecture, "resample", [(x.shape, F32)], x, affine(2, 2), **how)
        compiles(architecture, "resample_dx", [(x.shape, F32)], x, affine(2, 2), **how)
    one, each, pictures = np.ones(1, np.float32), np.ones(3, np.float32), np.ones((2, 64, 64, 3), np.uint8)
    beside = [None, each, each, np.ones((2, 1, 1, 1), np.float32), one, np.ones((2, 40, 40, 3), np.float32)]
    how = {"size": (40, 40), "filter": "bilinear", "border": "mirror"}
    for dtype in ("f32", "bf16"):
        types = [((2, 40, 40, 3), dtype_of(dtype))]
        for end in ("normalized", "erased"):
            compiles(architecture, "resample", types, pictures, affine(2, 2), behind=(ENDS[end], beside), **how)

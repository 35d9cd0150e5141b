"""Compiled forms against the oracle: exact, whatever lies between pixels, turned or not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from compiled import GAP, Array, close, expected, normal, results

from netcompiler.plan import Instruction, Value
from netcompiler.targets.cpu import CPU
from runtime.arrays import dtype_of
from runtime.kernels.cpu import collect, turn

gaps = pytest.mark.parametrize("gap", [0, GAP])
lanes = pytest.mark.parametrize("lanes", [16, 8, 4])


@pytest.fixture(autouse=True)
def of_this_width(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "lanes" in request.fixturenames:
        for module in (collect, turn):
            monkeypatch.setattr(module, "LANES", request.getfixturevalue("lanes"))


def same(op: str, shape: tuple[int, ...], /, *operands: Array, gap: int = 0, **attributes: Any) -> None:
    types = [(shape, operands[0].dtype)]
    [answer] = results(op, types, *operands, gap=gap, **attributes)
    np.testing.assert_array_equal(answer, expected(op, types, *operands, **attributes)[0])


SHAPES = [((2, 3, 4, 5), (2, 60)), ((2, 60), (2, 3, 4, 5)), ((6, 4), (8, 3)), ((5,), (1, 1, 5)), ((1, 1), (1,)), ((4, 6, 35), (2, 12, 35))]


@gaps
@pytest.mark.parametrize(("before", "behind"), SHAPES)
def test_reshape(before: tuple[int, ...], behind: tuple[int, ...], gap: int) -> None:
    same("reshape", behind, normal(*before), gap=gap, shape=behind)


ORDERS = [
    ((2, 6, 7, 40), (0, 3, 1, 2)),
    ((2, 40, 6, 7), (0, 2, 3, 1)),
    ((3, 5), (1, 0)),
    ((2, 8, 5, 5, 8), (0, 2, 3, 4, 1)),
    ((2, 1, 28, 28, 3), (0, 4, 1, 2, 3)),
    ((2, 3, 4, 5, 6), (4, 2, 0, 3, 1)),
    ((2, 3, 4, 5), (1, 0, 2, 3)),
]


@lanes
@gaps
@pytest.mark.parametrize(("shape", "order"), ORDERS)
def test_transpose(shape: tuple[int, ...], order: tuple[int, ...], gap: int, lanes: int) -> None:
    same("transpose", tuple(shape[axis] for axis in order), normal(*shape), gap=gap, order=order)


SLICES = [
    ((0, 1, 2, 0), (2, 5, 6, 40), (1, 1, 1, 1)),
    ((0, 0, 0, 0), (2, 6, 7, 40), (1, 2, 3, 1)),
    ((1, 0, 0, 3), (2, 6, 7, 38), (1, 1, 1, 2)),
    ((0, 0, 0, 7), (2, 6, 7, 8), (1, 1, 1, 1)),
]


@gaps
@pytest.mark.parametrize(("begin", "end", "step"), SLICES)
def test_slice(begin: tuple[int, ...], end: tuple[int, ...], step: tuple[int, ...], gap: int) -> None:
    x = normal(2, 6, 7, 40)
    shape = tuple(len(range(*piece)) for piece in zip(begin, end, step, strict=True))
    same("slice", shape, x, gap=gap, begin=begin, end=end, step=step)


PADS = [
    ((0, 1, 2, 0), (0, 2, 0, 0), (0, 0, 0, 0)),
    ((0, 0, 0, 0), (0, 1, 1, 0), (0, 1, 1, 0)),
    ((0, 0, 0, 0), (0, 0, 0, 16), (0, 0, 0, 0)),
    ((1, 0, 0, 3), (0, 0, 0, 0), (1, 0, 0, 2)),
    ((0, -2, 3, 0), (0, -1, -4, 0), (0, 2, 1, 0)),
    ((0, 0, 0, 0), (0, 0, 0, 0), (0, 0, 0, 0)),
]


@gaps
@pytest.mark.parametrize(("low", "high", "interior"), PADS)
def test_pad(low: tuple[int, ...], high: tuple[int, ...], interior: tuple[int, ...], gap: int) -> None:
    x = normal(2, 6, 7, 19)
    shape = tuple(n + a + b + (n - 1) * i for n, a, b, i in zip(x.shape, low, high, interior, strict=True))
    same("pad", shape, x, gap=gap, low=low, high=high, interior=interior)


JOINTS = [((32, 1, 7), 3), ((3, 2), 1), ((1, 1, 1), 0)]


@gaps
@pytest.mark.parametrize(("sizes", "axis"), JOINTS)
def test_concat(sizes: tuple[int, ...], axis: int, gap: int) -> None:
    shapes = [[2, 3, 4, 5] for _ in sizes]
    for shape, size in zip(shapes, sizes, strict=True):
        shape[axis] = size
    whole = list(shapes[0])
    whole[axis] = sum(sizes)
    same("concat", tuple(whole), *(normal(*shape, seed=i) for i, shape in enumerate(shapes)), gap=gap, axis=axis)


TABLES = [(5, -1, 0, 0, 3), (-1,), (2, 1, 0, 3, 4, 5), (0, 0, 0, 1, 1, 1, 5, 5, 4)]


@lanes
@gaps
@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize(("shape", "axis"), [((2, 6, 3, 21), 1), ((6, 70), 0), ((2, 6), 1)])
def test_gather_and_scatter(shape: tuple[int, ...], axis: int, table: tuple[int, ...], gap: int, lanes: int) -> None:
    picked = (*shape[:axis], len(table), *shape[axis + 1 :])
    same("gather", picked, normal(*shape), gap=gap, table=table, axis=axis)
    how: dict[str, Any] = {"table": table, "axis": axis, "size": 6}
    [answer] = results("scatter", [(shape, np.float32)], normal(*picked), gap=gap, **how)
    close(answer, expected("scatter", [(shape, np.float32)], normal(*picked), **how)[0])


@lanes
@gaps
@pytest.mark.parametrize("numbers", [np.int64, np.int32, np.uint8])
@pytest.mark.parametrize("shape", [(5,), (5, 3), (5, 4, 70)])
def test_take(shape: tuple[int, ...], numbers: Any, gap: int, lanes: int) -> None:
    i = np.array([4, 0, 0, 3, 1, 2, 4], numbers)
    x = normal(*shape)
    [answer] = results("take", [((7, *shape[1:]), np.float32)], x, i, gap=gap if len(shape) > 1 else 0)
    np.testing.assert_array_equal(answer, x[i])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.uint32, np.int64, np.bool_])
def test_whole_numbers_are_moved_as_they_are(dtype: Any) -> None:
    limits = (0, 1) if dtype == np.bool_ else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    x = np.random.default_rng(0).integers(*limits, (3, 4, 18), np.int64 if dtype == np.bool_ else dtype, endpoint=True).astype(dtype)
    for op, shape, how in (
        ("reshape", (12, 18), {"shape": (12, 18)}),
        ("transpose", (18, 3, 4), {"order": (2, 0, 1)}),
        ("slice", (3, 2, 18), {"begin": (0, 0, 0), "end": (3, 4, 18), "step": (1, 2, 1)}),
        ("take", (2, 4, 18), {}),
    ):
        more = (np.array([2, 0]),) if op == "take" else ()
        [answer] = results(op, [(shape, dtype)], x, *more, gap=GAP, **how)
        np.testing.assert_array_equal(answer, expected(op, [(shape, dtype)], x, *more, **how)[0])


CONSTANTS = [((), "f32"), ((1, 1), "f32"), ((3, 50, 70), "f32"), ((4,), "i32"), ((2, 3), "b1"), ((2, 3), "i64")]


@gaps
@pytest.mark.parametrize(("shape", "dtype"), CONSTANTS)
def test_constant(shape: tuple[int, ...], dtype: str, gap: int) -> None:
    types = [(shape, dtype_of(dtype))]
    count = int(np.prod(shape))
    for how in ({"value": 1.0}, {"table": tuple(i % 7 for i in range(count))}):
        [answer] = results("constant", types, gap=gap, shape=shape, dtype=dtype, **how)
        np.testing.assert_array_equal(answer, expected("constant", types, shape=shape, dtype=dtype, **how)[0])


def test_concat_leaves_alone_what_is_in_place() -> None:
    from runtime.kernels.cpu import KERNELS

    y = np.zeros((2, 3, 5), np.float32)
    assert len(list(KERNELS["concat"](y, y[..., :2], np.zeros((2, 3, 3), np.float32), axis=2))) == 1


def test_pads_of_four_sides_are_left_to_the_oracle() -> None:
    x, y = Value("%1", "f32", (2, 2, 2, 2, 2)), Value("%2", "f32", (3, 3, 3, 3, 2))
    around = {"low": (1, 1, 1, 1, 0), "high": (0,) * 5, "interior": (0,) * 5}
    assert "4 axes" in CPU.offers["pad"][0].refuses(Instruction((y,), "pad", (x,), around))

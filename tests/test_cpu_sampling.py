"""Compiled sampling against the oracle: filters, borders, pictures of one to three sides, and its adjoint."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from compiled import GAP, Array, close, expected, normal, results

from netcompiler.scalar import Expr, compare, index, logical, maximum, minimum, operand, select, wrap
from runtime.arrays import dtype_of
from runtime.kernels.cpu import sampling as kernels
from runtime.kernels.expressions import with_leaves

SIDES = [((7,), (9,), 3), ((6, 5), (4, 8), 1), ((8, 9), (8, 9), 37), ((1, 1), (2, 3), 3), ((3, 4, 5), (4, 3, 2), 5)]
filters = pytest.mark.parametrize("filter", ["nearest", "bilinear"])
borders = pytest.mark.parametrize("border", ["zero", "edge", "mirror"])


def affine(rows: int, sides: int) -> Array:
    """Turned, scaled and moved, some of it far outside; the first of several is not turned."""
    random = np.random.default_rng([rows, sides])
    matrix = np.eye(sides, sides + 1) + random.normal(size=(rows, sides, sides + 1)) * 0.6
    matrix[..., -1] *= 4
    if rows > 1:
        matrix[0, :, :-1] *= np.eye(sides)
    return matrix.astype(np.float32)


@filters
@borders
@pytest.mark.parametrize(("sides", "size", "c"), SIDES)
@pytest.mark.parametrize(("rows", "gap"), [(1, 0), (3, GAP)])
def test_pictures_and_their_gradients(
    sides: tuple[int, ...], size: tuple[int, ...], c: int, rows: int, gap: int, filter: str, border: str
) -> None:
    both_ways(sides, size, c, rows, gap, filter, border)


@pytest.mark.parametrize("lanes", [8, 4])
@pytest.mark.parametrize(("sides", "size", "c"), SIDES)
def test_vectors_of_any_machine(sides: tuple[int, ...], size: tuple[int, ...], c: int, lanes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "LANES", lanes)
    both_ways(sides, size, c, 3, GAP, "bilinear", "mirror")


@borders
@pytest.mark.parametrize("c", [1, 3, 37])
def test_bytes_are_picked(c: int, border: str) -> None:
    x, matrix = np.random.default_rng(c).integers(0, 256, (3, 8, 9, c)).astype(np.uint8), affine(3, 2)
    types, how = [((3, 8, 9, c), np.uint8)], {"size": (8, 9), "filter": "nearest", "border": border}
    [answer] = results("resample", types, x, matrix, gap=GAP, **how)
    np.testing.assert_array_equal(answer, expected("resample", types, x, matrix, **how)[0])


A, MEAN, STD, ONE_EACH, ONE, CELL = map(operand, range(6))
ENDS: dict[str, tuple[Expr, ...]] = {
    "normalized": ((A / 255 - MEAN) / STD,),
    "lighter": ((minimum(maximum(A / 255 * ONE_EACH, wrap(0)), wrap(1)) - MEAN) / STD,),
    "erased": ((select(logical("and", compare("ge", index(1), ONE_EACH), compare("lt", index(2), ONE)), MEAN, A) - MEAN) / STD,),
    "by picture and channel": (A + 10 * index(0) + index(3) + CELL,),
    "two results": (A * STD, compare("lt", A, MEAN)),
}
ends = pytest.mark.parametrize("end", ENDS)
READS = [("u8", "nearest"), ("u8", "bilinear"), ("f32", "bilinear")]
WINDOWS = [((8, 9), (6, 7)), ((7,), (9,)), ((3, 4, 5), (4, 3, 2))]


def sampled_and_ended(
    run: Callable[..., list[Array]], end: str, read: str, sides: tuple[int, ...], size: tuple[int, ...], c: int, gap: int, **how: Any
) -> None:
    """Against the oracle, one instruction after the other."""
    random = np.random.default_rng([c, *sides])
    x = random.integers(0, 256, (3, *sides, c)).astype(dtype_of(read))
    matrix, shape, how = affine(3, len(sides)), (3, *size, c), {"size": size, **how}
    picture = random.integers(1, 4, (3, *(1 for _ in size), 1)).astype(np.float32)
    beside = [random.uniform(0.2, 0.5, c).astype(np.float32), random.uniform(0.2, 0.5, c).astype(np.float32), picture]
    beside += [np.array([3], np.float32), normal(*shape)]
    exprs = with_leaves(ENDS[end], {index(3): index(1 + len(sides)), index(2): index(len(sides))})
    types = [(shape, dtype) for dtype in (np.float32, np.bool_)[: len(exprs)]]
    found = run("resample", types, x, matrix, gap=gap, behind=(exprs, [None, *beside]), **how)
    [plain] = expected("resample", [(shape, np.float32)], x, matrix, **how)
    wanted = expected("map", types, plain.astype(np.float32), *beside, exprs=exprs, shape=shape, dtype="f32")
    close(found[0], wanted[0])
    assert all(np.mean(a != b) < 0.01 for a, b in zip(found[1:], wanted[1:], strict=True))


@ends
@pytest.mark.parametrize(("read", "filter"), READS)
@pytest.mark.parametrize(("c", "gap"), [(1, 0), (3, 0), (5, GAP), (17, 0), (17, GAP)])
def test_the_map_behind_it(end: str, read: str, filter: str, c: int, gap: int) -> None:
    """Rows in one piece, and pixels that lie apart."""
    for sides, size in WINDOWS:
        sampled_and_ended(results, end, read, sides, size, c, gap, filter=filter, border="zero")


@borders
@ends
@pytest.mark.parametrize("lanes", [8, 4])
def test_the_map_behind_it_on_any_machine(end: str, lanes: int, border: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "LANES", lanes)
    for read, filter in READS:
        sampled_and_ended(results, end, read, (8, 9), (6, 7), 3, 0, filter=filter, border=border)


def both_ways(sides: tuple[int, ...], size: tuple[int, ...], c: int, rows: int, gap: int, filter: str, border: str) -> None:
    x, dy, matrix = normal(3, *sides, c), normal(3, *size, c), affine(rows, len(sides))
    how: dict[str, Any] = {"filter": filter, "border": border}
    for op, read, shape, wanted in (("resample", x, dy.shape, size), ("resample_dx", dy, x.shape, sides)):
        types = [(shape, np.float32)]
        [answer] = results(op, types, read, matrix, gap=gap, size=wanted, **how)
        close(answer, expected(op, types, read, matrix, size=wanted, **how)[0])


def test_a_map_that_is_no_number_stays_within_memory() -> None:
    x = normal(2, 4, 4, 3)
    for number in (np.nan, np.inf, -np.inf, 1e30):
        matrix = np.full((1, 2, 3), number, np.float32)
        results("resample", [((2, 4, 4, 3), np.float32)], x, matrix, size=(4, 4), filter="bilinear", border="mirror")
        results("resample_dx", [((2, 4, 4, 3), np.float32)], x, matrix, size=(4, 4), filter="nearest", border="edge")

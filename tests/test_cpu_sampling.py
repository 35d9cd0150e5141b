"""Compiled sampling against the oracle: filters, borders, pictures of one to three sides, and its adjoint."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from compiled import GAP, Array, close, expected, normal, results

from runtime.kernels.cpu import sampling as kernels

SIDES = [((7,), (9,), 3), ((6, 5), (4, 8), 1), ((8, 9), (8, 9), 37), ((1, 1), (2, 3), 3), ((3, 4, 5), (4, 3, 2), 5)]
filters = pytest.mark.parametrize("filter", ["nearest", "bilinear"])
borders = pytest.mark.parametrize("border", ["zero", "edge", "mirror"])


def affine(rows: int, sides: int) -> Array:
    """Turned, scaled and moved, some of it far outside."""
    random = np.random.default_rng([rows, sides])
    matrix = np.eye(sides, sides + 1) + random.normal(size=(rows, sides, sides + 1)) * 0.6
    matrix[..., -1] *= 4
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


def both_ways(sides: tuple[int, ...], size: tuple[int, ...], c: int, rows: int, gap: int, filter: str, border: str) -> None:
    x, dy, matrix = normal(3, *sides, c), normal(3, *size, c), affine(rows, len(sides))
    how: dict[str, Any] = {"filter": filter, "border": border}
    for op, operand, shape, wanted in (("resample", x, dy.shape, size), ("resample_dx", dy, x.shape, sides)):
        types = [(shape, np.float32)]
        [answer] = results(op, types, operand, matrix, gap=gap, size=wanted, **how)
        close(answer, expected(op, types, operand, matrix, size=wanted, **how)[0])


def test_a_map_that_is_no_number_stays_within_memory() -> None:
    x = normal(2, 4, 4, 3)
    for number in (np.nan, np.inf, -np.inf, 1e30):
        matrix = np.full((1, 2, 3), number, np.float32)
        results("resample", [((2, 4, 4, 3), np.float32)], x, matrix, size=(4, 4), filter="bilinear", border="mirror")
        results("resample_dx", [((2, 4, 4, 3), np.float32)], x, matrix, size=(4, 4), filter="nearest", border="edge")

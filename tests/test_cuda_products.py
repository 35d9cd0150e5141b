"""CUDA's own products against the oracle: convolutions of any window, both gradients, matrix products, the map behind them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from compiled import GAP, Array, close, expected, normal
from cuda_host import compiles, results
from oracle import WINDOWS, sizes
from test_cpu_conv import CASES, MAPS, PRODUCTS, operands
from test_cpu_depthwise import MOBILE

from netcompiler.plan import Axis, Instruction, Value
from netcompiler.scalar import Expr
from netcompiler.targets.choice import Chooser
from netcompiler.targets.cuda import CUDA

F32 = np.dtype(np.float32)
BY_CHANNEL = {name: WINDOWS[name] for name in ("one axis", "dilation", "cells never read", "three axes", "overlaps")} | MOBILE
FINISHED = {
    "plain": CASES["stride"],
    "plain groups": CASES["dilation, groups"],
    "depthwise": (2, (13, 14), 12, 12, MOBILE["stride 2"][1], 12),
}


def all_three(algorithm: str, x: Array, w: Array, dy: Array, gap: int, window: tuple[Axis, ...], groups: int) -> None:
    """`workspace` is what the algorithm needs, and for the gradient of weights that of three slices."""
    how: dict[str, Any] = {"window": window, "groups": groups, "gap": gap}
    tiled = w.nbytes if algorithm == "depthwise" else 0
    for op, shape, read, more in (
        ("conv", dy.shape, (x, w), {"workspace": tiled}),
        ("conv_dx", x.shape, (dy, w), {"workspace": tiled, "size": x.shape[1:-1]}),
        ("conv_dw", w.shape, (x, dy), {"workspace": 3 * w.nbytes}),
        ("conv_dw", w.shape, (x, dy), {}),
    ):
        types = [(shape, F32)]
        [answer] = results(f"{op}_{algorithm}", types, *read, **how, **more)
        size = {"size": x.shape[1:-1]} if op == "conv_dx" else {}
        close(answer, expected(op, types, *read, window=window, groups=groups, **size)[0], 3e-6)


@pytest.mark.parametrize("name", CASES)
def test_convolutions_and_their_gradients(name: str) -> None:
    (*_, window, groups) = CASES[name]
    all_three("plain", *operands(CASES[name]), GAP if groups == 1 else 0, window, groups)


@pytest.mark.parametrize(("name", "c", "gap"), [*((name, 8, 0) for name in BY_CHANNEL), ("stride 2", 37, GAP), ("stride 1", 150, 0)])
def test_each_channel_by_itself(name: str, c: int, gap: int) -> None:
    sides, window = BY_CHANNEL[name]
    w = normal(c, *(a.kernel for a in window), 1)
    all_three("depthwise", normal(2, *sides, c), w, normal(2, *sizes(window, sides), c), gap, window, c)


@pytest.mark.parametrize("name", FINISHED)
@pytest.mark.parametrize("exprs", MAPS.values(), ids=list(MAPS))
def test_the_map_behind_a_product(name: str, exprs: tuple[Expr, ...]) -> None:
    """Operands are the product, numbers for each channel, for each cell, and a single one."""
    (x, w, dy), (*_, window, groups) = operands(FINISHED[name]), FINISHED[name]
    algorithm, tiled = name.split()[0], w.nbytes * (name == "depthwise")
    for op, shape, read, size in (("conv", dy.shape, x, {}), ("conv_dx", x.shape, dy, {"size": x.shape[1:-1]})):
        how: dict[str, Any] = {"window": window, "groups": groups, **size}
        [product] = results(f"{op}_{algorithm}", [(shape, F32)], read, w, workspace=tiled, **how)
        finished(f"{op}_{algorithm}", exprs, product, read, w, workspace=tiled, **how)


@pytest.mark.parametrize("exprs", MAPS.values(), ids=list(MAPS))
def test_the_map_behind_matrices(exprs: tuple[Expr, ...]) -> None:
    a, b = normal(40, 50), normal(33, 50)
    finished("matmul_plain", exprs, a @ b.T, a, b, ta=False, tb=True)


def finished(kernel: str, exprs: tuple[Expr, ...], product: Array, /, *read: Array, **how: Any) -> None:
    beside = [normal(product.shape[-1]), normal(*product.shape), normal(1)]
    types = [(product.shape, dtype) for dtype in (np.float32, np.bool_)[: len(exprs)]]
    found = results(kernel, types, *read, gap=GAP, behind=(exprs, [None, *beside]), **how)
    wanted = expected("map", types, product, *beside, exprs=exprs, shape=product.shape, dtype="f32")
    close(found[0], wanted[0])
    assert all(np.mean(one != other) < 0.01 for one, other in zip(found[1:], wanted[1:], strict=True))


@pytest.mark.parametrize(("ta", "tb"), [(False, False), (False, True), (True, False), (True, True)])
@pytest.mark.parametrize(("rows", "inner", "columns"), PRODUCTS)
def test_matrix_products(rows: int, inner: int, columns: int, ta: bool, tb: bool) -> None:
    a = normal(*((inner, rows) if ta else (rows, inner)))
    b = normal(*((columns, inner) if tb else (inner, columns)))
    types = [((rows, columns), F32)]
    [y] = results("matmul_plain", types, a, b, ta=ta, tb=tb)
    close(y, expected("matmul", types, a, b, ta=ta, tb=tb)[0], 3e-6)


def test_matrices_in_a_batch_may_share_one() -> None:
    a, b = normal(2, 3, 5, 4), normal(3, 4, 6)
    [y] = results("matmul_plain", [((2, 3, 5, 6), F32)], a, b, ta=False, tb=False)
    close(y, np.matmul(a.astype(np.float64), b), 3e-6)


OFFERED = [
    ("conv", (8, 12, 12, 16), (16, 3, 3, 1), 16, "conv.depthwise"),
    ("conv", (8, 12, 12, 16), (16, 3, 3, 8), 2, "conv.cudnn"),
    ("conv", (8, 4, 4, 4, 4, 16), (16, 3, 3, 3, 3, 8), 2, "conv.plain"),
    ("conv_dw", (8, 12, 12, 16), (16, 3, 3, 1), 16, "conv_dw.depthwise"),
    ("conv_dw", (8, 12, 12, 96), (96, 9, 9, 1), 96, "conv_dw.cudnn"),
    ("conv_dw", (8, 64, 4, 4, 4, 16), (16, 3, 3, 3, 3, 8), 2, "conv_dw.plain"),
]


@pytest.mark.parametrize(("op", "shape", "filters", "groups", "offer"), OFFERED)
def test_the_last_resort_is_taken_where_there_is_nothing_better(op: str, shape: Any, filters: Any, groups: int, offer: str) -> None:
    x, w, y = Value("%1", "f32", shape), Value("%2", "f32", filters), Value("%3", "f32", (*shape[:-1], filters[0]))
    window = tuple(Axis(k, 1, k // 2, k // 2) for k in filters[1:-1])
    operands, result = ((x, w), y) if op == "conv" else ((x, y), w)
    instruction = Instruction((result,), op, operands, {"window": window, "groups": groups})
    taken = Chooser(CUDA).offer(instruction)
    assert taken.name == offer
    assert taken.workspace(instruction) % (4 * w.elements) == 0 or offer.endswith("cudnn")


@pytest.mark.parametrize("architecture", ["sm_80", "sm_90a"])
@pytest.mark.parametrize("kernel", [3, 5, 7])
def test_products_compile_for_gpus_without_spills(architecture: str, kernel: int) -> None:
    sides, window = (12, 14), (Axis(kernel, 2, 1, 1), Axis(kernel, 2, 1, 1))
    x, y = normal(2, *sides, 64), normal(2, *sizes(window, sides), 64)
    for algorithm, groups in (("plain", 1), ("depthwise", 64)):
        w = normal(64, kernel, kernel, 64 // groups)
        how: dict[str, Any] = {"window": window, "groups": groups, "workspace": w.nbytes if algorithm == "depthwise" else 0}
        compiles(architecture, f"conv_{algorithm}", [(y.shape, F32)], x, w, **how)
        compiles(architecture, f"conv_dx_{algorithm}", [(x.shape, F32)], y, w, **how, size=sides)
        compiles(architecture, f"conv_dw_{algorithm}", [(w.shape, F32)], x, y, **{**how, "workspace": 3 * w.nbytes})
    compiles(architecture, "matmul_plain", [((40, 50), F32)], normal(40, 60), normal(60, 50), ta=False, tb=False)

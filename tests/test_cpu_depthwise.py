"""Compiled convolutions of each channel by itself against the oracle: all windows, multipliers, and vectors of other machines."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from compiled import GAP, Room, close, expected, normal, results, spaced
from oracle import WINDOWS, sizes

import netcompiler
from netcompiler.plan import Axis
from netcompiler.scalar import Expr, compare, operand, relu, select, wrap
from runtime.kernels.behind import Ahead, Behind
from runtime.kernels.cpu import KERNELS, planes
from runtime.kernels.cpu import depthwise as kernels
from runtime.kernels.cpu.driver import Table

MOBILE = {
    "stride 1": ((6, 13), (Axis(3, 1, 1, 1), Axis(3, 1, 1, 1))),
    "stride 2": ((13, 14), (Axis(3, 2, 1, 1), Axis(3, 2, 1, 1))),
    "five by five": ((7, 11), (Axis(5, 1, 2, 2), Axis(5, 1, 2, 2))),
    "wider than is written out": ((5, 17), (Axis(3, 1, 1, 1), Axis(7, 2, 3, 3))),
}
windowed = pytest.mark.parametrize(("sides", "window"), [*WINDOWS.values(), *MOBILE.values()], ids=[*WINDOWS, *MOBILE])
PICTURES = {name: case for name, case in {**WINDOWS, **MOBILE}.items() if len(case[0]) == 2} | {
    "several bands of rows": ((50, 9), (Axis(3, 1, 1, 1), Axis(3, 1, 1, 1))),
    "wider than the caches": ((5, 700), (Axis(3, 1, 1, 1), Axis(3, 1, 1, 1))),
    "nothing but padding": ((6, 1), (Axis(3, 1, 1, 1), Axis(3, 1, 10, -8))),
    "padding beyond the window": ((6, 7), (Axis(2, 1, 3, 4), Axis(3, 2, 4, 3))),
}
CHANNELS = [(1, 1, 0), (5, 1, GAP), (150, 1, 0), (3, 2, 0), (17, 3, GAP), (2, 20, 0)]


@windowed
@pytest.mark.parametrize(("c", "m", "gap"), [(37, 1, GAP), (3, 2, 0)])
def test_forward_and_both_gradients(sides: tuple[int, ...], window: tuple[Axis, ...], c: int, m: int, gap: int) -> None:
    _all_three("depthwise", sides, window, c, m, gap)


@pytest.mark.parametrize(("sides", "window"), PICTURES.values(), ids=list(PICTURES))
@pytest.mark.parametrize(("c", "gap"), [(37, GAP), (16, 0), (300, 0)])
def test_planes(sides: tuple[int, ...], window: tuple[Axis, ...], c: int, gap: int) -> None:
    _all_three("planes", sides, window, c, 1, gap)


@pytest.mark.parametrize("lanes", [16, 8, 4])
@pytest.mark.parametrize(("c", "m", "gap"), CHANNELS)
def test_vectors_of_any_machine(lanes: int, c: int, m: int, gap: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "LANES", lanes)
    _all_three("depthwise", *MOBILE["stride 2"], c, m, gap)


@pytest.mark.parametrize("lanes", [8, 4])
@pytest.mark.parametrize("c", [5, 150])
def test_planes_on_any_machine(lanes: int, c: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planes, "LANES", lanes)
    _all_three("planes", *MOBILE["stride 2"], c, 1, 0)
    _all_three("planes", *MOBILE["five by five"], c, 1, GAP)


def _all_three(way: str, sides: tuple[int, ...], window: tuple[Axis, ...], c: int, m: int, gap: int) -> None:
    x, w, dy = normal(2, *sides, c), normal(c * m, *(a.kernel for a in window), 1), normal(2, *sizes(window, sides), c * m)
    how: dict[str, Any] = {"window": window, "groups": c}
    for op, shape, operands, more in (
        ("conv", dy.shape, (x, w), {}),
        ("conv_dx", x.shape, (dy, w), {"size": sides}),
        ("conv_dw", w.shape, (x, dy), {}),
    ):
        if op == "conv_dx" and way == "planes" and any(axis.stride > 1 for axis in window):
            continue  # depthwise.py has that
        types = [(shape, np.float32)]
        [answer] = results(f"{op}_{way}", types, *operands, gap=gap, **how, **more)
        close(answer, expected(op, types, *operands, **how, **more)[0])


A, B, C, D = map(operand, range(4))


@pytest.mark.parametrize("lanes", [16, 4])
@pytest.mark.parametrize(
    ("way", "c", "m"), [("planes", 37, 1), ("depthwise", 37, 1), ("depthwise", 5, 2), ("depthwise", 6, 3), ("depthwise", 2, 20)]
)
@pytest.mark.parametrize("exprs", [(relu(A * D + B),), (select(compare("gt", C, wrap(0)), A, wrap(0)), compare("lt", A, B))])
def test_the_map_behind_them(exprs: tuple[Expr, ...], way: str, c: int, m: int, lanes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Operands are the convolution, numbers for each channel, for each cell, and a single one."""
    monkeypatch.setattr(planes if way == "planes" else kernels, "LANES", lanes)
    sides, window = MOBILE["stride 1" if way == "planes" else "stride 2"]
    x, w, dy = normal(2, *sides, c), normal(c * m, 3, 3, 1), normal(2, *sizes(window, sides), c * m)
    for op, shape, read, size in (("conv", dy.shape, x, {}), ("conv_dx", x.shape, dy, {"size": sides})):
        how: dict[str, Any] = {"window": window, "groups": c, **size}
        channel, cell, one = normal(shape[-1]), spaced(normal(*shape), GAP), normal(1)
        rooms = [Room(shape, dtype, GAP) for dtype in (np.float32, np.bool_)[: len(exprs)]]
        behind = Behind(exprs, [room.array for room in rooms], [None, channel, cell, one])
        Table(list(KERNELS[f"{op}_{way}"](rooms[0].array, read, w, behind=behind, **how)), 2)()
        [plain] = results(f"{op}_{way}", [(shape, np.float32)], read, w, **how)
        wanted = expected(
            "map", [(shape, room.array.dtype) for room in rooms], plain, channel, cell, one, exprs=exprs, shape=shape, dtype="f32"
        )
        for room, answer in zip(rooms, wanted, strict=True):
            close(room.content().astype(np.float32), answer.astype(np.float32))


def test_mobilenet_takes_them() -> None:
    plan = netcompiler.compile("mobilenet", mode="train", batch=2, target="cpu")
    cores = [(i, i.core) for program in plan.programs.values() for i in program if i.core.op.startswith("conv")]
    convolutions = [i for i, core in cores if core.attributes["groups"] > 1]
    assert {i.core.op for i in convolutions} == {"conv", "conv_dx", "conv_dw"}
    assert any(i.op == "fused" for i in convolutions)
    assert {(i.core.op, i.algorithm) for i in convolutions} == {
        ("conv", "planes"),
        ("conv_dx", "planes"),
        ("conv_dx", "depthwise"),
        ("conv_dw", "planes"),
    }


WAYS = pytest.mark.parametrize("way", ["planes", "depthwise"])


@WAYS
def test_sums_of_many_slices(way: str) -> None:
    """Enough work that the rows are cut into slices."""
    x, dy = normal(4, 40, 41, 40), normal(4, 40, 41, 40)
    types, how = [((40, 3, 3, 1), np.float32)], {"window": (Axis(3, 1, 1, 1),) * 2, "groups": 40}
    [answer] = results(f"conv_dw_{way}", types, x, dy, **how)
    close(answer, expected("conv_dw", types, x, dy, **how)[0])


@WAYS
def test_nan_is_seen_where_it_is_and_nowhere_else(way: str) -> None:
    x, w = normal(1, 6, 6, 20), normal(20, 3, 3, 1)
    x[0, 0, 0, 3] = np.nan
    types, how = [(x.shape, np.float32)], {"window": (Axis(3, 1, 1, 1),) * 2, "groups": 20}
    [y] = results(f"conv_{way}", types, x, w, **how)
    assert np.isnan(y).sum() == 4
    close(y, expected("conv", types, x, w, **how)[0])


NORM = relu((A - C) * D + 0.3)


@pytest.mark.parametrize("window", [MOBILE["stride 2"][1], (Axis(3, 1, 1, -1), Axis(3, 1, -2, 1))], ids=["padded", "cropped"])
@pytest.mark.parametrize("c", [37, 16, 300])
def test_maps_of_what_they_read(c: int, window: tuple[Axis, ...]) -> None:
    """Zeros around a picture are those of the map's result, and not what the map would make of zeros."""
    sides, _ = MOBILE["stride 2"]
    shape = (2, *sides, c)
    read = [spaced(normal(*shape), GAP), normal(*shape, seed=1), normal(c), normal(c)]
    made = np.empty(shape, np.float32)
    for expr in (NORM, select(compare("gt", A, C), B * D, wrap(0.5))):
        [made] = expected("map", [(shape, np.float32)], *read, exprs=(expr,), shape=shape, dtype="f32")
        how: dict[str, Any] = {"window": window, "groups": c}
        w, dy, bias = normal(c, 3, 3, 1), normal(2, *sizes(window, sides), c), normal(c)
        y, dw = np.full_like(dy, np.nan), np.full_like(w, np.nan)
        Table(list(KERNELS["conv_planes"](y, Ahead(expr, read), w, **how)), 2)()
        close(y, expected("conv", [(y.shape, np.float32)], made, w, **how)[0])
        Table(list(KERNELS["conv_dw_planes"](dw, Ahead(expr, read), dy, **how)), 2)()
        close(dw, expected("conv_dw", [(w.shape, np.float32)], made, dy, **how)[0])
        Table(list(KERNELS["conv_dw_planes"](dw, Ahead(expr, read), Ahead(relu(A - B), [dy, bias]), **how)), 2)()
        close(dw, expected("conv_dw", [(w.shape, np.float32)], made, np.maximum(dy - bias, 0), **how)[0])

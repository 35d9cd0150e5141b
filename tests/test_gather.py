"""Maps that products compute where they read their operands: which maps these are, and that the numbers are those of the body."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import small
from test_cpu_conv import blank, close, numbers, oracle, packed, pitched, run

import netcompiler
from netcompiler.compilation import Job, stages
from netcompiler.plan import Axis, Plan, Value
from netcompiler.scalar import Expr, compare, index, operand, relu, select, wrap
from netcompiler.targets import TARGETS, convolutions
from netcompiler.verify import verify
from runtime import comparison
from runtime.kernels import numpy
from runtime.kernels.behind import Ahead, Behind

Array = np.ndarray[Any, Any]

# the kernels

A, B, C, D, E = map(operand, range(5))
NORM = relu((A - C) * D + 0.3)
BACK = select(compare("gt", A, C), B * D, wrap(0)) + select(compare("lt", index(0), E), (A - C) / (E + 4), wrap(0))
MAPS: dict[str, Expr] = {"itself": A, "a norm and relu": NORM, "back through both": BACK, "the other alone": B * 2}
CHANNELS = [(16, 64), (48, 40), (112, 33), (272, 64), (64, 272)]
ONE = (Axis(1), Axis(1))
WINDOWS = {"each cell": ONE, "some cells": (Axis(1, 2, 0, -1), Axis(1, 2))}
SHAPE = (3, 9, 8)
maps = pytest.mark.parametrize("expr", MAPS.values(), ids=list(MAPS))
channels = pytest.mark.parametrize(("inner", "outer"), CHANNELS)
windows = pytest.mark.parametrize("window", WINDOWS.values(), ids=list(WINDOWS))


def wide(x: Array) -> Array:
    """Among more numbers than `pitched` puts beside it."""
    return pitched(np.concatenate([x, np.full_like(x, np.nan)], -1))[..., : x.shape[-1]]


def made(expr: Expr, shape: Sequence[int]) -> tuple[Any, Array]:
    """A map of two arrays that lie apart in different ways, of channels and a single number; and what it makes."""
    read = [pitched(numbers(*shape)), wide(numbers(*shape[::-1]).reshape(shape)), numbers(1, 1, 1, shape[-1]), numbers(shape[-1])]
    read.append(np.array(shape[0] - 1, np.int32))
    value = blank(*shape)
    numpy.KERNELS["map"](value, *read, exprs=(expr,), shape=tuple(shape), dtype="f32")
    return Ahead(expr, read), value


def around(window: tuple[Axis, ...], **more: Any) -> dict[str, Any]:
    return {"window": window, "groups": 1, **more}


def sides(window: tuple[Axis, ...]) -> list[int]:
    return [axis.size(n) for axis, n in zip(window, SHAPE[1:], strict=True)]


@maps
@channels
@windows
def test_a_convolution_of_a_map(window: tuple[Axis, ...], inner: int, outer: int, expr: Expr) -> None:
    (x, value), w = made(expr, (*SHAPE, inner)), numbers(outer, 1, 1, inner)
    how, y = around(window), pitched(blank(SHAPE[0], *sides(window), outer))
    run("conv_product", y, x, w, **how, packed=packed(w, "rows", 1))
    close(y, oracle("conv", y.shape, value, w, **how), 1e-5)


@maps
@channels
def test_the_gradient_of_what_is_read(inner: int, outer: int, expr: Expr) -> None:
    (dy, value), w, bias = made(expr, (*SHAPE, outer)), numbers(outer, 1, 1, inner), numbers(inner)
    how, dx = around(ONE, size=SHAPE[1:]), pitched(blank(*SHAPE, inner))
    run("conv_dx_product", dx, dy, w, **how, packed=packed(w, "rows_dx", 1), behind=Behind((relu(A + B),), [dx], [None, bias]))
    close(dx, np.maximum(oracle("conv_dx", dx.shape, value, w, **how) + bias, 0), 1e-5)


@maps
@channels
@windows
@pytest.mark.parametrize("which", ["x", "dy", "both"])
def test_the_gradient_of_weights(window: tuple[Axis, ...], inner: int, outer: int, expr: Expr, which: str) -> None:
    (x, of_x), (dy, of_dy) = made(expr, (*SHAPE, inner)), made(NORM, (SHAPE[0], *sides(window), outer))
    how, dw = around(window), blank(outer, 1, 1, inner)
    run("conv_dw_product", dw, of_x if which == "dy" else x, of_dy if which == "x" else dy, **how)
    close(dw, oracle("conv_dw", dw.shape, of_x, of_dy, **how), 1e-5)


def test_what_is_not_a_number_is_seen() -> None:
    x, w, y = numbers(1, 5, 5, 16), numbers(64, 1, 1, 16), blank(1, 5, 5, 64)
    x[0, 2, 2, 3] = np.nan
    how: Any = around(ONE)
    read: Any = Ahead(relu(A * B), [x, numbers(16)])
    run("conv_product", y, read, w, **how, packed=packed(w, "rows", 1))
    assert np.argwhere(np.isnan(y).all(-1)).tolist() == [[0, 2, 2]]
    assert np.isnan(y).sum() == 64
    dw = blank(64, 1, 1, 16)
    run("conv_dw_product", dw, read, numbers(1, 5, 5, 64), **how)
    assert np.argwhere(np.isnan(dw).all(0)).tolist() == [[0, 0, 3]]


# the pass


SMALL = {"mobilenet:1.0": {"input": [3, 32, 32]}, "densenet:121": {"input": [3, 33, 33], "depths": [2, 2, 1, 1]}}


def planned(spec: str, batch: int = 2, target: str = "cpu") -> Plan:
    return netcompiler.compile(spec, batch=batch, target=target, settings=SMALL[spec] if batch == 2 else {})


def alone(plan: Plan, op: str) -> list[Value]:
    """What maps of a step write for one product of single cells to read."""
    step = plan.programs["step"]
    written = {i.result for i in step if i.op == "map" and step.readers[i.result] == 1}
    reads = [i for i in step if i.core.op == op and not any(axis.kernel > 1 for axis in i.core.attributes["window"])]
    return [value for i in reads for value in i.core.operands if value in written]


def test_no_norm_stands_in_front_of_a_product_of_mobilenet() -> None:
    plan = planned("mobilenet:1.0", 16)
    assert not alone(plan, "conv")
    assert [value.shape for value in alone(plan, "conv_dw")] == [(16, 7, 7, 1024), (16, 7, 7, 512)]
    gathered = [(i.core.op, i.algorithm) for i in plan.programs["step"] if i.gathered]
    assert [gathered.count(("conv", way)) for way in ("product", "planes")] == [13, 13]
    assert [gathered.count(("conv_dw", way)) for way in ("product", "planes")] == [11, 13]


def test_what_does_not_pay_stays_alone() -> None:
    """The gradient of a norm has two operands and two readers."""
    for i in planned("mobilenet:1.0").programs["step"]:
        cells = [value for inner in i.gathered for value in inner.operands if value.shape == inner.result.shape]
        assert len(cells) <= 2 // max(1, len(i.gathered))
        assert i.core.op != "conv_dx" or not i.gathered


@pytest.mark.parametrize("spec", SMALL)
def test_each_gives_what_its_body_means(spec: str) -> None:
    plan = planned(spec)
    verify(plan)
    assert any(i.gathered for i in plan.programs["step"])
    for found in comparison.compare(plan):
        assert found.error < 1e-3 or not found.instruction.gathered


def test_other_kernels_refuse_them() -> None:
    for fused in (i for i in planned("mobilenet:1.0").programs["step"] if i.gathered and i.core.op == "conv"):
        taken = [offer for offer in TARGETS["cpu"].offered(fused) if offer.kernel == "conv" and not offer.cannot(fused)]
        assert [offer.algorithm for offer in taken] == ["planes" if fused.core.attributes["groups"] > 1 else "product"]
    assert not any(i.gathered for i in planned("mobilenet:1.0", target="cuda").programs["step"])


def test_the_verifier_knows_what_is_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = planned("mobilenet:1.0")
    monkeypatch.setattr(convolutions, "REPAYS", 1 << 40)
    with pytest.raises(Exception, match=r"reads %.* as it lies"):
        verify(plan)


LAYERS = """
  - conv: {filters: 32, kernel: 3, padding: same}
  - batch_norm
  - %s
  - conv: {filters: %d, kernel: 1}
  - flatten
  - linear: 5
"""
REASONS = {
    "gathered": ("relu", 32, ""),
    "dear arithmetic": ("gelu", 32, "erf takes longer than memory"),
    "a second reader": (
        "residual: {body: [conv: {filters: 32, kernel: 1}], shortcut: [conv: {filters: 32, kernel: 3, padding: same}]}",
        32,
        "reads it as it lies",
    ),
    "few channels": ("relu", 31, None),
}


@pytest.mark.parametrize(("middle", "filters", "reason"), REASONS.values(), ids=list(REASONS))
def test_reasons(middle: str, filters: int, reason: str | None) -> None:
    """Of the map in front of the last convolution; nothing is said where no kernel would gather."""
    graph, recipe = small.read(small.text(LAYERS % (middle, filters), shape="[3, 8, 8]"))
    said: list[str] = []
    *_, (_, plan) = stages(Job(graph, recipe, "train", 2, "cpu", "f32", why=said.append), checked=True)
    heard = [line for line in said if "step: " in line and "is not gathered" in line]
    gathers = [i for i in plan.programs["step"] if i.gathered and i.core.op == "conv"]
    assert bool(gathers) == (reason == "")
    assert any(reason in line for line in heard) if reason else not heard or reason == ""

"""Compiled maps against the oracle: every operation, every way to broadcast, pixels apart, whole numbers, results in place."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from compiled import GAP, Array, close, expected, normal, results

from netcompiler import scalar
from netcompiler.plan import Instruction, Value
from netcompiler.scalar import Expr, cast, compare, index, literal, logical, make, operand, power, relu, select, uniform
from netcompiler.targets.cpu import CPU
from runtime.kernels import cpu
from runtime.kernels.cpu import interpreted, pointwise, sweep
from runtime.kernels.cpu.driver import Table

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

NAN, INF = math.nan, math.inf
A, B, C, D, E = map(operand, range(5))
F32, I32, I64, U32, U8, B1 = (np.dtype(name) for name in ("f4", "i4", "i8", "u4", "u1", "?"))
ODD = np.array([NAN, INF, -INF, 0.0, 1.0, -1.0, 0.5, 2.0, 3.5, -3.5, 1e-30, 1e30, -1e30, 88.5, 89.5, -86.0, -200.0], F32)


@pytest.fixture(params=[16, 8, 4])
def lanes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Vectors of other machines."""
    for module in (interpreted, pointwise, sweep):
        monkeypatch.setattr(module, "LANES", request.param)
    return int(request.param)


@pytest.fixture(params=["compiled", "interpreted"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Maps of few elements run without code of their own; here they also have some."""
    if request.param == "compiled":
        monkeypatch.setattr(interpreted, "FEW", 0)


def mapped(
    exprs: tuple[Expr, ...], *operands: Array, shape: Any = None, into: Any = (F32,), gap: int = 0
) -> tuple[list[Array], list[Array]]:
    shape = np.broadcast_shapes(*(x.shape for x in operands)) if shape is None else shape
    types, how = [(shape, dtype) for dtype in into], {"exprs": exprs, "shape": shape, "dtype": "f32"}
    return results("map", types, *operands, gap=gap, **how), expected("map", types, *operands, **how)


def spread(*sizes: float) -> Array:
    return np.concatenate([normal(2000, seed=i) * size for i, size in enumerate(sizes)] + [ODD]).astype(F32)


def normal_numbers(x: Array) -> Array:
    """As f32; what has fewer digits than others there is 0."""
    return np.where(np.abs(x) < 2e-38, 0, x).astype(F32)


UNARY = ["neg", "abs", "floor", "sqrt", "rsqrt", *sorted(scalar.COSTLY - {"pow"})]


@pytest.mark.parametrize("op", UNARY)
def test_functions_to_the_last_places(op: str, way: None) -> None:
    x = spread(1e-3, 1, 20)
    for numbers in (x, np.abs(x)):
        [y], [wanted] = mapped((make(op, A),), numbers)
        np.testing.assert_allclose(normal_numbers(y), normal_numbers(wanted), 5e-7)


@pytest.mark.parametrize("op", ["sin", "cos"])
def test_turns_far_out(op: str) -> None:
    x = np.array([1e3, -1e5, 1e7, 2.0**30, 1e12, 3e15, -1e20, 3e38], F32)
    [y], [wanted] = mapped((make(op, A),), x)
    np.testing.assert_allclose(y, wanted, 5e-7)


@pytest.mark.parametrize("op", ["add", "sub", "mul", "div", "pow", "max", "min", *scalar.COMPARE])
def test_arithmetic_and_comparison(op: str, way: None) -> None:
    a, b = (x.reshape(-1).astype(F32) for x in np.meshgrid(ODD, ODD))
    into = (B1,) if op in scalar.COMPARE else (F32,)
    [y], [wanted] = mapped((make(op, A, B),), a, b, into=into)
    np.testing.assert_allclose(normal_numbers(y), normal_numbers(wanted), 5e-7)


@pytest.mark.parametrize("exponent", [k / 4 for k in range(-16, 17)] + [1.1, -2.3, 5.0])
def test_powers(exponent: float, way: None) -> None:
    x = spread(1)
    for numbers in (x, np.abs(x)):
        [y], _ = mapped((make("pow", A, literal(exponent)),), numbers)
        wanted = np.power(numbers.astype(np.float64), np.full(numbers.shape, exponent))
        np.testing.assert_allclose(normal_numbers(y), normal_numbers(wanted), 2e-6)


BROADCASTS: dict[str, tuple[tuple[int, ...], list[tuple[int, ...]]]] = {
    "one number": ((1,), [(1,), (1,), ()]),
    "one pixel": ((1, 1, 1, 3), [(1, 1, 1, 3), (3,), (1,)]),
    "flat": ((7, 9, 80), [(7, 9, 80), (7, 9, 80), ()]),
    "flat and long": ((3, 6001), [(3, 6001), (3, 6001), (3, 6001)]),
    "channels": ((3, 5, 64), [(3, 5, 64), (64,), (1, 1, 64)]),
    "odd channels": ((3, 5, 17), [(3, 5, 17), (17,), ()]),
    "six channels": ((2, 28, 28, 6), [(2, 28, 28, 6), (6,), (6,)]),
    "ten classes": ((5, 10), [(5, 10), (10,), (5, 1)]),
    "wide rows": ((2, 1000), [(2, 1000), (1000,), (1,)]),
    "channels of each picture": ((3, 4, 5, 6), [(3, 4, 5, 6), (3, 1, 1, 6), (6,)]),
    "a number for each pixel": ((3, 4, 5, 24), [(3, 4, 5, 24), (3, 4, 5, 1), (24,)]),
    "a number for each row": ((3, 4, 5, 2), [(3, 1, 5, 2), (1, 4, 1, 2), (3, 1, 1, 1)]),
    "no operand of the whole shape": ((4, 3, 33), [(4, 1, 1), (3, 1), (33,)]),
    "five axes": ((2, 3, 2, 3, 5), [(2, 1, 2, 1, 5), (3, 1, 3, 1), (1, 1, 1, 1, 1)]),
    "one channel": ((2, 9, 1), [(2, 9, 1), (1,), (2, 1, 1)]),
}


@pytest.mark.parametrize("gap", [0, GAP])
@pytest.mark.parametrize("broadcast", BROADCASTS)
def test_broadcasts(broadcast: str, gap: int, lanes: int, way: None) -> None:
    shape, operands = BROADCASTS[broadcast]
    values = [normal(*own, seed=i) for i, own in enumerate(operands)]
    answers, wanted = mapped((relu(A * B + 0.3 * C), A - 7 * B), *values, shape=shape, into=(F32, F32), gap=gap)
    for one, other in zip(answers, wanted, strict=True):
        close(one, other, 1e-6)


@pytest.mark.parametrize("axis", range(4))
@pytest.mark.parametrize("shape", [(3, 4, 5, 6), (2, 1, 3, 40), (1, 7, 1, 1), (5, 1, 1, 1)])
def test_positions(shape: tuple[int, ...], axis: int, lanes: int, way: None) -> None:
    """Rows that do not count are 0, whatever stands there."""
    x = normal(*shape)
    x[..., -1] = NAN
    expr = select(compare("lt", index(axis), B), A + 2 * C * index(axis), literal(0))
    [y], [wanted] = mapped((expr,), x, np.array(1, I32), normal(shape[-1]), shape=shape)
    close(y, wanted, 1e-6)


def test_whole_numbers_stay_exact(lanes: int) -> None:
    tick = np.array([2**53 - 2, 5, -(2**40) - 1], I64)
    truth = np.array([True, False, True])
    [y, same], wanted = mapped((cast(select(B, A + 1, A), "i64"), A), tick, truth, into=(I64, I64))
    assert y.tolist() == wanted[0].tolist() == [2**53 - 1, 5, -(2**40)]
    assert same.tolist() == tick.tolist()
    large = np.array([2**62 + 1, -(2**62) - 1], I64)
    assert mapped((A,), large, into=(I64,))[0][0].tolist() == large.tolist()


BYTES = np.arange(256).astype(U8)
LABELS = np.array([[7], [0], [2**24 - 1], [-1]], I32)
TYPED: dict[str, tuple[Expr, list[Array], Any]] = {
    "pictures": (A / 255 - 0.5, [BYTES], F32),
    "bytes": (A * 2 - 1, [np.arange(100).astype(F32)], U8),
    "labels": (select(compare("eq", A, index(1)), literal(1), literal(0)), [LABELS], F32),
    "a bit for each": (compare("gt", A, literal(0)), [spread(1)], B1),
    "bits joined": (
        logical("or", logical("not", A), logical("and", B, compare("lt", C, literal(3)))),
        [BYTES > 9, BYTES % 2 > 0, BYTES],
        B1,
    ),
    "bits as numbers": (A * 2 + B, [BYTES > 9, normal(256)], F32),
    "numbers as truths": (select(A, B, literal(-1)), [spread(1), spread(2)], F32),
    "finite": (make("isfinite", A), [spread(1)], B1),
    "uniform": (uniform(A), [np.array([0, 1, 255, 256, 2**31, 2**32 - 1], U32)], F32),
    "dropout": (
        select(compare("lt", uniform(A), literal(0.4)), literal(0), B / 0.6),
        [np.arange(2**32, step=2**24).astype(U32), normal(256)],
        F32,
    ),
    "counts": (A + B, [np.array([2**31, 1], U32), np.array([-5, 7], I32)], I64),
    "u16": (A + 1, [np.array([0, 65534], np.uint16)], np.uint16),
    "half": (cast(A, "f16"), [normal(999)], F32),
    "brain": (cast(A, "bf16"), [np.append(spread(1), np.float32([1.00390625, 1.01171875]))], F32),
    "cut": (cast(A, "i32") + 0.5, [normal(999) * 9], F32),
    "known": (literal(3) + 0 * A, [normal(5)], F32),
}


@pytest.mark.parametrize("case", TYPED)
def test_types(case: str, lanes: int, way: None) -> None:
    expr, operands, into = TYPED[case]
    shape = (4, 9) if case == "labels" else None
    [y], [wanted] = mapped((expr,), *operands, shape=shape, into=(into,))
    if into == F32:
        np.testing.assert_allclose(y, wanted.astype(F32), 1e-6)
    else:
        np.testing.assert_array_equal(y, wanted)


def test_a_result_may_lie_in_an_operands_place() -> None:
    a, b, c = normal(3000, 17), normal(3000, 17, seed=1), normal(17)
    wanted = [b + c, a * c]
    Table(list(cpu.KERNELS["map"](a, b, a, b, c, exprs=(B + C, A * C), shape=a.shape, dtype="f32")), 2)()
    np.testing.assert_array_equal(a, wanted[0])
    np.testing.assert_array_equal(b, wanted[1])


@pytest.mark.parametrize("count", [5, 7, 8, 9, 12, 15, 23])
@pytest.mark.parametrize("shape", [(20, 41, 24), (3, 20_001)])
def test_sums_of_many(shape: tuple[int, ...], count: int) -> None:
    xs = [normal(*shape, seed=i) for i in range(count)]
    total = sum(map(operand, range(1, count)), A)
    for expr in (total, 2 * (total + relu(A)), B * C + total):
        [y], [wanted] = mapped((expr,), *xs, gap=GAP)
        close(y, wanted, 1e-6)


@pytest.mark.parametrize("place", [0, 5, 14])
def test_sums_of_many_in_place(place: int) -> None:
    """The operand whose place the result takes is read before that is written."""
    total = sum(map(operand, range(1, 15)), A)
    for expr in (total, total + relu(operand(place)), 2 * (total + relu(literal(1) - B)), operand(place) * total):
        xs = [normal(20, 41, 24, seed=i) for i in range(15)]
        [wanted] = expected("map", [(xs[0].shape, F32)], *xs, exprs=(expr,), shape=xs[0].shape, dtype="f32")
        Table(list(cpu.KERNELS["map"](xs[place], *xs, exprs=(expr,), shape=xs[0].shape, dtype="f32")), 2)()
        close(xs[place], wanted, 1e-6)


def test_literals_share_a_kernel() -> None:
    def kernel(expr: Expr) -> Any:
        x = normal(20_000)
        return next(iter(cpu.KERNELS["map"](x, x, x, exprs=(expr,), shape=x.shape, dtype="f32"))).kernel

    assert kernel(0.1 * A + 7 * B) == kernel(0.2 * B + 9 * A) != kernel(A + B)
    assert kernel(power(A, literal(0.75)) * B) != kernel(power(A, literal(1.1)) * B)


@pytest.mark.parametrize(
    ("dtype", "expr", "reason"),
    [("f64", A + 1, "f64"), ("f16", A + 1, "f16"), ("i32", make("exp", A), "exp"), ("f32", make("exp", A), ""), ("i32", A + 1, "")],
)
def test_what_is_left_to_the_oracle(dtype: str, expr: Expr, reason: str) -> None:
    value = Value("%1", dtype, (4,))
    offer = next(offer for offer in CPU.offers["map"] if offer.kernel == "map")
    said = offer.refuses(Instruction((value,), "map", (value,), {"exprs": (expr,), "shape": (4,), "dtype": "f32"}))
    assert reason in said
    assert bool(said) == bool(reason)

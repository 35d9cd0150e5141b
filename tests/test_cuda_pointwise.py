"""CUDA's maps against the oracle, run on this processor, and compiled for GPUs."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from compiled import Array, close, expected, normal
from cuda_host import HostDriver, compiles, results
from test_cpu_pointwise import BROADCASTS, ODD, TYPED, UNARY, normal_numbers, spread

from netcompiler import scalar
from netcompiler.scalar import Expr, cast, compare, index, literal, make, operand, relu, select, uniform
from runtime.arrays import aligned, dtype_of, numbers, write
from runtime.kernels import cuda

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

A, B, C = map(operand, range(3))
F32, I32, I64, U32, U8, B1 = (np.dtype(name) for name in ("f4", "i4", "i8", "u4", "u1", "?"))


def mapped(
    exprs: tuple[Expr, ...], *operands: Array, shape: Any = None, into: Any = (F32,), gap: int = 0
) -> tuple[list[Array], list[Array]]:
    shape = np.broadcast_shapes(*(x.shape for x in operands)) if shape is None else shape
    types, how = [(shape, dtype) for dtype in into], {"exprs": exprs, "shape": shape, "dtype": "f32"}
    return results("map", types, *operands, gap=gap, **how), expected("map", types, *operands, **how)


@pytest.mark.parametrize("op", UNARY)
def test_functions_to_the_last_places(op: str) -> None:
    x = spread(1e-3, 1, 20)
    for values in (x, np.abs(x)):
        [y], [wanted] = mapped((make(op, A),), values)
        np.testing.assert_allclose(normal_numbers(y), normal_numbers(wanted), 5e-7)


@pytest.mark.parametrize("op", ["add", "sub", "mul", "div", "pow", "max", "min", *scalar.COMPARE])
def test_arithmetic_and_comparison(op: str) -> None:
    a, b = (x.reshape(-1).astype(F32) for x in np.meshgrid(ODD, ODD))
    [y], [wanted] = mapped((make(op, A, B),), a, b, into=(B1,) if op in scalar.COMPARE else (F32,))
    np.testing.assert_allclose(normal_numbers(y), normal_numbers(wanted), 5e-7)


@pytest.mark.parametrize("gap", [0, 3])
@pytest.mark.parametrize("name", BROADCASTS)
def test_ways_to_broadcast(name: str, gap: int) -> None:
    shape, operands = BROADCASTS[name]
    arrays = [normal(*own, seed=i) for i, own in enumerate(operands)]
    found, wanted = mapped((A * B + C * 0.3, relu(A) - C), *arrays, shape=shape, into=(F32, F32), gap=gap)
    for y, y0 in zip(found, wanted, strict=True):
        close(y, y0, 1e-6)


def test_positions_and_whole_numbers() -> None:
    labels = np.array([[3], [0], [6]], I32)
    [y], [wanted] = mapped((select(compare("eq", index(1), A), literal(0.9), literal(0.1)),), labels, shape=(3, 7))
    close(y, wanted)
    ticks = np.array([2**53 - 1, 7], I64)
    [y], [wanted] = mapped((A + 1,), ticks, into=(I64,))
    np.testing.assert_array_equal(y, wanted)
    bits = np.arange(0, 2**32, 2**27 + 12345, dtype=U32)
    [y], [wanted] = mapped((uniform(A),), bits)
    np.testing.assert_array_equal(y, wanted.astype(F32))
    [y], [wanted] = mapped((cast(A * 255, "u8"),), np.linspace(0, 1, 40, dtype=F32), into=(U8,))
    np.testing.assert_array_equal(y, wanted)


@pytest.mark.parametrize("case", TYPED)
def test_types(case: str) -> None:
    expr, operands, into = TYPED[case]
    [y], [wanted] = mapped((expr,), *operands, shape=(4, 9) if case == "labels" else None, into=(into,))
    if into == F32:
        np.testing.assert_allclose(y, wanted.astype(F32), 1e-6)
    else:
        np.testing.assert_array_equal(y, wanted)


@pytest.mark.parametrize("axis", range(4))
@pytest.mark.parametrize("shape", [(3, 4, 5, 6), (2, 1, 3, 40), (1, 7, 1, 1)])
def test_positions(shape: tuple[int, ...], axis: int) -> None:
    """Rows that do not count are 0, whatever stands there."""
    x = normal(*shape)
    x[..., -1] = math.nan
    expr = select(compare("lt", index(axis), B), A + 2 * C * index(axis), literal(0))
    [y], [wanted] = mapped((expr,), x, np.array(1, I32), normal(shape[-1]), shape=shape)
    close(y, wanted, 1e-6)


def test_a_result_may_lie_in_an_operands_place() -> None:
    a, b, c = normal(30, 17), normal(30, 17, seed=1), normal(17)
    wanted = [b + c, a * c]
    for step in cuda.KERNELS["map"](a, b, a, b, c, exprs=(B + C, A * C), shape=a.shape, dtype="f32"):
        step.run(HostDriver())
    np.testing.assert_array_equal(a, wanted[0])
    np.testing.assert_array_equal(b, wanted[1])


@pytest.mark.parametrize("exponent", [k / 4 for k in range(-16, 17)] + [1.1, -2.3, 5.0])
def test_powers(exponent: float) -> None:
    x = spread(1)
    for values in (x, np.abs(x)):
        [y], _ = mapped((make("pow", A, literal(exponent)),), values)
        wanted = np.power(values.astype(np.float64), np.full(values.shape, exponent))
        np.testing.assert_allclose(normal_numbers(y), normal_numbers(wanted), 2e-6)


def test_powers_that_are_quarters_share_a_text_with_no_other() -> None:
    texts = {
        exponent: next(
            iter(cuda.KERNELS["map"](x := normal(8), x, exprs=(make("pow", A, literal(exponent)),), shape=(8,), dtype="f32"))
        ).source
        for exponent in (0.75, -0.75, 1.1, 1.2)
    }
    assert "quarters<3>" in texts[0.75]
    assert "quarters<-3>" in texts[-0.75]
    assert "pow(" in texts[1.1]
    assert texts[1.1] == texts[1.2]


@pytest.mark.parametrize("length", [4, 7, 1023, 5000])
def test_a_run_of_any_length_moves_16_bytes_at_a_time(length: int) -> None:
    """What is left behind the last whole pack is done, too, and nothing behind that."""
    a, b = aligned(4 * length).view(F32), normal(length, seed=1)
    a[...] = normal(length)
    [y], [wanted] = mapped((A * B + 0.3,), a, b)
    close(y, wanted, 1e-6)
    [launch] = cuda.KERNELS["map"](a, a, exprs=(A * 2,), shape=a.shape, dtype="f32")
    assert "pack<4>" in launch.source
    assert launch.table[-2:] == (length // 4, length % 4)


@pytest.mark.parametrize("dtype", ["f16", "bf16"])
@pytest.mark.parametrize("shape", [(5, 24), (3, 7)])
def test_numbers_of_16_bits_are_computed_with_in_32(dtype: str, shape: tuple[int, int]) -> None:
    x, y = (np.empty(shape, dtype_of(dtype)) for _ in range(2))
    write(x, normal(*shape) * 3)
    scale, how = normal(shape[-1], seed=2), {"exprs": (A * B / 3,), "shape": shape, "dtype": "f32"}
    [found] = results("map", [(shape, dtype_of(dtype))], x, scale, **how)
    write(y, numbers(x) * scale / np.float32(3))
    np.testing.assert_array_equal(numbers(found), numbers(y))


@pytest.mark.parametrize("dtype", ["f16", "bf16"])
def test_halves_are_rounded_to_the_nearest(dtype: str) -> None:
    x = np.concatenate([spread(1, 1e-3, 1e4), [math.nan, 65504.0, 65520.0, 1e-7]]).astype(F32)
    [y], [wanted] = mapped((cast(A, dtype),), x)
    np.testing.assert_array_equal(y, wanted.astype(F32))


@pytest.mark.parametrize("architecture", ["sm_80", "sm_90a"])
def test_every_function_compiles_for_gpus_without_spills(architecture: str) -> None:
    exprs = tuple(make(op, A) for op in UNARY)
    compiles(architecture, "map", [((4, 8, 64), F32)] * len(exprs), normal(4, 8, 64), exprs=exprs, shape=(4, 8, 64), dtype="f32")

"""Expressions, random bits and affine sampling on the oracle."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import product
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.scipy.ndimage import map_coordinates
from oracle import Array, normal, run, run_all

from netcompiler import scalar
from netcompiler.scalar import Expr, compare, index, literal, logical, make, operand, select
from runtime.kernels.numpy import KERNELS
from runtime.kernels.numpy.philox import philox

jax.config.update("jax_enable_x64", True)
pytestmark = pytest.mark.filterwarnings("error")

NAN, INF = math.nan, math.inf
A, B, C = operand(0), operand(1), operand(2)


def mapped(expr: Expr, *operands: Array, dtype: str = "f64", into: Any = None, shape: tuple[int, ...] | None = None) -> Array:
    shape = np.broadcast_shapes(*(a.shape for a in operands)) if shape is None else shape
    into = into or {"f64": "f8", "f32": "f4"}[dtype]
    return run_all("map", [(shape, into)], *operands, exprs=(expr,), shape=shape, dtype=dtype)[0]


# Expressions

UNARY: dict[str, Callable[[Any], Any]] = {
    "neg": jnp.negative,
    "abs": jnp.abs,
    "floor": jnp.floor,
    "sqrt": jnp.sqrt,
    "rsqrt": jax.lax.rsqrt,
    "exp": jnp.exp,
    "expm1": jnp.expm1,
    "log": jnp.log,
    "log1p": jnp.log1p,
    "tanh": jnp.tanh,
    "sin": jnp.sin,
    "cos": jnp.cos,
    "sigmoid": jax.nn.sigmoid,
    "softplus": jax.nn.softplus,
    "erf": jax.scipy.special.erf,
}

BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "add": jnp.add,
    "sub": jnp.subtract,
    "mul": jnp.multiply,
    "div": jnp.divide,
    "pow": jnp.power,
    "max": jnp.maximum,
    "min": jnp.minimum,
    "lt": jnp.less,
    "le": jnp.less_equal,
    "gt": jnp.greater,
    "ge": jnp.greater_equal,
    "eq": jnp.equal,
    "ne": jnp.not_equal,
}

ODD = np.array([NAN, INF, -INF, 0.0, 1.0, -1.0, 1e-30, -745.0, 710.0, 3.5, -3.5])


@pytest.mark.parametrize("op", UNARY)
def test_functions(op: str) -> None:
    for x in (normal(1000), ODD):
        np.testing.assert_allclose(mapped(make(op, A), x), UNARY[op](x), 1e-13, 1e-15)


@pytest.mark.parametrize("op", BINARY)
def test_arithmetic_and_comparison(op: str) -> None:
    a, b = np.meshgrid(np.concatenate([ODD, [2.0, 0.5]]), ODD)
    with np.errstate(all="ignore"):
        expected = BINARY[op](jnp.asarray(a), jnp.asarray(b))
    np.testing.assert_allclose(mapped(make(op, A, B), a, b), expected, 1e-13)


@pytest.mark.parametrize("op", [*UNARY, *BINARY])
def test_float32_follows_float64(op: str) -> None:
    arity = 1 if op in UNARY else 2
    values = [np.abs(normal(50, seed=i)).astype("f4") for i in range(arity)]
    y = mapped(make(op, *map(operand, range(arity))), *values, dtype="f32")
    np.testing.assert_allclose(y, mapped(make(op, *map(operand, range(arity))), *(v.astype("f8") for v in values)), 1e-5, 1e-6)


def test_every_operation_has_a_meaning() -> None:
    """Whatever the compiler can differentiate or compare, the oracle computes."""
    known = {*UNARY, *BINARY, "cast"}
    assert {*scalar.PARTIAL, *scalar.COMPARE} <= known


def test_erf_to_the_last_digit() -> None:
    x = np.linspace(-6, 6, 501)
    np.testing.assert_allclose(mapped(make("erf", A), x), [math.erf(v) for v in x], 1e-15)


def test_truths() -> None:
    a, b = np.array([True, True, False, False]), np.array([True, False, True, False])
    for op, expected in (("and", a & b), ("or", a | b)):
        assert mapped(logical(op, A, B), a, b, into="?").tolist() == expected.tolist()
    assert mapped(logical("not", A), a, into="?").tolist() == [False, False, True, True]
    assert mapped(make("isfinite", A), ODD, into="?").tolist() == [False] * 3 + [True] * 8


def test_truths_are_numbers_in_arithmetic() -> None:
    assert mapped(make("add", compare("gt", A, literal(0)), A), np.array([1.0, -1.0])).tolist() == [2, -1]
    assert mapped(make("add", A, A), np.array([True])).tolist() == [2]


def test_select_takes_nothing_from_the_other_side() -> None:
    y = mapped(select(compare("gt", A, literal(0)), scalar.log(A), literal(-1)), np.array([1.0, 0.0, -2.0, NAN]))
    assert y.tolist() == [0, -1, -1, -1]


def test_operands_and_positions_are_broadcast() -> None:
    x, b = normal(2, 3, 4), normal(4)
    y = mapped(A * B + index(1) - C, x, b, np.array(2.0))
    np.testing.assert_allclose(y, x * b + np.arange(3)[:, None] - 2, 1e-14)
    np.testing.assert_array_equal(mapped(index(0), shape=(3, 2)), [[0, 0], [1, 1], [2, 2]])
    np.testing.assert_array_equal(mapped(literal(7), shape=(2, 1)), [[7], [7]])


def test_several_results_see_the_old_operands() -> None:
    """A result may lie in an operand's place."""
    a, b = np.array([1.0, 2.0]), np.array([3.0, 4.0])
    KERNELS["map"](a, b, a, b, exprs=(B, A), shape=(2,), dtype="f64")
    assert (a.tolist(), b.tolist()) == ([3, 4], [1, 2])


def test_one_hot_from_labels() -> None:
    y = mapped(select(compare("eq", index(1), A), literal(1), literal(0)), np.array([[2], [0]], "i4"), dtype="f32", shape=(2, 3))
    assert y.tolist() == [[0, 0, 1], [1, 0, 0]]


def test_whole_numbers_stay_exact_in_float32_plans() -> None:
    tick = np.array(2**40 + 1)
    assert mapped(scalar.cast(A + 1, "i64"), tick, dtype="f32", into="i8").item() == 2**40 + 2
    assert mapped(A * (1 / 255), np.array([255], "u1"), dtype="f32").item() == 1
    assert mapped(A + A, np.array([200], "u1"), dtype="f32").item() == 400


@pytest.mark.parametrize(
    ("dtype", "x", "stored"),
    [
        ("f16", 1 + 2**-11, 1),
        ("f16", 1e6, INF),
        ("bf16", 1 + 2**-8, 1),
        ("bf16", 1 + 3 * 2**-8, 1 + 2**-6),
        ("bf16", -1.01, -1.0078125),
        ("bf16", 3.4e38, INF),
        ("bf16", -INF, -INF),
        ("bf16", NAN, NAN),
        ("f32", 0.1, float(np.float32(0.1))),
        ("i32", -2.7, -2),
        ("u8", 3.9, 3),
        ("b1", 0.5, 1),
    ],
)
def test_casts(dtype: str, x: float, stored: float) -> None:
    np.testing.assert_equal(mapped(scalar.cast(A, dtype), np.array(x)).item(), stored)


def test_a_cast_to_bfloat16_is_jaxs() -> None:
    x = normal(1000, dtype=np.float32)
    np.testing.assert_array_equal(mapped(scalar.cast(A, "bf16"), x, dtype="f32"), jnp.asarray(x).astype(jnp.bfloat16).astype(jnp.float32))


# Random bits

ONES = 0xFFFFFFFF


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [
        ((0, 0, 0, 0), (0, 0), "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ((ONES,) * 4, (ONES,) * 2, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        ((0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344), (0xA4093822, 0x299F31D0), "d16cfe09 94fdcceb 5001e420 24126ea1"),
    ],
)
def test_philox_against_random123(counter: tuple[int, ...], key: tuple[int, int], words: str) -> None:
    assert " ".join(f"{word.item():08x}" for word in philox([np.array(word) for word in counter], key)) == words


def bits(rows: int, columns: int, row: int = 0, tick: int = 0, key: tuple[int, int] = (1, 2)) -> Array:
    scalars = np.array(row, "i8"), np.array(tick, "i8")
    return run_all("random", [((rows, columns), "u4")], *scalars, key=key, rows=rows, columns=columns)[0]


def test_random_is_philox_of_the_place() -> None:
    row, tick = 2**33 + 5, 2**32 + 7
    y = bits(3, 10, row, tick)
    for r, j in product(range(3), range(10)):
        words = philox([np.array(word) for word in (j // 4, (row + r) & ONES, (row + r) >> 32, 7)], (1, 2))
        assert y[r, j] == words[j % 4]


def test_random_does_not_depend_on_the_batch() -> None:
    np.testing.assert_array_equal(bits(8, 5), np.concatenate([bits(3, 5), bits(5, 5, row=3)]))
    assert not np.isin(bits(8, 5, tick=1), bits(8, 5)).any()
    assert not np.isin(bits(8, 5, key=(1, 3)), bits(8, 5)).any()


def test_random_takes_the_place_of_each_row() -> None:
    """In any order, and however far apart."""
    places = [5, 2**40 + 3, 0, 5]
    y = run_all("random", [((4, 6), "u4")], np.array(places, "i8")[:, None], np.array(9, "i8"), key=(1, 2), rows=4, columns=6)[0]
    np.testing.assert_array_equal(y, np.concatenate([bits(1, 6, place, 9) for place in places]))


@pytest.mark.parametrize("dtype", ["f32", "f64"])
def test_uniform_numbers(dtype: str) -> None:
    y = mapped(scalar.uniform(A), np.array([0, 255, 256, 2**31, ONES], "u4"), dtype=dtype)
    assert y.tolist() == [0, 0, 2**-24, 0.5, 1 - 2**-24]
    many = mapped(scalar.uniform(A), bits(100, 1000), dtype=dtype)
    assert many.mean() == pytest.approx(0.5, abs=0.005)
    assert many.var() == pytest.approx(1 / 12, abs=0.002)


# Affine sampling

MODES = {"zero": "constant", "edge": "nearest", "mirror": "reflect"}


def jax_sampling(affine: Array, size: tuple[int, ...], filter: str, border: str) -> Callable[[Any], Any]:
    cells = np.stack(np.meshgrid(*(np.arange(m) - (m - 1) / 2 for m in size), indexing="ij"))

    def one(x: Any, a: Array) -> Any:
        centre = (np.array(x.shape) - 1) / 2
        places = np.tensordot(a[:, :-1], cells, 1) + (a[:, -1] + centre).reshape(-1, *(1 for _ in size))
        return map_coordinates(x, list(places), order={"nearest": 0, "bilinear": 1}[filter], mode=MODES[border])

    def sample(x: Any) -> Any:
        rows = [jnp.stack([one(x[i, ..., c], affine[i % len(affine)]) for c in range(x.shape[-1])], -1) for i in range(len(x))]
        return jnp.stack(rows)

    return sample


@pytest.mark.parametrize("border", MODES)
@pytest.mark.parametrize("filter", ["nearest", "bilinear"])
@pytest.mark.parametrize(
    ("sides", "size", "matrices"), [((7,), (5,), 2), ((5, 6), (5, 6), 2), ((4, 5), (7, 3), 1), ((3, 4, 2), (2, 3, 4), 1)]
)
def test_sampling(sides: tuple[int, ...], size: tuple[int, ...], matrices: int, filter: str, border: str) -> None:
    x, affine = normal(2, *sides, 3), normal(matrices, len(sides), len(sides) + 1)
    y, pull = jax.vjp(jax_sampling(affine, size, filter, border), x)
    how = {"filter": filter, "border": border}
    np.testing.assert_allclose(run("resample", y.shape, x, affine, size=size, **how), y, 1e-12, 1e-12)
    dy = normal(*y.shape)
    dx = run("resample_dx", x.shape, dy, affine, size=sides, **how)
    np.testing.assert_allclose(dx, pull(jnp.asarray(dy))[0], 1e-12, 1e-12)


@pytest.mark.parametrize("filter", ["nearest", "bilinear"])
def test_a_quarter_turn_is_exact(filter: str) -> None:
    """Cell p reads x at A p: A turns rows into columns."""
    x = normal(1, 6, 6, 1)
    turn = np.array([[[0.0, 1, 0], [-1, 0, 0]]])
    y = run("resample", x.shape, x, turn, size=(6, 6), filter=filter, border="zero")
    np.testing.assert_array_equal(y[0, ..., 0], np.rot90(x[0, ..., 0], 1))


def test_a_translation_counts_cells() -> None:
    x = normal(1, 4, 4, 1)
    move = np.array([[[1.0, 0, 0], [0, 1, 1]]])
    y = run("resample", x.shape, x, move, size=(4, 4), filter="bilinear", border="zero")
    np.testing.assert_array_equal(y[0, :, :3], x[0, :, 1:])
    assert not y[0, :, 3].any()

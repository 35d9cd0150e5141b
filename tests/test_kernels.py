"""Every kernel of the oracle against JAX in float64, its adjoint against JAX's, and float32 against float64."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from oracle import WINDOWS, Array, normal, run, run_all, sizes

from netcompiler.instructions import OPS
from netcompiler.plan import Axis
from runtime.kernels.numpy import KERNELS

jax.config.update("jax_enable_x64", True)
pytestmark = pytest.mark.filterwarnings("error")

windowed = pytest.mark.parametrize(("sides", "window"), WINDOWS.values(), ids=list(WINDOWS))


def close(a: Any, b: Any, tolerance: float = 1e-12) -> None:
    np.testing.assert_allclose(a, b, tolerance, tolerance)


def adjoint(forward: Callable[[Array], Any], x: Array, dy: Array) -> Any:
    """What JAX makes of the derivative of a result."""
    y, pull = jax.vjp(forward, x)
    assert y.shape == dy.shape
    return pull(jnp.asarray(dy))[0]


def test_every_instruction_has_a_kernel() -> None:
    assert set(OPS) <= set(KERNELS)


@pytest.mark.parametrize("op", KERNELS)
def test_attributes_are_named(op: str) -> None:
    """Results and operands by position, attributes by name, and nothing comes back."""
    signature = inspect.signature(KERNELS[op])
    assert signature.return_annotation == "None"
    assert all(p.kind is p.KEYWORD_ONLY or p.annotation.startswith("Array") for p in signature.parameters.values())


# Convolution


def jax_conv(window: tuple[Axis, ...], groups: int) -> Callable[[Any, Any], Any]:
    letters = "DHW"[-len(window) :]
    return lambda x, w: lax.conv_general_dilated(
        x,
        w,
        [a.stride for a in window],
        [(a.low, a.high) for a in window],
        rhs_dilation=[a.dilation for a in window],
        dimension_numbers=(f"N{letters}C", f"O{letters}I", f"N{letters}C"),
        feature_group_count=groups,
    )


@pytest.mark.parametrize(("c", "k", "groups"), [(1, 1, 1), (3, 4, 1), (4, 6, 2), (5, 5, 5), (3, 6, 3)])
@windowed
def test_conv(sides: tuple[int, ...], window: tuple[Axis, ...], c: int, k: int, groups: int) -> None:
    x, w = normal(2, *sides, c), normal(k, *(a.kernel for a in window), c // groups)
    y, pull = jax.vjp(jax_conv(window, groups), x, w)
    close(run("conv", y.shape, x, w, window=window, groups=groups), y)
    dy = normal(*y.shape)
    dx, dw = pull(jnp.asarray(dy))
    close(run("conv_dx", x.shape, dy, w, window=window, groups=groups, size=sides), dx)
    close(run("conv_dw", w.shape, x, dy, window=window, groups=groups), dw)


def test_conv_without_sides() -> None:
    x, w = normal(3, 4), normal(5, 4)
    close(run("conv", (3, 5), x, w, window=(), groups=1), x @ w.T)
    close(run("conv_dx", (3, 4), normal(3, 5), w, window=(), groups=1, size=()), normal(3, 5) @ w)


# Pools and patches


def jax_pool(window: tuple[Axis, ...], start: float, combine: Any) -> Callable[[Any], Any]:
    def pool(x: Any) -> Any:
        x = lax.pad(x, jnp.asarray(start, x.dtype), [(0, 0, 0), *((a.low, a.high, 0) for a in window), (0, 0, 0)])
        kernels, strides, dilations = ([1, *(getattr(a, name) for a in window), 1] for name in ("kernel", "stride", "dilation"))
        return lax.reduce_window(x, jnp.asarray(start, x.dtype), combine, kernels, strides, "VALID", window_dilation=dilations)

    return pool


@windowed
def test_window_sum(sides: tuple[int, ...], window: tuple[Axis, ...]) -> None:
    x, y = normal(2, *sides, 3), normal(2, *sizes(window, sides), 3)
    how = {"axes": tuple(range(1, 1 + len(sides))), "window": window}
    close(run("window_sum", y.shape, x, **how), jax_pool(window, 0, lax.add)(x))
    close(run("window_spread", x.shape, y, size=sides, **how), jax.linear_transpose(jax_pool(window, 0, lax.add), x)(jnp.asarray(y))[0])


def test_window_sum_over_channels_and_rows() -> None:
    x, how = normal(4, 5, 6), {"axes": (2, 0), "window": (Axis(3, 1, 1, 1), Axis(2, 2))}
    expected = np.pad(x[::2] + x[1::2], [(0, 0), (0, 0), (1, 1)])
    y = run("window_sum", (2, 5, 6), x, **how)
    close(y, expected[..., :-2] + expected[..., 1:-1] + expected[..., 2:])
    assert np.vdot(y, normal(2, 5, 6)) == pytest.approx(np.vdot(x, run("window_spread", x.shape, normal(2, 5, 6), size=(6, 4), **how)))


@windowed
def test_window_max(sides: tuple[int, ...], window: tuple[Axis, ...]) -> None:
    x, shape = normal(2, *sides, 3), (2, *sizes(window, sides), 3)
    y, at = run_all("window_max", [(shape, "f8"), (shape, "u1")], x, window=window)
    expected = jax_pool(window, -np.inf, lax.max)(x)
    met = np.isfinite(expected)
    close(y, np.where(met, expected, 0))
    cells = run("patches", (*shape[:-1], prod(a.kernel for a in window), 3), x, window=window)
    close(np.take_along_axis(cells, at[..., None, :].astype(int), -2)[..., 0, :], y)


@pytest.mark.parametrize("name", ["one axis", "even kernels", "strides larger than kernels", "cells never read", "overlaps", "the whole"])
def test_window_route(name: str) -> None:
    sides, window = WINDOWS[name]
    x, dy = normal(2, *sides, 3), normal(2, *sizes(window, sides), 3)
    _, at = run_all("window_max", [(dy.shape, "f8"), (dy.shape, "u1")], x, window=window)
    close(run("window_route", x.shape, dy, at, window=window, size=sides), adjoint(jax_pool(window, -np.inf, lax.max), x, dy))


@windowed
def test_patches(sides: tuple[int, ...], window: tuple[Axis, ...]) -> None:
    """Convolution with the filters that pick one tap each."""
    taps, x = prod(a.kernel for a in window), normal(2, *sides, 1)
    picks = np.eye(taps).reshape(taps, *(a.kernel for a in window), 1)
    p, pull = jax.vjp(lambda x: jax_conv(window, 1)(x, picks)[..., None], x)
    close(run("patches", p.shape, x, window=window), p)
    dp = normal(*p.shape)
    close(run("unpatch", x.shape, dp, window=window, size=sides), pull(jnp.asarray(dp))[0])


PLAIN = (Axis(2, 2), Axis(2, 2))


@pytest.mark.parametrize(
    ("cells", "largest", "place"),
    [
        ([1, 1, 1, 1], 1, 0),
        ([0, 2, 2, 1], 2, 1),
        ([-3, -2, -1, -1], -1, 2),
        ([np.inf, np.nan, np.nan, 1], np.nan, 1),
        ([-np.inf] * 4, -np.inf, 0),
    ],
)
def test_window_max_takes_the_first_largest_and_nan_before_all(cells: list[float], largest: float, place: int) -> None:
    x = np.array(cells).reshape(1, 2, 2, 1)
    y, at = run_all("window_max", [((1, 1, 1, 1), "f8"), ((1, 1, 1, 1), "u1")], x, window=PLAIN)
    np.testing.assert_equal((y.item(), at.item()), (largest, place))


def test_padding_never_wins_a_maximum() -> None:
    x = np.full((1, 2, 2, 1), -np.inf)
    y, at = run_all("window_max", [((1, 2, 2, 1), "f8"), ((1, 2, 2, 1), "u1")], x, window=(Axis(2, 2, 1, 1),) * 2)
    assert np.all(y == -np.inf)
    assert at.ravel().tolist() == [3, 2, 1, 0]


def test_places_in_large_windows() -> None:
    x = np.zeros((1, 20, 20, 1))
    x[0, 19, 18] = 1
    _, at = run_all("window_max", [((1, 1, 1, 1), "f8"), ((1, 1, 1, 1), "u2")], x, window=(Axis(20), Axis(20)))
    assert at.item() == 398


# Products and reductions


@pytest.mark.parametrize("ta", [False, True])
@pytest.mark.parametrize("tb", [False, True])
@pytest.mark.parametrize(("batch_a", "batch_b", "batch"), [((), (), ()), ((3,), (), (3,)), ((2, 1), (3,), (2, 3))])
def test_matmul(ta: bool, tb: bool, batch_a: tuple[int, ...], batch_b: tuple[int, ...], batch: tuple[int, ...]) -> None:
    a, b = normal(*batch_a, *((5, 4) if ta else (4, 5))), normal(*batch_b, *((6, 5) if tb else (5, 6)))
    letters = f"...{'ji' if ta else 'ij'},...{'kj' if tb else 'jk'}->...ik"
    close(run("matmul", (*batch, 4, 6), a, b, ta=ta, tb=tb), jnp.einsum(letters, a, b))


@pytest.mark.parametrize("axes", [(), (0,), (1, 2), (0, 3), (0, 1, 2, 3)])
def test_sum_max_moments(axes: tuple[int, ...]) -> None:
    x = normal(2, 3, 1, 4)
    shape = tuple(1 if axis in axes else n for axis, n in enumerate(x.shape))
    close(run("sum", shape, x, axes=axes), jnp.sum(x, axes, keepdims=True))
    close(run("max", shape, x, axes=axes), jnp.max(x, axes, keepdims=True))
    mean, var = run_all("moments", [(shape, "f8")] * 2, x, axes=axes)
    close(mean, jnp.mean(x, axes, keepdims=True))
    close(var, jnp.var(x, axes, keepdims=True))


def test_moments_of_the_valid_rows() -> None:
    x = normal(5, 3, 4)
    x[3:] = np.nan
    mean, var = run_all("moments", [((1, 1, 4), "f8")] * 2, x, np.array(3, "i4"), axes=(0, 1))
    close(mean[0, 0], x[:3].reshape(9, 4).mean(0))
    close(var[0, 0], x[:3].reshape(9, 4).var(0))


def test_statistics_of_many_float32_are_exact() -> None:
    x = np.full((100_000, 2), 1000.1, "f4")
    x[::2] += 1
    mean, var = run_all("moments", [((1, 2), "f4")] * 2, x, axes=(0,))
    close(mean, 1000.6, 1e-7)
    close(var, 0.25, 1e-4)


def test_argmax_is_the_first_of_equals() -> None:
    x = np.array([[1.0, 3, 3], [2, 2, 2], [0, np.nan, np.nan]])
    assert run_all("argmax", [((3, 1), "i4")], x, axis=1)[0].ravel().tolist() == [1, 0, 1]
    assert run_all("argmax", [((1, 3), "i4")], np.nan_to_num(x), axis=0)[0].ravel().tolist() == [1, 0, 0]


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("shift", [0, 1e4, -1e4])
def test_logsumexp(axis: int, shift: float) -> None:
    x = normal(3, 4) + shift
    close(run("logsumexp", (1, 4) if axis == 0 else (3, 1), x, axis=axis), jax.nn.logsumexp(x, axis, keepdims=True))


def test_logsumexp_of_infinities() -> None:
    x = np.array([[-np.inf, -np.inf], [np.inf, 0], [-np.inf, 1], [np.nan, 1]])
    np.testing.assert_equal(run("logsumexp", (4, 1), x, axis=1).ravel(), [-np.inf, np.inf, 1, np.nan])


def test_max_gives_nan_for_nan() -> None:
    assert np.isnan(run("max", (1, 1), np.array([[1.0, np.nan, np.inf]]), axes=(1,))).all()


# Forms


def test_reshape_transpose_concat() -> None:
    x = normal(2, 3, 4)
    close(run("reshape", (4, 6), x, shape=(4, 6)), x.reshape(4, 6))
    close(run("transpose", (4, 2, 3), x, order=(2, 0, 1)), x.transpose(2, 0, 1))
    pieces = [x, normal(2, 1, 4), normal(2, 2, 4, seed=1)]
    close(run("concat", (2, 6, 4), *pieces, axis=1), np.concatenate(pieces, 1))


SLICES = [((0, 0), (5, 6), (1, 1)), ((1, 2), (4, 3), (1, 1)), ((0, 1), (5, 6), (2, 3)), ((4, 0), (5, 6), (7, 4))]


@pytest.mark.parametrize(("begin", "end", "step"), SLICES)
def test_slice_and_its_adjoint_pad(begin: tuple[int, ...], end: tuple[int, ...], step: tuple[int, ...]) -> None:
    x = normal(5, 6)
    y = lax.slice(x, begin, end, step)
    close(run("slice", y.shape, x, begin=begin, end=end, step=step), y)
    dy = normal(*y.shape)
    last = [b + (m - 1) * s for b, m, s in zip(begin, y.shape, step, strict=True)]
    how = {"low": begin, "high": tuple(n - 1 - i for n, i in zip(x.shape, last, strict=True)), "interior": tuple(s - 1 for s in step)}
    close(run("pad", x.shape, dy, **how), adjoint(lambda x: lax.slice(x, begin, end, step), x, dy))


@pytest.mark.parametrize(("low", "high", "interior"), [((1, 0), (0, 2), (0, 0)), ((0, 2), (1, 0), (2, 1)), ((-1, 1), (1, -2), (0, 1))])
def test_pad(low: tuple[int, ...], high: tuple[int, ...], interior: tuple[int, ...]) -> None:
    x = normal(3, 4)
    y = lax.pad(x, jnp.asarray(0.0), list(zip(low, high, interior, strict=True)))
    close(run("pad", y.shape, x, low=low, high=high, interior=interior), y)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_gather_and_its_adjoint_scatter(axis: int) -> None:
    x, table = normal(4, 4, 4), (3, -1, 0, 0, 2, -1)
    shape = tuple(6 if a == axis else 4 for a in range(3))

    def gather(x: Any) -> Any:
        kept = jnp.asarray([place >= 0 for place in table]).reshape([6 if a == axis else 1 for a in range(3)])
        return jnp.where(kept, jnp.take(x, jnp.asarray(table), axis), 0)

    close(run("gather", shape, x, table=table, axis=axis), gather(x))
    close(run("scatter", x.shape, normal(*shape), table=table, axis=axis, size=4), adjoint(gather, x, normal(*shape)))


def test_gather_leaves_nan_where_it_was() -> None:
    assert run("gather", (2,), np.array([np.nan, 1]), table=(-1, 1), axis=0).tolist() == [0, 1]


def test_take() -> None:
    close(run("take", (3, 2), normal(5, 2), np.array([4, 0, 4], "i4")), normal(5, 2)[[4, 0, 4]])


def test_constant() -> None:
    square = [((2, 2), "f4")]
    assert run_all("constant", square, shape=(2, 2), dtype="f32", value=0.5)[0].tolist() == [[0.5, 0.5], [0.5, 0.5]]
    assert run_all("constant", square, shape=(2, 2), dtype="f32", table=(1, 2, 3, 4))[0].tolist() == [[1, 2], [3, 4]]


def test_one_rank_keeps_its_own() -> None:
    close(run("all_reduce", (3,), normal(3), op="sum", ranks=1), normal(3))
    with pytest.raises(ValueError, match="1 rank"):
        run("all_reduce", (3,), normal(3), op="sum", ranks=2)


# float32

WINDOW = (Axis(3, 2, 1, 1), Axis(2, 1, 1, 0))
IN32 = [
    ("conv", (2, 4, 5, 4), [(2, 7, 5, 4), (4, 3, 2, 2)], {"window": WINDOW, "groups": 2}),
    ("conv_dx", (2, 7, 5, 4), [(2, 4, 5, 4), (4, 3, 2, 2)], {"window": WINDOW, "groups": 2, "size": (7, 5)}),
    ("conv_dw", (4, 3, 2, 2), [(2, 7, 5, 4), (2, 4, 5, 4)], {"window": WINDOW, "groups": 2}),
    ("matmul", (3, 5), [(3, 4), (4, 5)], {"ta": False, "tb": False}),
    ("window_sum", (2, 4, 5, 4), [(2, 7, 5, 4)], {"axes": (1, 2), "window": WINDOW}),
    ("window_spread", (2, 7, 5, 4), [(2, 4, 5, 4)], {"axes": (1, 2), "window": WINDOW, "size": (7, 5)}),
    ("patches", (2, 4, 5, 6, 4), [(2, 7, 5, 4)], {"window": WINDOW}),
    ("unpatch", (2, 7, 5, 4), [(2, 4, 5, 6, 4)], {"window": WINDOW, "size": (7, 5)}),
    ("sum", (1, 5), [(8, 5)], {"axes": (0,)}),
    ("max", (1, 5), [(8, 5)], {"axes": (0,)}),
    ("logsumexp", (8, 1), [(8, 5)], {"axis": 1}),
]


@pytest.mark.parametrize(("op", "shape", "operands", "attributes"), IN32, ids=[row[0] for row in IN32])
def test_float32_follows_float64(op: str, shape: tuple[int, ...], operands: list[tuple[int, ...]], attributes: dict[str, Any]) -> None:
    exact = run(op, shape, *(normal(*s) for s in operands), **attributes)
    single = run(op, shape, *(normal(*s, dtype=np.float32) for s in operands), **attributes)
    assert single.dtype == np.float32
    close(single, exact, 2e-6)

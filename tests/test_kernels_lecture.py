"""The oracle against the lecture's loops, written as slowly as the lecture writes them, and against its worked examples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from oracle import WINDOWS, Array, normal, run, run_all, sizes

from netcompiler.layers.window import windows
from netcompiler.plan import Axis
from netcompiler.scalar import absolute, literal, operand, power

pytestmark = pytest.mark.filterwarnings("error")

windowed = pytest.mark.parametrize(("sides", "window"), WINDOWS.values(), ids=list(WINDOWS))

Place = tuple[int, ...]


def reads(sides: Sequence[int], window: Sequence[Axis]) -> Iterator[tuple[Place, Place, Place]]:
    """Every window, every tap in it, row by row, and the cell that they meet inside the input."""
    for out in np.ndindex(*sizes(window, sides)):
        for tap in np.ndindex(*(w.kernel for w in window)):
            cell = tuple(o * w.stride + i * w.dilation - w.low for o, i, w in zip(out, tap, window, strict=True))
            if all(0 <= place < n for place, n in zip(cell, sides, strict=True)):
                yield out, tap, cell


@pytest.mark.parametrize("groups", [1, 2])
@windowed
def test_convolution_is_the_loop(sides: tuple[int, ...], window: tuple[Axis, ...], groups: int) -> None:
    maps, filters = 2, 4
    a, w = normal(1, *sides, maps), normal(filters, *(axis.kernel for axis in window), maps // groups)
    dz = normal(1, *sizes(window, sides), filters)
    z, da, dw = np.zeros_like(dz), np.zeros_like(a), np.zeros_like(w)
    for out, tap, cell in reads(sides, window):
        for n in range(filters):
            for j in range(maps // groups):
                m = n // (filters // groups) * (maps // groups) + j
                z[0, *out, n] += w[n, *tap, j] * a[0, *cell, m]
                da[0, *cell, m] += w[n, *tap, j] * dz[0, *out, n]
                dw[n, *tap, j] += a[0, *cell, m] * dz[0, *out, n]
    how = {"window": window, "groups": groups}
    np.testing.assert_allclose(run("conv", z.shape, a, w, **how), z, 1e-12, 1e-12)
    np.testing.assert_allclose(run("conv_dx", a.shape, dz, w, size=sides, **how), da, 1e-12, 1e-12)
    np.testing.assert_allclose(run("conv_dw", w.shape, a, dz, **how), dw, 1e-12, 1e-12)


@windowed
def test_pools_are_the_loops(sides: tuple[int, ...], window: tuple[Axis, ...]) -> None:
    """With many ties: the first of the largest wins, row by row."""
    a = np.random.default_rng(1).integers(0, 3, (1, *sides, 1)).astype(float)
    dout = normal(1, *sizes(window, sides), 1)
    total, spread, best, route = np.zeros_like(dout), np.zeros_like(a), np.full_like(dout, -1), np.zeros_like(a)
    at: dict[Place, Place] = {}
    for out, _, cell in reads(sides, window):
        total[0, *out, 0] += a[0, *cell, 0]
        spread[0, *cell, 0] += dout[0, *out, 0]
        if a[0, *cell, 0] > best[0, *out, 0]:
            best[0, *out, 0], at[out] = a[0, *cell, 0], cell
    for out, cell in at.items():
        route[0, *cell, 0] += dout[0, *out, 0]
    axes = tuple(range(1, 1 + len(sides)))
    np.testing.assert_allclose(run("window_sum", total.shape, a, axes=axes, window=window), total)
    np.testing.assert_allclose(run("window_spread", a.shape, dout, axes=axes, window=window, size=sides), spread, 1e-12, 1e-12)
    y, place = run_all("window_max", [(dout.shape, "f8"), (dout.shape, "u1")], a, window=window)
    np.testing.assert_array_equal(y, np.maximum(best, 0))
    np.testing.assert_allclose(run("window_route", a.shape, dout, place, window=window, size=sides), route, 1e-12, 1e-12)


@windowed
def test_patches_are_the_loop(sides: tuple[int, ...], window: tuple[Axis, ...]) -> None:
    a, kernel = normal(1, *sides, 2), tuple(w.kernel for w in window)
    p = np.zeros((1, *sizes(window, sides), int(np.prod(kernel)), 2))
    for out, tap, cell in reads(sides, window):
        p[0, *out, np.ravel_multi_index(tap, kernel)] = a[0, *cell]
    np.testing.assert_array_equal(run("patches", p.shape, a, window=window), p)
    back = run("unpatch", a.shape, normal(*p.shape), window=window, size=sides)
    assert np.vdot(back, a) == pytest.approx(np.vdot(normal(*p.shape), p))


# Worked examples: pictures of one map, (rows, columns)


def picture(rows: str) -> Array:
    return np.array([[float(cell) for cell in row] for row in rows.split("/")])


def around(n: Sequence[int], kernel: int, stride: int = 1, padding: int | str = 0) -> tuple[Axis, ...]:
    """The windows of a layer, with exact padding behind."""
    exact = []
    for side, w in zip(n, windows((1, *n), kernel, stride, padding), strict=True):
        exact.append(Axis(w.kernel, w.stride, w.low, (w.size(side) - 1) * w.stride + w.extent - w.low - side))
    return tuple(exact)


def conv(x: Array, w: Array, stride: int = 1, padding: int | str = 0) -> Array:
    window = around(x.shape, len(w), stride, padding)
    return run("conv", (1, *sizes(window, x.shape), 1), x[None, ..., None], w[None, ..., None], window=window, groups=1)[0, ..., 0]


def conv_dw(x: Array, dz: Array, kernel: int, stride: int = 1) -> Array:
    how = {"window": around(x.shape, kernel, stride), "groups": 1}
    return run("conv_dw", (1, *(kernel,) * x.ndim, 1), x[None, ..., None], dz[None, ..., None], **how)[0, ..., 0]


def conv_dx(dz: Array, w: Array, size: tuple[int, ...], stride: int = 1) -> Array:
    how = {"window": around(size, len(w), stride), "groups": 1, "size": size}
    return run("conv_dx", (1, *size, 1), dz[None, ..., None], w[None, ..., None], **how)[0, ..., 0]


X, W = picture("11100/01110/00111/00110/01100"), picture("101/010/101")


@pytest.mark.parametrize(
    ("stride", "padding", "z"),
    [
        (1, "valid", "434/243/234"),
        (2, "valid", "44/24"),
        (1, "same", "22311/14341/12433/12341/02211"),
        (2, "same", "231/143/021"),
    ],
)
def test_the_picture_with_the_cross(stride: int, padding: str, z: str) -> None:
    np.testing.assert_array_equal(conv(X, W, stride, padding), picture(z))


def test_relu_behind_the_cross() -> None:
    z = conv(X, W) - 2
    np.testing.assert_array_equal(np.maximum(z, 0), picture("212/021/012"))
    dz = (z > 0).astype(float)
    assert run("sum", (1, 1), dz, axes=(0, 1)).item() == 7
    np.testing.assert_array_equal(conv_dw(X, dz, 3), picture("664/475/454"))
    np.testing.assert_array_equal(conv_dx(dz, W, (5, 5)), picture("11211/02221/12432/01221/01111"))


def test_gradients_at_stride_2() -> None:
    dz = np.array([[1.0, 2], [3, 4]])
    np.testing.assert_array_equal(conv_dw(X, dz, 3, stride=2), [[7, 5, 8], [6, 7, 4], [6, 5, 6]])
    da = [[1, 0, 3, 0, 2], [0, 1, 0, 2, 0], [4, 0, 10, 0, 6], [0, 3, 0, 4, 0], [3, 0, 7, 0, 4]]
    np.testing.assert_array_equal(conv_dx(dz, W, (5, 5), stride=2), da)


A, w = np.arange(1.0, 10).reshape(3, 3), np.array([[1.0, 2], [3, 4]])


@pytest.mark.parametrize(
    ("filter", "z"),
    [
        (w, [[37, 47], [67, 77]]),
        (w[::-1, ::-1], [[23, 33], [53, 63]]),
        (np.rot90(w), [[29, 39], [59, 69]]),
        (np.rot90(w, 2), [[23, 33], [53, 63]]),
        (np.rot90(w, 3), [[31, 41], [61, 71]]),
    ],
)
def test_an_even_filter_turned_and_flipped(filter: Array, z: list[list[int]]) -> None:
    np.testing.assert_array_equal(conv(A, filter), z)


def test_gradients_of_an_even_filter() -> None:
    dz = np.array([[1.0, 10], [100, 1000]])
    np.testing.assert_array_equal(conv_dw(A, dz, 2), [[5421, 6532], [8754, 9865]])
    np.testing.assert_array_equal(conv_dx(dz, w, (3, 3)), [[1, 12, 20], [103, 1234, 2040], [300, 3400, 4000]])


@pytest.mark.parametrize(
    ("x", "w", "stride", "padding", "z"),
    [
        ([1, 1, 1, 0, 0], [1, 0, 1], 1, "valid", [2, 1, 1]),
        ([1, 2, 3, 4, 5], [1, 2, 3], 1, "same", [8, 14, 20, 26, 14]),
        ([1, 2, 3, 4], [1, 1, 1], 2, "same", [3, 9]),
    ],
)
def test_one_dimension(x: list[float], w: list[float], stride: int, padding: str, z: list[float]) -> None:
    np.testing.assert_array_equal(conv(np.array(x, float), np.array(w, float), stride, padding), z)


def test_transposed_convolution() -> None:
    row = conv_dx(np.array([1.0, 2, 3]), np.array([1.0, 10, 100]), (7,), stride=2)
    np.testing.assert_array_equal(row, [1, 10, 102, 20, 203, 30, 300])
    square = conv_dx(w, np.ones((3, 3)), (5, 5), stride=2)
    np.testing.assert_array_equal(square, [[1, 1, 3, 2, 2], [1, 1, 3, 2, 2], [4, 4, 10, 6, 6], [3, 3, 7, 4, 4], [3, 3, 7, 4, 4]])


POOLED = np.array([[1.0, 1, 2, 4], [5, 6, 7, 8], [3, 2, 1, 0], [1, 2, 3, 4]])[None, ..., None]


def mean_of_2(a: Array) -> Array:
    return run("window_sum", (1, 2, 2, 1), a, axes=(1, 2), window=(Axis(2, 2),) * 2) / 4


def test_pools_of_2() -> None:
    y, _ = run_all("window_max", [((1, 2, 2, 1), "f8"), ((1, 2, 2, 1), "u1")], POOLED, window=(Axis(2, 2),) * 2)
    np.testing.assert_array_equal(y[0, ..., 0], [[6, 8], [3, 4]])
    np.testing.assert_array_equal(mean_of_2(POOLED)[0, ..., 0], [[3.25, 5.25], [2, 2]])


def test_p_norm_of_2() -> None:
    raised = run("map", POOLED.shape, POOLED, exprs=(power(absolute(operand(0)), literal(5)),), shape=POOLED.shape, dtype="f64")
    mean = mean_of_2(raised)
    y = run("map", mean.shape, mean, exprs=(power(operand(0), literal(1 / 5)),), shape=mean.shape, dtype="f64")
    np.testing.assert_allclose(y[0, ..., 0], [[4.8652, 6.6141], [2.3840, 3.1638]], atol=5e-5)


def test_overlapping_pools_accumulate() -> None:
    window = (Axis(2), Axis(2))
    _, at = run_all("window_max", [((1, 3, 3, 1), "f8"), ((1, 3, 3, 1), "u1")], POOLED, window=window)
    da = run("window_route", POOLED.shape, np.ones((1, 3, 3, 1)), at, window=window, size=(4, 4))
    np.testing.assert_array_equal(da[0, ..., 0], picture("0000/0222/1000/0011"))


# The lecture's identities


@pytest.mark.parametrize(("n", "k", "s", "p"), [(7, 3, 1, 1), (8, 3, 2, 1), (9, 4, 3, 2), (6, 2, 3, 0)])
def test_the_gradient_of_the_input_as_one_correlation(n: int, k: int, s: int, p: int) -> None:
    """Zeros between neighbours, the remainder behind, K-1 around, the filter flipped; then the padding is cut off."""
    f, rest = normal(k, k), (n + 2 * p - k) % s
    m = (n + 2 * p - k) // s + 1
    dz = normal(m, m)
    side = (m - 1) * s + 1 + rest + 2 * (k - 1)
    spread = run("pad", (side, side), dz, low=(k - 1,) * 2, high=(k - 1 + rest,) * 2, interior=(s - 1,) * 2)
    padded = conv(spread, f[::-1, ::-1])
    window = (Axis(k, s, p, p - rest),) * 2
    da = run("conv_dx", (1, n, n, 1), dz[None, ..., None], f[None, ..., None], window=window, groups=1, size=(n, n))[0, ..., 0]
    np.testing.assert_allclose(padded[p : p + n, p : p + n], da, 1e-12, 1e-12)


def test_the_transform_domain() -> None:
    x, f = normal(9, 8), normal(3, 3)
    wrapped = np.fft.ifft2(np.fft.fft2(x) * np.conj(np.fft.fft2(f, x.shape))).real
    np.testing.assert_allclose(conv(x, f), wrapped[:7, :6], 1e-12, 1e-12)


def test_a_stride_is_a_downsampling() -> None:
    x, f = normal(8, 7), normal(3, 3)
    fine = conv(x, f, padding=1)
    coarse = run("slice", (4, 4), fine, begin=(0, 0), end=fine.shape, step=(2, 2))
    np.testing.assert_allclose(conv(x, f, stride=2, padding=1), coarse, 1e-12, 1e-12)


def test_upsampling_with_zeros_behind() -> None:
    y = run("pad", (6,), np.array([1.0, 2, 3]), low=(0,), high=(1,), interior=(1,))
    np.testing.assert_array_equal(y, [1, 0, 2, 0, 3, 0])

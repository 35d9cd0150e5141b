"""3x3 convolutions by Winograd's F(4x4, 3x3), and 5x5 ones by F(2x2, 5x5): a quarter and a third of the multiplications, and sums
that are exact to about 1e-5.

Filters are packed: winograd_filters.py. The products run over blocks of tiles that stay in the cache: winograd_products.py; the
gradient of the filters: winograd_gradient.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from netcompiler.plan import Axis
from runtime.arrays import Array
from runtime.kernels.behind import Behind, plain
from runtime.kernels.cpu.driver import Step
from runtime.kernels.cpu.winograd_gradient import gradient
from runtime.kernels.cpu.winograd_products import convolution


def conv_winograd4(
    y: Array, x: Array, w: Array, *, window: Sequence[Axis], groups: int, packed: Array, behind: Behind | None = None
) -> Iterator[Step]:
    yield _forward(y, x, packed, window, behind)


def conv_winograd2(
    y: Array, x: Array, w: Array, *, window: Sequence[Axis], groups: int, packed: Array, behind: Behind | None = None
) -> Iterator[Step]:
    yield _forward(y, x, packed, window, behind)


def conv_dx_winograd4(
    x: Array, y: Array, w: Array, *, window: Sequence[Axis], groups: int, size: Sequence[int], packed: Array, behind: Behind | None = None
) -> Iterator[Step]:
    yield _backward(x, y, packed, window, behind)


def conv_dx_winograd2(
    x: Array, y: Array, w: Array, *, window: Sequence[Axis], groups: int, size: Sequence[int], packed: Array, behind: Behind | None = None
) -> Iterator[Step]:
    yield _backward(x, y, packed, window, behind)


def conv_dw_winograd4(w: Array, x: Array, y: Array, *, window: Sequence[Axis], groups: int) -> Iterator[Step]:
    yield from gradient(w, x, y, (window[0].low, window[1].low))


def conv_dw_winograd2(w: Array, x: Array, y: Array, *, window: Sequence[Axis], groups: int) -> Iterator[Step]:
    yield from gradient(w, x, y, (window[0].low, window[1].low))


def _forward(y: Array, x: Array, packed: Array, window: Sequence[Axis], behind: Behind | None) -> Step:
    return convolution(x, packed, [axis.low for axis in window], window[0].kernel, behind or plain(y))


def _backward(x: Array, y: Array, packed: Array, window: Sequence[Axis], behind: Behind | None) -> Step:
    """The same with the filters turned round: what they did not reach beyond the border, they reach now."""
    return convolution(y, packed, [axis.kernel - 1 - axis.low for axis in window], window[0].kernel, behind or plain(x))

"""3x3 convolutions by Winograd's F(4x4, 3x3): a quarter of the multiplications, and sums that are exact to about 1e-5.

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
    yield convolution(x, packed, [axis.low for axis in window], behind or plain(y))


def conv_dx_winograd4(
    x: Array, y: Array, w: Array, *, window: Sequence[Axis], groups: int, size: Sequence[int], packed: Array, behind: Behind | None = None
) -> Iterator[Step]:
    """The same with the filters turned round: what they did not reach beyond the border, they reach now."""
    yield convolution(y, packed, [2 - axis.low for axis in window], behind or plain(x))


def conv_dw_winograd4(w: Array, x: Array, y: Array, *, window: Sequence[Axis], groups: int) -> Iterator[Step]:
    yield from gradient(w, x, y, (window[0].low, window[1].low))

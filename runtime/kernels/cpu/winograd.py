"""3x3 convolutions by Winograd's F(4x4, 3x3): a quarter of the multiplications, and sums that are exact to about 1e-5.

Filters are packed, U = G w G'; the products run over blocks of tiles that stay in the cache: winograd_products.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from netcompiler.plan import Axis
from runtime.arrays import Array
from runtime.kernels.cpu.driver import Step
from runtime.kernels.cpu.winograd_filters import pack, pack_turned, packed
from runtime.kernels.cpu.winograd_gradient import gradient
from runtime.kernels.cpu.winograd_products import convolution


def conv_winograd4(y: Array, x: Array, w: Array, *, window: Sequence[Axis], groups: int) -> Iterator[Step]:
    u = packed(len(w), w.shape[-1])
    yield pack(u, w)
    yield convolution(y, x, u, [axis.low for axis in window])


def conv_dx_winograd4(x: Array, y: Array, w: Array, *, window: Sequence[Axis], groups: int, size: Sequence[int]) -> Iterator[Step]:
    """The same with the filters turned round: what they did not reach beyond the border, they reach now."""
    u = packed(w.shape[-1], len(w))
    yield pack_turned(u, w)
    yield convolution(x, y, u, [2 - axis.low for axis in window])


def conv_dw_winograd4(w: Array, x: Array, y: Array, *, window: Sequence[Axis], groups: int) -> Iterator[Step]:
    yield from gradient(w, x, y, (window[0].low, window[1].low))

"""Windows as PyTorch's functions take them: its own padding where that comes to the same, else cells added in front."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch.nn.functional as F  # noqa: N812
from torch import Tensor

Function = Callable[..., Tensor]


class Window(NamedTuple):
    """One side: `size` cells come in, `low` and `high` are added, and `places` windows come out."""

    kernel: int
    stride: int
    low: int
    high: int
    dilation: int
    size: int
    places: int

    @property
    def extent(self) -> int:
        return (self.kernel - 1) * self.dilation + 1

    @property
    def rest(self) -> int:
        """The cells behind the input that windows read; negative where they leave some unread."""
        return (self.places - 1) * self.stride + self.extent - self.low - self.size

    @property
    def floors(self) -> bool:
        """Whether `low` cells at both ends give these windows."""
        return (self.size + 2 * self.low - self.extent) // self.stride + 1 == self.places

    @property
    def ceils(self) -> bool:
        """The same with PyTorch's ceil_mode, whose last window must begin inside the input or in front of it."""
        if self.low != self.high:
            return False
        most = -(-(self.size + 2 * self.low - self.extent) // self.stride) + 1
        return most - ((most - 1) * self.stride >= self.size + self.low) == self.places


def sliding(name: str, windows: Sequence[Window], groups: int) -> Function:
    """A convolution of an input, a weight and a bias."""
    even = all(w.floors for w in windows)
    product = partial(
        getattr(F, name),
        stride=[w.stride for w in windows],
        padding=[w.low if even else 0 for w in windows],
        dilation=[w.dilation for w in windows],
        groups=groups,
    )
    if even:
        return product
    margins = _margins(windows)
    return lambda x, weight, bias: product(F.pad(x, margins), weight, bias)


def pooling(name: str, windows: Sequence[Window], **settings: Any) -> Function | None:
    """A pool with PyTorch's own padding; None where that cannot be: it takes half a window at most, and as much in front as behind."""
    small = all(2 * w.low <= w.kernel for w in windows)
    for ceil in (False, True):
        if small and all(w.ceils if ceil else w.floors for w in windows):
            return partial(_plain(name, windows), padding=[w.low for w in windows], ceil_mode=ceil, **settings)
    return None


def padded(name: str, windows: Sequence[Window], outside: float, **settings: Any) -> Function:
    """The same on an input with cells of a value around it."""
    pool, margins = partial(_plain(name, windows), **settings), _margins(windows)
    return lambda x: pool(F.pad(x, margins, value=outside))


def _plain(name: str, windows: Sequence[Window]) -> Function:
    return partial(getattr(F, name), kernel_size=[w.kernel for w in windows], stride=[w.stride for w in windows])


def _margins(windows: Sequence[Window]) -> list[int]:
    """As F.pad has them: from the last side to the first."""
    return [end for w in reversed(windows) for end in (w.low, w.rest)]

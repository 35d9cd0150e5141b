"""What a net is shown of a picture when several views of it vote: windows and mirror images."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from runtime.arrays import Array

View = Callable[[Array, Sequence[int]], Iterator[Array]]


def centre(x: Array, sides: Sequence[int]) -> Iterator[Array]:
    """The picture as it is; what a plan does not read of it, it cuts off itself."""
    yield x


def flip(x: Array, sides: Sequence[int]) -> Iterator[Array]:
    yield x
    yield np.flip(x, -1)


def ten_crop(x: Array, sides: Sequence[int]) -> Iterator[Array]:
    """Windows of the net's sides in the four corners and in the middle, each with its mirror image."""
    (rows, columns), (height, width) = x.shape[2:], sides
    down, across = rows - height, columns - width
    for top, left in ((0, 0), (0, across), (down, 0), (down, across), (down // 2, across // 2)):
        yield from flip(x[:, :, top : top + height, left : left + width], sides)


VIEWS: dict[str, View] = {"": centre, "flip": flip, "ten_crop": ten_crop}

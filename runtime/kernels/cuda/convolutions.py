"""Convolutions and their gradients by cuDNN: images as they lie, weights as [k, taps, c/g]; what it does not take is refused.

`_cudnn` computes what stands behind a convolution where its results are made; `_apart` in a step of its own, in their place;
`_dense` too, and it copies what has gaps between its pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from netcompiler.plan import ALIGNED, Axis
from netcompiler.scalar import parts
from runtime.arrays import Array
from runtime.kernels.behind import Behind
from runtime.kernels.cuda import cudnn
from runtime.kernels.cuda.call import Call
from runtime.kernels.cuda.copies import copied
from runtime.kernels.cuda.cudnn import End, Plan, Task, channels, tensor
from runtime.kernels.cuda.driver import Driver
from runtime.kernels.cuda.following import following
from runtime.kernels.cuda.steps import Step
from runtime.kernels.layout import address

Window = tuple[Axis, ...]


class Convolution(Call[Task, Plan]):
    @property
    def addresses(self) -> Mapping[int, int]:
        return {number: address(array) for number, array in enumerate(self.arrays)}

    def prepare(self, driver: Driver) -> None:
        self.plans[driver] = cudnn.planned(self.task, self.workspace.nbytes, self.engine, handle=driver.handle(cudnn.handle))

    def engines(self, driver: Driver) -> list[str]:
        return cudnn.engines(self.task, self.workspace.nbytes, handle=driver.handle(cudnn.handle))

    def run(self, driver: Driver) -> None:
        self.plans[driver].run(self.addresses, address(self.workspace), driver.handle(cudnn.handle))


def conv_cudnn(
    y: Array,
    x: Array,
    w: Array,
    *,
    window: Window,
    groups: int,
    workspace: Array,
    math: str = "",
    engine: str = "",
    behind: Behind | None = None,
) -> Iterator[Step]:
    x, window = _within(x, window, y.shape[1:-1])
    ends, others = _ends(behind, y) if behind else ((), ())
    yield Convolution(Task("conv", tensor(y), (tensor(x), tensor(w)), window, math, ends), (y, x, w, *others), workspace, engine)


def conv_dx_cudnn(
    x: Array,
    y: Array,
    w: Array,
    *,
    window: Window,
    groups: int,
    size: Sequence[int],
    workspace: Array,
    math: str = "",
    engine: str = "",
) -> Iterator[Step]:
    window = tuple(_evened(axis, n, p) for axis, n, p in zip(window, size, y.shape[1:-1], strict=True))
    yield Convolution(Task("conv_dx", tensor(x), (tensor(y), tensor(w)), window, math), (x, y, w), workspace, engine)


def conv_dw_cudnn(
    w: Array, x: Array, y: Array, *, window: Window, groups: int, workspace: Array, math: str = "", engine: str = ""
) -> Iterator[Step]:
    x, window = _within(x, window, y.shape[1:-1])
    yield Convolution(Task("conv_dw", tensor(w), (tensor(x), tensor(y)), window, math), (w, x, y), workspace, engine)


def conv_apart(y: Array, x: Array, w: Array, *, behind: Behind, **how: Any) -> Iterator[Step]:
    yield from conv_cudnn(y, x, w, **how)
    yield from following(behind)


def conv_dense(y: Array, x: Array, w: Array, *, workspace: Array, behind: Behind | None = None, **how: Any) -> Iterator[Step]:
    yield from _dense(conv_cudnn, y, (x, w), workspace, behind, how)


def conv_dx_dense(x: Array, y: Array, w: Array, *, workspace: Array, **how: Any) -> Iterator[Step]:
    yield from _dense(conv_dx_cudnn, x, (y, w), workspace, None, how)


def conv_dw_dense(w: Array, x: Array, y: Array, *, workspace: Array, **how: Any) -> Iterator[Step]:
    yield from _dense(conv_dw_cudnn, w, (x, y), workspace, None, how)


def _dense(
    kernel: Callable[..., Iterator[Step]], y: Array, read: Sequence[Array], workspace: Array, behind: Behind | None, how: Mapping[str, Any]
) -> Iterator[Step]:
    own: list[Array] = []
    for array in (y, *read):
        if not array.flags.c_contiguous:
            array, workspace = _room(array, workspace)
        own.append(array)
    for copy, array in zip(own[1:], read, strict=True):
        if copy is not array:
            yield from copied(copy, array)
    yield from kernel(*own, workspace=workspace, **how)
    if own[0] is not y:
        yield from copied(y, own[0])
    if behind:
        yield from following(behind)


def _room(array: Array, workspace: Array) -> tuple[Array, Array]:
    """An array like it without gaps, and what is left behind it."""
    size = array.size * array.itemsize
    return workspace[:size].view(array.dtype).reshape(array.shape), workspace[-(-size // ALIGNED) * ALIGNED :]


def _ends(behind: Behind, y: Array) -> tuple[tuple[End, ...], list[Array]]:
    """A residual, the bias, a function: in the order in which cuDNN has them."""
    function, sums = parts(behind.exprs[0])
    others = [array for leaf in sums if (array := behind.operands[leaf.leaf]) is not None]
    others.sort(key=lambda array: -array.size)
    ends = [End("add", tensor(array) if array.shape == y.shape else channels(array, max(4, y.ndim))) for array in others]
    return (*ends, *([End(function)] if function else [])), others


def _within(x: Array, window: Window, outer: Sequence[int]) -> tuple[Array, Window]:
    """An image without what no window reads, so that nothing is left out at its sides."""
    axes = []
    for number, (axis, p) in enumerate(zip(window, outer, strict=True), 1):
        if axis.low < 0:
            x, axis = _cut(x, number, -axis.low, x.shape[number]), axis._replace(low=0)
        more = _needed(axis, x.shape[number], p)
        if more + axis.stride <= 0:
            x = _cut(x, number, 0, x.shape[number] + more)
        axes.append(_evened(axis, x.shape[number], p))
    return x, tuple(axes)


def _evened(axis: Axis, n: int, p: int) -> Axis:
    """With as many cells behind as before, if that makes no difference; never with fewer than none."""
    least = _needed(axis, n, p)
    return axis._replace(high=axis.low if least <= axis.low < least + axis.stride else max(0, least))


def _needed(axis: Axis, n: int, p: int) -> int:
    """Cells behind that so many windows reach."""
    return (p - 1) * axis.stride + axis.extent - n - axis.low


def _cut(x: Array, number: int, begin: int, end: int) -> Array:
    part: Array = x[(slice(None),) * number + (slice(begin, end),)]
    return part

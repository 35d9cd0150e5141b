"""Convolutions of each channel by itself: memory is all that they wait for, so threads stand side by side along channels.

Weights lie tap by tap in the workspace, so that what a thread reads of them lies side by side, too. The gradient of the weights is
summed in slices of pixels, and then over the slices.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from math import prod

import numpy as np

from netcompiler.plan import Axis
from netcompiler.scalar import operand
from runtime.arrays import Array, name_of
from runtime.kernels.behind import Behind, plain
from runtime.kernels.cuda import pointwise
from runtime.kernels.cuda.code import TYPES, indented
from runtime.kernels.cuda.finish import Finish
from runtime.kernels.cuda.frame import Reach, adjoint, direct
from runtime.kernels.cuda.places import digits, offset
from runtime.kernels.cuda.slices import added, shares
from runtime.kernels.cuda.slide import Slide, Source, source
from runtime.kernels.cuda.steps import Launch
from runtime.kernels.cuda.text import Kernel
from runtime.kernels.cuda.walk import WIDEST
from runtime.kernels.layout import address

Window = Sequence[Axis]
THREADS, ACROSS = 256, 32
SUMS = 80
"""Sums of a thread, which fit into its registers."""


def conv_depthwise(
    y: Array, x: Array, w: Array, *, window: Window, groups: int, workspace: Array, math: str = "", behind: Behind | None = None
) -> Iterator[Launch]:
    yield from _convolution(behind or plain(y), x, w, direct(x, range(1, y.ndim - 1), window), workspace)


def conv_dx_depthwise(
    x: Array,
    y: Array,
    w: Array,
    *,
    window: Window,
    groups: int,
    size: Sequence[int],
    workspace: Array,
    math: str = "",
    behind: Behind | None = None,
) -> Iterator[Launch]:
    yield from _convolution(behind or plain(x), y, w, adjoint(y, range(1, x.ndim - 1), window), workspace)


def _convolution(behind: Behind, x: Array, w: Array, reaches: Mapping[int, Reach], workspace: Array) -> Iterator[Launch]:
    turned = w[..., 0].transpose(*range(1, 1 + len(reaches)), 0)
    tiled = np.ndarray(turned.shape, w.dtype, workspace)
    yield from pointwise.map(tiled, turned, exprs=(operand(0),), shape=turned.shape, dtype=name_of(w))
    steps = (*(0 for _ in x.shape[1:]), w.itemsize)
    weights = Source(tiled, steps, tuple(0 for _ in reaches), tiled.strides[:-1])
    finish = Finish(behind)
    slide = Slide(finish.results, [source(x, [*reaches]), weights], reaches, beside=finish.beside)
    many = slide.many
    places = [f"at{i}" for i in (*range(many), *range(many + 2, len(slide.way.arrays)))]
    value, weight = (slide.way.loaded(i, "l") for i in (many, many + 1))
    yield slide.launch(
        [f"float sums[{slide.way.width}] = {{}};"],
        slide.each(f"sums[l] += {value} * {weight};"),
        finish.lines(slide.kernel, "sums[l]", places, slide.way.width),
    )


def conv_dw_depthwise(
    w: Array, x: Array, y: Array, *, window: Window, groups: int, math: str = "", workspace: Array | None = None
) -> Iterator[Launch]:
    parts = shares(workspace, w)
    yield _gradient(parts, x, y, window)
    if workspace is not None:
        yield added(w, parts)


def _gradient(parts: Array, x: Array, y: Array, window: Window) -> Launch:
    """A thread goes through pixels of a slice and has a sum for each tap of its channels; a block's threads add up theirs."""
    kernel, taps = Kernel(), prod(axis.kernel for axis in window)
    width = _width(x, y, taps)
    packs = y.shape[-1] // width
    across = min(ACROSS, 1 << (packs - 1).bit_length())
    rows, pixels = THREADS // across, prod(y.shape[:-1])
    share = -(-pixels // len(parts))
    lines, texts = digits(kernel, y.shape[:-1], "p")
    of, stored = TYPES[name_of(x)], TYPES[name_of(parts)]
    channel, end = f"channel * {x.itemsize}", kernel.number(pixels)
    load = f"Pack<{of}, {width}>"
    met = [
        *lines,
        f"const {load} g = *(const {load}*)({kernel.address(y)} + {offset(kernel, y.strides[:-1], texts)} + {channel});",
        f"const char* const from = {kernel.address(x)} + {offset(kernel, [x.strides[0]], texts[:1])} + {channel};",
        *_each_tap(kernel, x, window, texts, f"const {load} v = *(const {load}*)at;", width),
    ]
    to = f"{kernel.address(parts)} + blockIdx.y * {kernel.number(parts.strides[0])} + t0 * {kernel.number(parts.strides[-2])}"
    kernel.lines = [
        f"__shared__ float all[{rows}][{across * width}];",
        f"const u32 x = threadIdx.x % {across}, y = threadIdx.x / {across}, channel = (blockIdx.x * {across} + x) * {width};",
        f"const bool inside = channel < (u32){kernel.number(y.shape[-1])};",
        f"const u32 begin = blockIdx.y * (u32){kernel.number(share)}, far = begin + (u32){kernel.number(share)};",
        f"const u32 end = far < (u32){end} ? far : (u32){end};",
        f"float sums[{taps}][{width}] = {{}};",
        f"if (inside) for (u32 p = begin + y; p < end; p += {rows}) {{",
        *indented(met),
        "}",
        "#pragma unroll",
        f"for (int t0 = 0; t0 < {taps}; ++t0) {{",
        f"    for (int l = 0; l < {width}; ++l) all[y][x * {width} + l] = sums[t0][l];",
        "    __syncthreads();",
        f"    if (y == 0 && inside) for (int l = 0; l < {width}; ++l) {{",
        "        float sum = 0;",
        f"        for (int r = 0; r < {rows}; ++r) sum += all[r][x * {width} + l];",
        f"        *({stored}*)({to} + (channel + l) * {kernel.number(parts.strides[1])}) = Stored<{stored}>::of(sum);",
        "    }",
        "    __syncthreads();",
        "}",
    ]
    return kernel.launch((-(-packs // across), len(parts), 1), (THREADS, 1, 1), [x, y], [parts])


def _each_tap(kernel: Kernel, x: Array, window: Window, texts: Sequence[str], load: str, width: int) -> list[str]:
    """Every tap is written out, so that its sums have registers."""
    lines = []
    for j, axis in enumerate(window, 1):
        first = f"(int)({texts[j]} * (u32){kernel.number(axis.stride)}) - (int){kernel.number(axis.low)}"
        lines += [f"const int first{j} = {first};", f"const int apart{j} = {kernel.number(axis.dilation)};"]
        lines += [f"const int cells{j} = {kernel.number(x.shape[j])};"]
    steps = [f"(i64){kernel.number(x.strides[j])}" for j in range(1, 1 + len(window))]
    for number, tap in enumerate(product(*(range(axis.kernel) for axis in window))):
        cells = [f"first{j} + {t} * apart{j}" for j, t in enumerate(tap, 1)]
        inside = " && ".join(f"(u32)({cell}) < (u32)cells{j}" for j, cell in enumerate(cells, 1))
        at = " + ".join(["from", *(f"({cell}) * {step}" for cell, step in zip(cells, steps, strict=True))])
        added_ = f"for (int l = 0; l < {width}; ++l) sums[{number}][l] += widened(v.at[l]) * widened(g.at[l]);"
        lines.append(f"if ({inside}) {{ const char* const at = {at}; {load} {added_} }}")
    return lines


def _width(x: Array, y: Array, taps: int) -> int:
    """Channels of a thread: as many as one access moves and registers hold."""
    width = max(1, WIDEST // x.itemsize)
    places = [n for array in (x, y) for n in (address(array), *array.strides[:-1])]
    while width > 1 and (width * taps > SUMS or y.shape[-1] % width or any(n % (width * x.itemsize) for n in places)):
        width //= 2
    return width

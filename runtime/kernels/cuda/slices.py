"""Sums that many blocks make a share of each: shares lie in a workspace, and are added in their order."""

from __future__ import annotations

from math import prod

import numpy as np

from runtime.arrays import Array, name_of
from runtime.kernels.cuda.code import TYPES, indented
from runtime.kernels.cuda.places import digits, offset
from runtime.kernels.cuda.steps import Launch
from runtime.kernels.cuda.text import Kernel

ACROSS, DEEP = 32, 8
"""Neighbours that a block adds the shares of, and threads that go through the shares of one."""


def shares(workspace: Array | None, y: Array) -> Array:
    """As many as the workspace holds, each of the shape of the result, in f32; without one the result is its own only share."""
    if workspace is None:
        return y[None]
    return np.ndarray((workspace.size // (4 * y.size), *y.shape), np.float32, workspace)


def added(y: Array, parts: Array) -> Launch:
    kernel, of = Kernel(), TYPES[name_of(y)]
    lines, texts = digits(kernel, y.shape, "i")
    size, many = kernel.number(prod(y.shape)), kernel.number(len(parts))
    kernel.lines = [
        f"__shared__ float sums[{DEEP}][{ACROSS}];",
        f"const u32 x = threadIdx.x, i = blockIdx.x * {ACROSS} + x;",
        f"const float* const parts = (const float*)({kernel.address(parts)});",
        "float sum = 0;",
        f"if (i < (u32){size}) {{",
        "    #pragma unroll 4",
        f"    for (int s = threadIdx.y; s < (int){many}; s += {DEEP}) sum += parts[s * {size} + i];",
        "}",
        "sums[threadIdx.y][x] = sum;",
        "__syncthreads();",
        f"if (threadIdx.y == 0 && i < (u32){size}) {{",
        *indented(lines),
        f"    for (int s = 1; s < {DEEP}; ++s) sum += sums[s][x];",
        f"    *({of}*)({kernel.address(y)} + {offset(kernel, y.strides, texts)}) = Stored<{of}>::of(sum);",
        "}",
    ]
    return kernel.launch((-(-y.size // ACROSS), 1, 1), (ACROSS, DEEP, 1), [parts], [y])

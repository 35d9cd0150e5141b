"""Copies of bytes from one array to another. Where rows become columns they go by way of tiles in shared memory, so that both sides
are read and written along their rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from netcompiler.scalar import operand
from runtime.arrays import Array, name_of
from runtime.kernels.cuda import pointwise
from runtime.kernels.cuda.code import TYPES
from runtime.kernels.cuda.steps import Copy, Launch, Step
from runtime.kernels.cuda.text import Kernel
from runtime.kernels.cuda.walk import walk
from runtime.kernels.layout import collapsed

BITS = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.int64}
TILE, ROWS = 32, 8
NARROW = 16
"""Of rows with fewer cells than this, a cache holds what neighbours read."""


def copied(y: Array, x: Array) -> Iterator[Step]:
    y, x = bits(y), bits(x)
    if y.strides == x.strides and y.flags.c_contiguous:
        yield Copy(y, x)
    elif axes := _turned_axes(y, x):
        yield _turned(y, x, *axes)
    else:
        yield from pointwise.map(y, x, exprs=(operand(0),), shape=y.shape, dtype="f32")


def bits(x: Array) -> Array:
    """Whole numbers of the same size."""
    return x.view(BITS[x.itemsize])


def _turned_axes(y: Array, x: Array) -> tuple[int, int] | None:
    """The axes along which each lies in rows, where those are long enough and not the same."""
    a, b = _dense(y), _dense(x)
    return None if a is None or b is None or a == b or min(y.shape[a], y.shape[b]) < NARROW else (a, b)


def _turned(y: Array, x: Array, a: int, b: int) -> Launch:
    """A block turns a tile: rows of x along its axis b come in, rows of y along its axis a go out."""
    kernel = Kernel()
    outer = [_without(array, a, b) for array in (y, x)]
    way = replace(walk(collapsed(outer[0].shape, outer, {}), outer), width=1)
    across, along = (-(-y.shape[axis] // TILE) for axis in (a, b))
    of = TYPES[name_of(y)]
    kernel.lines = [
        f"__shared__ {of} tile[{TILE}][{TILE + 1}];",
        f"const u32 a0 = blockIdx.x % (u32){kernel.number(across)} * {TILE};",
        f"const u32 b0 = blockIdx.x / (u32){kernel.number(across)} % (u32){kernel.number(along)} * {TILE};",
        *way.positions(kernel, f"blockIdx.x / (u32){kernel.number(across * along)}"),
        *way.addresses(kernel),
        f"const u32 as = {kernel.number(y.shape[a])}, bs = {kernel.number(y.shape[b])};",
        f"for (u32 r = threadIdx.y; r < {TILE}; r += {ROWS})",
        f"    if (a0 + r < as && b0 + threadIdx.x < bs) tile[r][threadIdx.x] = {_at(of, 'at1', 'a0', kernel.number(x.strides[a]), 'b0')};",
        "__syncthreads();",
        f"for (u32 r = threadIdx.y; r < {TILE}; r += {ROWS})",
        f"    if (b0 + r < bs && a0 + threadIdx.x < as) {_at(of, 'at0', 'b0', kernel.number(y.strides[b]), 'a0')} = tile[threadIdx.x][r];",
    ]
    return kernel.launch((across * along * way.packs, 1, 1), (TILE, ROWS, 1), [x], [y])


def _at(of: str, place: str, row: str, step: str, column: str) -> str:
    return f"(({of}*)({place} + (i64)({row} + r) * {step}))[{column} + threadIdx.x]"


def _dense(array: Array) -> int | None:
    """The axis along which neighbours lie side by side."""
    return next((axis for axis in range(array.ndim) if array.shape[axis] > 1 and array.strides[axis] == array.itemsize), None)


def _without(array: Array, *axes: int) -> Array:
    return array[tuple(slice(1) if axis in axes else slice(None) for axis in range(array.ndim))]

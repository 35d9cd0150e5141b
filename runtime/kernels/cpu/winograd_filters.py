"""Filters packed for Winograd's products, U = G w G': once for each value that they take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from runtime.arrays import Array, aligned
from runtime.kernels.cpu.code import LANES, Code, Number
from runtime.kernels.cpu.driver import Step
from runtime.kernels.cpu.machine import machine
from runtime.kernels.cpu.winograd_tiles import POINTS, REACH
from runtime.kernels.cpu.winograd_transforms import weights

BLOCK = machine().block
"""Filters of a panel: as many as a register block has columns."""


def packed(k: int, c: int) -> Array:
    """Room for U[point, panel, c]: of each of c channels a block of filters, the last of them zeros beyond k."""
    panels = -(-k // BLOCK)
    return aligned(POINTS * panels * c * BLOCK * 4).view(np.float32).reshape(POINTS, panels, c, BLOCK)


def pack(u: Array, w: Array) -> Step:
    args = (u.ctypes.data, u.strides[0], u.shape[2], w.ctypes.data, *w.strides[:3:2], len(w))
    lines = -(-u.shape[2] // LANES)
    return Step((_pack,), args, u.shape[1] * lines, 64, 9 * LANES * LANES * 4, (u,))


def pack_turned(u: Array, w: Array) -> Step:
    """The filters' channels take the place of the filters, and the last tap that of the first."""
    args = (u.ctypes.data, u.strides[0], u.shape[2], w.ctypes.data, *w.strides[:3:2], w.shape[-1])
    return Step((_pack_turned,), args, u.shape[1] * u.shape[2], 64, 0, (u,))


def _pack(code: Code) -> None:
    """An item is a panel and LANES channels. Filters lie apart in w: they are transposed to vectors before the transform, which
    makes four times as many of them."""
    u, plane, channels, w, apart, tap, filters = map(code.arg, range(7))
    lines = code.div(code.add(channels, LANES - 1), LANES)
    with code.loop(code.lo, code.hi) as item:
        panel, first = code.div(item, lines), code.mul(code.rem(item, lines), LANES)
        left = code.sub(channels, first)
        with code.loop(0, BLOCK, LANES) as j:
            k = code.add(code.mul(panel, BLOCK), j)
            with code.loop(0, 9) as t:
                source = code.total(w, code.mul(k, apart), code.mul(t, tap), code.mul(first, 4))
                rows = []
                for row in range(LANES):
                    count = code.b.select(code.compare("<", code.add(k, row), filters), left, code.whole(0))
                    rows.append(code.load_masked(code.add(source, code.mul(apart, row)), code.mask(count, LANES)))
                for column, vector in enumerate(transposed(code, rows)):
                    code.store(vector, code.at(code.scratch, code.add(code.mul(t, LANES * LANES), column * LANES)))
            with code.loop(0, code.min(left, LANES)) as c:
                taps = [code.load(code.at(code.scratch, code.add(code.mul(c, LANES), t * LANES * LANES)), lanes=LANES) for t in range(9)]
                line = code.total(code.mul(panel, channels), first, c)
                _store_points(code, taps, code.at(u, code.add(code.mul(line, BLOCK), j)), plane)


def _pack_turned(code: Code) -> None:
    """An item is a panel and a filter: its channels are side by side already."""
    u, plane, filters, w, apart, tap, channels = map(code.arg, range(7))
    with code.loop(code.lo, code.hi) as item:
        panel, k = code.div(item, filters), code.rem(item, filters)
        with code.loop(0, BLOCK, LANES) as j:
            c = code.add(code.mul(panel, BLOCK), j)
            mask = code.mask(code.sub(channels, c), LANES)
            source = code.total(w, code.mul(k, apart), code.mul(c, 4))
            taps = [code.load_masked(code.add(source, code.mul(tap, t)), mask) for t in reversed(range(9))]
            _store_points(code, taps, code.at(u, code.add(code.mul(item, BLOCK), j)), plane)


def _store_points(code: Code, taps: Sequence[Any], address: Number, plane: Number) -> None:
    """G w G' of nine vectors, one to each plane."""
    columns = [weights(code, taps[j::3]) for j in range(3)]
    for i in range(REACH):
        for j, vector in enumerate(weights(code, [column[i] for column in columns])):
            code.store(vector, code.add(address, code.mul(plane, i * REACH + j)))


def transposed(code: Code, rows: Sequence[Any]) -> list[Any]:
    """As many vectors as they have lanes: halves are shuffled into each other until rows are columns."""
    half, rows = len(rows) // 2, list(rows)
    for _ in range(half.bit_length()):
        rows = [code.interleaved(rows[i], rows[i + half], upper) for i in range(half) for upper in (False, True)]
    return rows

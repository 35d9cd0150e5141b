"""Weights of convolutions by channel, as kernels read them: in tiles of some vectors of channels, tap by tap."""

from __future__ import annotations

from math import prod

import numpy as np

from runtime.arrays import Array
from runtime.kernels.cpu.code import LANES, Code
from runtime.kernels.cpu.driver import Step

TILE = 8
"""Vectors of channels that a row is done with at a time: their weights and sums stay next to the core."""


class Tiles:
    """Room for weights, or for several of their kind: [slices, tiles, taps, cells]. With a multiplier of m, vectors hold whole groups
    of m cells."""

    def __init__(self, w: Array, m: int, slices: int = 1, lanes: int = LANES) -> None:
        self.lanes = m * max(1, lanes // m)
        self.array = np.empty((slices, -(-len(w) // (TILE * self.lanes)), prod(w.shape[1:]), TILE * self.lanes), np.float32)

    def packing(self, w: Array) -> Step:
        _, tiles, taps, tile = self.array.shape
        args = [self.array.ctypes.data, w.ctypes.data, w.strides[0], w.strides[-2], len(w), taps, tile]
        return Step((_packed,), args, tiles * taps, 1, 0, (self.array,))

    def total(self, w: Array) -> Step:
        """Sums of the slices become w."""
        slices, tiles, taps, tile = self.array.shape
        args = [w.ctypes.data, w.strides[0], w.strides[-2], self.array.ctypes.data, len(w), taps, tiles * taps * tile, slices]
        return Step((_total, self.lanes), args, -(-len(w) // self.lanes), 1, taps * self.lanes * w.itemsize, (self.array,))


def _packed(code: Code) -> None:
    packed, w, apart, step, k, taps, tile = (code.arg(i) for i in range(7))
    with code.loop(code.lo, code.hi) as line:
        first, tap = code.mul(code.div(line, taps), tile), code.rem(line, taps)
        with code.loop(0, code.min(code.sub(k, first), tile)) as cell:
            weight = code.load(code.total(w, code.mul(code.add(first, cell), apart), code.mul(tap, step)))
            code.store(weight, code.at(packed, code.add(code.mul(line, tile), cell)))


def _total(code: Code, lanes: int) -> None:
    """Vectors of channels, summed over the slices and laid out channel by channel again."""
    w, apart, step, sums, k, taps, size, slices = (code.arg(i) for i in range(8))
    with code.loop(code.lo, code.hi) as number:
        tile, within = code.div(number, TILE), code.rem(number, TILE)
        with code.loop(0, taps) as tap:
            at = code.total(code.mul(code.add(code.mul(tile, taps), tap), TILE * lanes), code.mul(within, lanes))
            with code.reduce(0, slices, 1, [code.real(0.0, lanes)]) as carried:
                value = code.load(code.at(sums, code.add(at, code.mul(carried.i, size))), lanes=lanes)
                carried.next = [code.fadd(carried.values[0], value)]
            code.store(carried.result[0], code.at(code.scratch, code.mul(tap, lanes)))
        first = code.mul(number, lanes)
        with code.loop(0, code.min(code.sub(k, first), lanes)) as lane, code.loop(0, taps) as tap:
            value = code.load(code.at(code.scratch, code.add(code.mul(tap, lanes), lane)))
            code.store(value, code.total(w, code.mul(code.add(first, lane), apart), code.mul(tap, step)))

"""Cells in their order, and the rows of an operand that the taps of a window meet from each of them. Where there is none, zeros."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from llvmlite import ir

from runtime.arrays import Array
from runtime.kernels.cpu.code import Code, Number


class Tap(NamedTuple):
    """Where a tap reads, from the cell where the window would begin without padding, and which tap of the weights it is."""

    delta: tuple[int, ...]
    weight: int


class Sides(NamedTuple):
    """The cells that are computed: how many along each side, and the bytes from one to the next in x, which moves by `stride` cells."""

    cells: tuple[int, ...]
    stride: tuple[int, ...]
    size: tuple[int, ...]
    """Cells of x; what lies outside is 0."""
    x: tuple[int, ...]

    def table(self, taps: Sequence[Tap], size: int) -> Array:
        """For each tap the cells that it is away along each side, the bytes that this is, and those to its weights."""
        away = [sum(delta * step for delta, step in zip(tap.delta, self.x, strict=True)) for tap in taps]
        rows = [[*tap.delta, bytes_, tap.weight * size] for tap, bytes_ in zip(taps, away, strict=True)]
        return np.array(rows or [[0]], np.int64)

    def even(self, next_picture: int) -> int:
        """Bytes from one cell's window in x to the next one's, if they are the same for all, also from picture to picture; else 0."""
        steps = [stride * x for stride, x in zip(self.stride, self.x, strict=True)]
        whole = [cells * step for cells, step in zip(self.cells, steps, strict=True)]
        return steps[-1] if [next_picture, *steps[:-1]] == whole else 0

    def numbers(self) -> list[int]:
        """As a Walk reads them."""
        return [n for side in zip(*self, strict=True) for n in side]


class Walk:
    """A walk over cells in a kernel whose table has, from `first` on, the numbers of Sides; `taps` is the address of theirs."""

    def __init__(self, code: Code, first: int, sides: int, taps: ir.Value) -> None:
        self.code, self.sides, self.taps = code, range(sides), taps
        fields = [[code.arg(first + side * len(Sides._fields) + field) for side in self.sides] for field in range(len(Sides._fields))]
        self.cells, self.stride, self.size, self.x = fields

    def place(self, index: Number) -> list[ir.Value]:
        """The picture and the cell of a number."""
        rest, found = index, list[ir.Value]()
        for cells in reversed(self.cells):
            found.insert(0, self.code.rem(rest, cells))
            rest = self.code.div(rest, cells)
        return [rest, *found]

    def next(self, place: Sequence[ir.Value]) -> list[ir.Value]:
        """The cell behind it: the last side first, carrying into the one before."""
        code, carry = self.code, self.code.whole(1)
        found: list[ir.Value] = []
        for side in reversed(self.sides):
            moved = code.add(place[1 + side], carry)
            over = code.compare("==", moved, self.cells[side])
            found.insert(0, code.b.select(over, code.whole(0), moved))
            carry = code.b.zext(over, moved.type)
        return [code.add(place[0], carry), *found]

    def starts(self, place: Sequence[ir.Value]) -> list[Number]:
        """The cell of x where the window would begin without padding."""
        return [self.code.mul(n, stride) for n, stride in zip(place[1:], self.stride, strict=True)]

    def origin(self, base: Number, step: Number, place: Sequence[ir.Value]) -> Number:
        """Its address."""
        moved = [self.code.mul(n, size) for n, size in zip(self.starts(place), self.x, strict=True)]
        return self.code.total(base, self.code.mul(place[0], step), *moved)

    def row(self, tap: Number, starts: Sequence[Number], origin: Number, otherwise: Number, there: ir.Value | None = None) -> ir.Value:
        """The address of what a tap reads, if it is inside, and `there`."""
        code = self.code
        entry = self.entry(tap, 0)
        truths = [] if there is None else [there]
        for side, start in zip(self.sides, starts, strict=True):
            position = code.whole(code.add(start, code.load(code.at(entry, side, "i64"), "i64")))
            truths.append(code.b.icmp_unsigned("<", position, self.size[side]))
        moved = code.add(origin, code.load(code.at(entry, len(self.sides), "i64"), "i64"))
        return code.b.select(code.both(*truths), moved, code.whole(otherwise))

    def weights(self, tap: Number) -> ir.Value:
        """The bytes to the weights of a tap."""
        return self.code.load(self.entry(tap, len(self.sides) + 1), "i64")

    def entry(self, tap: Number, field: int) -> Number:
        return self.code.at(self.taps, self.code.add(self.code.mul(tap, len(self.sides) + 2), field), "i64")

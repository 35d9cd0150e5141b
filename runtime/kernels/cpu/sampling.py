"""Affine sampling: places are worked out in double precision, as everywhere, so that all pick the same cells."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from math import prod
from typing import NamedTuple, TypeAlias

import numpy as np
from llvmlite import ir

from runtime.arrays import Array, dtype_of, name_of
from runtime.kernels.behind import Behind
from runtime.kernels.cpu.code import F32, F64, I8, I64, LANES, Code, Number
from runtime.kernels.cpu.driver import Step
from runtime.kernels.cpu.ending import Ending, Rows
from runtime.kernels.cpu.expression import converted
from runtime.kernels.cpu.finish import Finish
from runtime.kernels.cpu.form import constant
from runtime.kernels.cpu.strips import strips
from runtime.kernels.layout import address, pieces

HEAD, SIDE = 8, 4
"""Arguments in front of those of the sides, and numbers of each side."""
COST = 8
"""Bytes that could be moved while a cell's number is worked out."""


def resample(
    y: Array, x: Array, affine: Array, *, size: Sequence[int], filter: str, border: str, behind: Behind | None = None
) -> Iterator[Step]:
    units = prod(y.shape[:-2])
    kernel, chunks = (_sampled, len(size), filter, border, name_of(x)), pieces(COST * y.nbytes, units)
    if not behind:
        yield Step((*kernel, name_of(y), LANES), _numbers(y, x, affine), units, chunks)
        return
    ending, row = Ending(behind), _row(y.shape, "u8" if name_of(x) == "u8" and filter == "nearest" else "f32")
    args = [*_numbers(row, x, affine), *ending.numbers]
    yield Step((*kernel, name_of(row), LANES, ending.structure), args, units, chunks, ending.scratch, (ending.keep,))


def _row(shape: Sequence[int], dtype: str) -> Array:
    """Rows that all lie at one place, pixel by pixel."""
    return np.broadcast_to(np.empty(shape[-2:], dtype_of(dtype)), shape)


def resample_dx(dx: Array, dy: Array, affine: Array, *, size: Sequence[int], filter: str, border: str) -> Iterator[Step]:
    """A picture at a time: what is read by several is added in order."""
    yield from constant(dx, shape=dx.shape, dtype="f32")
    args = _numbers(dy, dx, affine)
    yield Step((_sampled, len(size), filter, border, "f32", "", LANES), args, len(dx), pieces(COST * dy.nbytes, len(dx)))


def _numbers(y: Array, x: Array, affine: Array) -> list[int]:
    step = affine.strides[0] if len(affine) > 1 else 0
    sides = zip(y.shape[1:-1], y.strides[1:-1], x.shape[1:-1], x.strides[1:-1], strict=True)
    head = [address(y), address(x), y.strides[0], x.strides[0], address(affine), step, affine.strides[1], y.shape[-1]]
    return [*head, *(number for side in sides for number in side)]


class Side(NamedTuple):
    """Cells of the result and of what is read, and bytes from one to the next."""

    size: Number
    stride: Number
    cells: Number
    step: Number


Near: TypeAlias = "list[tuple[Number, ir.Value]]"
"""Bytes to each of the cells near a place along a side, and its share."""
Pixel: TypeAlias = "Callable[[Sequence[Near], Number], None]"


def _sampled(code: Code, sides: int, filter: str, border: str, read: str, made: str, lanes: int, finish: Finish | None = None) -> None:
    """Forward a unit is a row, of the dtype that is made; back, where none is, it is a whole picture. A row with a map behind it
    is made in scratch."""
    y, x, y_picture, x_picture, affine, step, pitch, cells = (code.arg(i) for i in range(HEAD))
    all_ = [Side(*(code.arg(HEAD + SIDE * i + j) for j in range(SIDE))) for i in range(sides)]
    outer = all_[:-1] if made else []
    rows = Rows(code, finish, HEAD + SIDE * sides, 1 + sides, lanes) if finish else None
    with code.loop(code.lo, code.hi) as unit:
        at: list[Number] = []
        for side in reversed(outer):
            at, unit = [code.rem(unit, side.size), *at], code.div(unit, side.size)
        way = _Way(code, _matrix(code, code.add(affine, code.mul(unit, step)), pitch, sides), all_, filter, border)
        to = code.scratch if rows else code.add(y, code.mul(unit, y_picture))
        source, places = code.add(x, code.mul(unit, x_picture)), way.begin()
        for axis, i in enumerate(at):
            places, to = way.moved(places, axis, i), code.add(to, code.mul(i, all_[axis].stride))

        def pixel(met: Sequence[Near], to: Number) -> None:
            reads = [(code.total(source, *(offset for offset, _ in corner)), _weight(code, corner)) for corner in product(*met)]
            if not made:
                _added(code, to, reads, cells, lanes)
            elif made == "u8":
                _picked(code, to, *reads[0], cells, lanes)
            else:
                _summed(code, to, reads, cells, lanes, read)

        way.each(places, len(at), to, pixel)
        if rows:
            rows.write([unit, *at], made)


class _Way(NamedTuple):
    """From cells of the result to places of the input: a picture's map."""

    code: Code
    map: Sequence[Sequence[ir.Value]]
    sides: Sequence[Side]
    filter: str
    border: str

    def begin(self) -> list[ir.Value]:
        """Where the middle of the result lies."""
        return [self.code.b.fadd(row[-1], _middle(self.code, side.cells)) for row, side in zip(self.map, self.sides, strict=True)]

    def moved(self, places: Sequence[ir.Value], axis: int, i: Number) -> list[ir.Value]:
        """Where cell i of a side adds to the place on each side of the input."""
        b = self.code.b
        cell = b.fsub(b.sitofp(i, F64), _middle(self.code, self.sides[axis].size))
        return [b.fadd(place, b.fmul(row[axis], cell)) for place, row in zip(places, self.map, strict=True)]

    def each(self, places: Sequence[ir.Value], axis: int, to: Number, pixel: Pixel) -> None:
        """All pixels along this side and the others behind it."""
        if axis == len(self.sides) - 1:
            self._row(places, to, pixel)
            return
        with self.code.loop(0, self.sides[axis].size) as i:
            self.each(self.moved(places, axis, i), axis + 1, self.code.add(to, self.code.mul(i, self.sides[axis].stride)), pixel)

    def _row(self, places: Sequence[ir.Value], to: Number, pixel: Pixel) -> None:
        """In a picture that is not turned a row reads along one of the input: what is near on other sides is found once."""
        code, last = self.code, len(self.sides) - 1
        if not last:
            self._along(places, to, [], pixel)
            return
        straight = code.both(*(code.b.fcmp_ordered("==", row[last], F64(0)) for row in self.map[:last]))
        with code.b.if_else(straight) as (one, several):
            with one:
                self._along(places, to, [self._near(place, side) for place, side in zip(places[:last], self.sides, strict=False)], pixel)
            with several:
                self._along(places, to, [], pixel)

    def _along(self, places: Sequence[ir.Value], to: Number, known: Sequence[Near], pixel: Pixel) -> None:
        last, first = len(self.sides) - 1, len(known)
        with self.code.loop(0, self.sides[last].size) as i:
            inner = self.moved(places, last, i)
            others = [self._near(place, side) for place, side in zip(inner[first:], self.sides[first:], strict=True)]
            pixel([*known, *others], self.code.add(to, self.code.mul(i, self.sides[last].stride)))

    def _near(self, place: ir.Value, side: Side) -> Near:
        code = self.code
        if self.filter == "nearest":
            near = [(_floor(code, code.b.fadd(place, F64(0.5))), F64(1))]
        else:
            low = _floor(code, place)
            share = code.b.fsub(place, low)
            near = [(low, code.b.fsub(F64(1), share)), (code.b.fadd(low, F64(1)), share)]
        return [_inside(code, cell, share, side, self.border) for cell, share in near]


def _matrix(code: Code, at: Number, pitch: Number, sides: int) -> list[list[ir.Value]]:
    rows = [[code.load(code.at(code.add(at, code.mul(pitch, row)), column)) for column in range(sides + 1)] for row in range(sides)]
    return [[code.b.fpext(number, F64) for number in row] for row in rows]


def _middle(code: Code, cells: Number) -> ir.Value:
    return code.b.fmul(code.b.sitofp(code.sub(cells, 1), F64), F64(0.5))


def _floor(code: Code, value: ir.Value) -> ir.Value:
    return code.intrinsic("floor", value, fast=())


def _inside(code: Code, place: ir.Value, share: ir.Value, side: Side, border: str) -> tuple[Number, ir.Value]:
    """The cell itself, its mirror image or the outermost; one outside a border of zeros has no share."""
    cell = code.call("llvm.fptosi.sat.i64.f64", I64, [place])
    if border == "zero":
        there = code.both(code.compare(">=", cell, 0), code.compare("<", cell, side.cells))
        share = code.b.fmul(share, code.b.uitofp(there, F64))
    if border == "mirror":
        twice = code.mul(side.cells, 2)
        turn = code.b.srem(cell, twice)
        turn = code.b.select(code.compare("<", turn, 0), code.add(turn, twice), turn)
        cell = code.min(turn, code.sub(code.sub(twice, 1), turn))
    return code.mul(code.max(0, code.min(cell, code.sub(side.cells, 1))), side.step), share


def _weight(code: Code, corner: Sequence[tuple[Number, ir.Value]]) -> ir.Value:
    weight = corner[0][1]
    for _, share in corner[1:]:
        weight = code.b.fmul(weight, share)
    return code.b.fptrunc(weight, F32)


def _summed(code: Code, to: Number, reads: Sequence[tuple[Number, ir.Value]], cells: Number, lanes: int, dtype: str) -> None:
    for cell, vectors, strip in strips(code, cells, lanes, 2):
        for vector in range(vectors):
            at = code.add(cell, vector * strip.lanes)
            total = code.real(0.0, strip.lanes)
            for source, weight in reads:
                value, _ = converted(code, (strip.load(code, code.at(source, at, dtype), dtype), dtype), "f32")
                total = code.fma(value, code.splat(weight, strip.lanes), total)
            strip.store(code, total, code.at(to, at))


def _picked(code: Code, to: Number, source: Number, weight: ir.Value, cells: Number, lanes: int) -> None:
    """Bytes as they are, or 0 where there is nothing."""
    there = code.b.sext(code.b.fcmp_ordered("!=", weight, code.real(0.0)), I8)
    for cell, vectors, strip in strips(code, cells, lanes, 2):
        for vector in range(vectors):
            at = code.add(cell, vector * strip.lanes)
            value = strip.load(code, code.add(source, at), "u8")
            strip.store(code, code.b.and_(value, code.splat(there, strip.lanes)), code.add(to, at))


def _added(code: Code, to: Number, reads: Sequence[tuple[Number, ir.Value]], cells: Number, lanes: int) -> None:
    """One neighbour after the other: two of them may be one cell."""
    for cell, vectors, strip in strips(code, cells, lanes, 2):
        for vector in range(vectors):
            at = code.add(cell, vector * strip.lanes)
            value = strip.load(code, code.at(to, at))
            for source, weight in reads:
                old = strip.load(code, code.at(source, at))
                strip.store(code, code.fma(value, code.splat(weight, strip.lanes), old), code.at(source, at))

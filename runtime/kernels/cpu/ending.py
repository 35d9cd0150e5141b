"""A map behind rows of pixels that were made in scratch: computed along a whole row, for the channels of a pixel fill no vector.

Where pixels lie apart in what is written, each is a run of its own; else the row is one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from netcompiler.plan import SIZES
from netcompiler.scalar import index, operand
from runtime.arrays import Array
from runtime.kernels.behind import Behind
from runtime.kernels.cpu.code import Code, Number
from runtime.kernels.cpu.expression import converted
from runtime.kernels.cpu.finish import Finish, Finishing, Writer
from runtime.kernels.cpu.reads import CHANNEL
from runtime.kernels.cpu.strips import strips
from runtime.kernels.expressions import indexes, with_leaves
from runtime.kernels.layout import address

ROOM = 64
"""Bytes of which the row and each table in scratch have a multiple."""
VECTORS = 2
"""At a time."""


class Ending:
    """What a kernel of rows needs for the map behind it: the structure, numbers of its table, and bytes of scratch."""

    def __init__(self, behind: Behind) -> None:
        self.keep = _placed(behind)
        finishing = Finishing(self.keep)
        self.structure = finishing.structure
        *_, width, channels = shape = behind.results[0].shape
        along = [array for i, array in enumerate(finishing.cells) if self.structure.is_cell(i)]
        is_one = all(array.strides[-2] == channels * array.itemsize for array in along)
        runs, cells = (1, width * channels) if is_one else (width, channels)
        room = -(-SIZES["f32"] * width * channels // ROOM) * ROOM
        self.scratch = room * (1 + sum(kind == CHANNEL for kind, _ in self.structure.operands))
        steps = [number for array in finishing.cells for number in (address(array), *array.strides[: len(shape) - 1])]
        self.numbers = [runs, cells, channels, room, *steps, *finishing.numbers]


def _placed(behind: Behind) -> Behind:
    """With numbers in memory for the positions that the map asks for: along the row they lie as its cells do."""
    shape, first = behind.results[0].shape, len(behind.operands)
    axes = sorted(indexes(behind.exprs))
    exprs = with_leaves(behind.exprs, {index(axis): operand(first + i) for i, axis in enumerate(axes)})
    return Behind(exprs, behind.results, [*behind.operands, *(_positions(shape, axis) for axis in axes)])


def _positions(shape: Sequence[int], axis: int) -> Array:
    along = np.arange(shape[axis], dtype=np.float32).reshape([-1 if i == axis else 1 for i in range(len(shape))])
    if axis < len(shape) - 2:
        return along
    row = np.ascontiguousarray(np.broadcast_to(along, (*(1 for _ in shape[:-2]), *shape[-2:])))
    return np.broadcast_to(row, shape)


class Rows:
    """In a kernel whose table has, from `first` on, the numbers of an Ending; the row lies where scratch begins. There are so many
    `axes` in front of the channels."""

    def __init__(self, code: Code, finish: Finish, first: int, axes: int, lanes: int) -> None:
        self.code, self.finish, self.lanes = code, finish, lanes
        self.runs, self.cells, channels, self.room = (code.arg(first + i) for i in range(4))
        self.first, self.axes = first + 4, axes
        self.writer = Writer(code, finish, self.first + (1 + axes) * len(finish.cells), lanes)
        others = [(i, dtype) for i, (kind, dtype) in enumerate(finish.operands) if kind == CHANNEL]
        for number, (i, dtype) in enumerate(others, 1):
            self.writer.reads.others[i] = self._repeated(self.writer.reads.others[i], dtype, channels, code.mul(self.room, number))

    def _repeated(self, channel: Number, dtype: str, channels: Number, offset: Number) -> Number:
        """The numbers of the channels, pixel by pixel as the row has them."""
        code, table = self.code, self.code.add(self.code.scratch, offset)
        with code.loop(0, code.mul(self.runs, self.cells), channels) as begin, code.loop(0, channels) as c:
            code.store(code.load(code.at(channel, c, dtype), dtype), code.at(table, code.add(begin, c), dtype))
        return table

    def write(self, at: Sequence[Number], dtype: str) -> None:
        """The row of this dtype, at these positions along all axes in front of the row."""
        code, lanes = self.code, self.lanes
        lines = [self._line(i, at) for i in range(len(self.finish.cells))]
        with code.loop(0, self.runs) as run:
            begin = code.mul(run, self.cells)
            own = [code.add(line, code.mul(run, self._step(i, self.axes))) for i, line in enumerate(lines)]
            for cell, vectors, strip in strips(code, self.cells, lanes, VECTORS, together=True):
                for vector in range(vectors):
                    place = code.add(cell, vector * lanes)
                    channel = code.add(begin, place)
                    row = strip.load(code, code.at(code.scratch, channel, dtype), dtype)
                    made, _ = converted(code, (row, dtype), "f32")
                    addresses = [self._cell(i, base, place) for i, base in enumerate(own)]
                    self.writer.write(made, addresses, channel, strip.mask)

    def _line(self, i: int, at: Sequence[Number]) -> Number:
        moves = [self.code.mul(position, self._step(i, axis)) for axis, position in enumerate(at, 1)]
        return self.code.total(self._step(i, 0), *moves)

    def _step(self, i: int, number: int) -> Number:
        """The address of what lies by cells or rows; behind it its steps from picture to picture, row to row and pixel to pixel."""
        return self.code.arg(self.first + (1 + self.axes) * i + number)

    def _cell(self, i: int, base: Number, place: Number) -> Number:
        return self.code.at(base, place, self.finish.cells[i]) if self.finish.is_cell(i) else base

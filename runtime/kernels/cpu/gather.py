"""What a kernel reads through a map: its result is nowhere, but computed out of the map's own operands where the kernel lays rows of
it into its scratch. The counterpart of finish.py."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import NamedTuple

from llvmlite import ir

from netcompiler.scalar import Expr, operand
from runtime.arrays import Array, name_of
from runtime.kernels.behind import Ahead
from runtime.kernels.cpu.code import LANES, Code, Number
from runtime.kernels.cpu.expression import Typed
from runtime.kernels.cpu.reads import CELL, Reads, kind, size, table
from runtime.kernels.expressions import canonical


class Gather(NamedTuple):
    """What the code depends on: the expression, which may ask for the picture's number, and what its operands are."""

    expr: Expr
    operands: tuple[tuple[str, str], ...]
    literals: int

    @property
    def others(self) -> int:
        """What lies cell by cell beside the first such operand."""
        return sum(kind == CELL for kind, _ in self.operands) - 1

    def numbers(self, sides: int) -> int:
        """How many numbers of the table it takes."""
        return self.others * (2 + sides) + size(self.operands, self.literals)


PLAIN = Gather(operand(0), ((CELL, "f32"),), 0)
"""An operand as it is."""


class Gathering:
    """An operand of a core, ready to be read: its structure, the arrays with cells, of which the kernel finds the first by itself, and
    numbers for the table."""

    def __init__(self, x: Array | Ahead) -> None:
        self.structure, self.table = PLAIN, list[int]()
        if not isinstance(x, Ahead):
            self.cells = [x]
            return
        exprs, order, literals = canonical([x.expr])
        arrays = [x.operands[i] for i in order]
        shape = max((array.shape for array in arrays), key=lambda shape: (prod(shape), len(shape)))
        kinds = tuple((kind(array, shape), name_of(array)) for array in arrays)
        self.structure = Gather(exprs[0], kinds, len(literals))
        self.cells = [array for array, (kind, _) in zip(arrays, kinds, strict=True) if kind == CELL]
        self.table = table(arrays, kinds, literals)

    @property
    def first(self) -> Array:
        return self.cells[0]

    def numbers(self, strides: Sequence[int]) -> list[int]:
        """Of each array beside the first: its address, the bytes from picture to picture and from cell to cell along each side, where
        a window moves by so many cells."""
        found: list[int] = []
        for x in self.cells[1:]:
            found += [x.ctypes.data, x.strides[0], *(n * stride for n, stride in zip(x.strides[1:-1], strides, strict=True))]
        return [*found, *self.table]


class Reader:
    """Reads an operand in a kernel whose table has, from `first` on, the numbers of a Gathering for so many sides."""

    def __init__(self, code: Code, gather: Gather, first: int, sides: int, lanes: int = LANES) -> None:
        self.code, self.gather, self.first, self.sides, self.lanes = code, gather, first, sides, lanes
        self.reads = Reads(code, gather.operands, gather.literals, first + gather.others * (2 + sides), lanes)

    def cells(self, origin: Number, place: Sequence[Number]) -> list[Number]:
        """The addresses of a cell in all that lies by cells: of the first it is `origin`; the place is a picture, and so on."""
        return [origin, *(self._cell(self.first + i * (2 + self.sides), place) for i in range(self.gather.others))]

    def _cell(self, first: int, place: Sequence[Number]) -> Number:
        code = self.code
        return code.total(code.arg(first), *(code.mul(n, code.arg(first + step)) for step, n in enumerate(place, 1)))

    def value(self, cells: Sequence[Number], channel: Number, picture: Number, mask: ir.Value | None = None) -> ir.Value:
        """A vector of channels from `channel` on; `cells` are the addresses of the first of them."""
        code, read = self.code, iter(cells)
        operands = [self.reads.operand(i, lambda: next(read), channel, mask) for i in range(len(self.gather.operands))]

        def position(e: Expr) -> Typed:
            return code.splat(code.b.sitofp(code.whole(picture), code.real(0.0).type), self.lanes), "f32"

        return self.reads.computation(operands, position).number(self.gather.expr)

"""What a map in a kernel reads from the kernel's table: numbers that are the same everywhere, vectors of channels, literals."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from llvmlite import ir

from netcompiler.scalar import Expr
from runtime.arrays import Array
from runtime.kernels.cpu.code import LANES, Code, Number
from runtime.kernels.cpu.expression import Computation, Typed, register

SUM, CELL, CHANNEL, ONE, ROW = "sum", "cell", "channel", "one", "row"
"""An operand is the core's sum, lies as the result does, is a number for each channel, a single one, or one for each row or picture,
which a product cannot have."""
TABLE = (CHANNEL, ONE)
"""Found by an address in the table."""

Kinds = Sequence[tuple[str, str]]
"""Of each operand what it is, and its dtype."""


def kind(x: Array | None, shape: Sequence[int]) -> str:
    if x is None:
        return SUM
    if x.size == 1:
        return ONE
    return CELL if x.shape == tuple(shape) else CHANNEL if x.size == x.shape[-1] else ROW


def table(arrays: Sequence[Array | None], kinds: Kinds, literals: Sequence[float]) -> list[int]:
    """Numbers as Reads finds them."""
    others = [x.ctypes.data for x, (kind, _) in zip(arrays, kinds, strict=True) if kind in TABLE and x is not None]
    return [*others, *np.array(literals, np.float64).view(np.int64).tolist()]


def size(kinds: Kinds, literals: int) -> int:
    """How many numbers that are."""
    return sum(kind in TABLE for kind, _ in kinds) + literals


class Reads:
    """Operands and literals of a map in a kernel whose table has their numbers from `first` on."""

    def __init__(self, code: Code, kinds: Kinds, literals: int, first: int, lanes: int = LANES) -> None:
        self.code, self.kinds, self.lanes = code, kinds, lanes
        others = [i for i, (kind, _) in enumerate(kinds) if kind in TABLE]
        self.others = {i: code.arg(first + number) for number, i in enumerate(others)}
        self.literals = [self._literal(code.arg(first + len(others) + i)) for i in range(literals)]

    def _literal(self, bits: ir.Value) -> ir.Value:
        with self.code.at_entry():
            number = self.code.b.fptrunc(self.code.b.bitcast(bits, ir.DoubleType()), ir.FloatType())
            return self.code.splat(number, self.lanes)

    def operand(self, i: int, cell: Callable[[], Number], channel: Number, mask: ir.Value | None) -> Typed:
        """One that is read from memory; `cell` gives the address of what lies by cells or rows."""
        kind, dtype = self.kinds[i]
        if kind in (ONE, ROW):
            address = self.others[i] if kind == ONE else cell()
            return register(self.code, self.code.splat(self.code.load(address, dtype), self.lanes), dtype)
        address = cell() if kind == CELL else self.code.at(self.others[i], channel, dtype)
        value = self.code.load(address, dtype, self.lanes) if mask is None else self.code.load_masked(address, mask, dtype)
        return register(self.code, value, dtype)

    def computation(self, operands: Sequence[Typed], position: Callable[[Expr], Typed] | None = None) -> Computation:
        """Of these operands, the literals and, where the map asks for them, positions."""

        def leaf(e: Expr) -> Typed:
            if e.op == "index" and position:
                return position(e)
            return operands[e.leaf] if e.leaf < len(operands) else (self.literals[e.leaf - len(operands)], "f32")

        return Computation(self.code, leaf, self.lanes)

"""Cells side by side, in vectors: several at a time, one at a time, and what is left."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from llvmlite import ir

from runtime.kernels.cpu.code import I1, Code, Number

MASKED = 16
"""Lanes from which on a mask is cheaper than one cell after the other."""


class Strip(NamedTuple):
    """A vector of cells, of which those of the mask count; or one cell."""

    lanes: int
    mask: ir.Value | None = None

    def load(self, code: Code, address: Number, dtype: str = "f32") -> ir.Value:
        return code.load(address, dtype, self.lanes) if self.mask is None else code.load_masked(address, self.mask, dtype)

    def store(self, code: Code, value: ir.Value, address: Number) -> None:
        if self.mask is None:
            code.store(value, address)
        else:
            code.store_masked(value, address, self.mask)


def first(lanes: int, cells: int) -> Strip:
    """So many cells of a vector."""
    return Strip(lanes, None if cells == lanes else ir.Constant(ir.VectorType(I1, lanes), [1] * cells + [0] * (lanes - cells)))


def strips(code: Code, cells: Number, lanes: int, vectors: int, together: bool = False) -> Iterator[tuple[ir.Value, int, Strip]]:
    """Loops over all cells, to be filled one after the other: the first cell, how many vectors, what each is like.

    What is left is masked, or taken cell by cell where that is cheaper and cells need not stay together."""
    masked = lanes >= MASKED or together
    begin: Number = 0
    for block in sorted({vectors} - {1} if masked else {vectors, 1}, reverse=True):
        end = code.sub(cells, code.rem(code.sub(cells, begin), block * lanes))
        with code.loop(begin, end, block * lanes) as cell:
            yield cell, block, Strip(lanes)
        begin = end
    with code.loop(begin, cells, lanes if masked else 1) as cell:
        yield cell, 1, Strip(lanes, code.mask(code.sub(cells, cell), lanes)) if masked else Strip(1)

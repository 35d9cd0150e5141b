"""What products can reach: the register block again and again over numbers that stay in the first cache. Nothing is computed by it."""

from __future__ import annotations

from runtime.kernels.cpu.block import accumulate, zeros
from runtime.kernels.cpu.code import LANES, Code
from runtime.kernels.cpu.driver import Step
from runtime.kernels.cpu.machine import machine

ROWS, COLUMNS, BLOCK = machine().rows, machine().columns, machine().block
DEPTH = 128
"""Products of a sum: rows and a panel of so many fit into any first cache."""
CHUNKS = 64


def blocks(count: int) -> Step:
    """So many register blocks, on all threads."""
    return Step((_blocks,), (), count, CHUNKS, DEPTH * (ROWS + BLOCK) * 4)


def flops(count: int) -> int:
    """Of `blocks`."""
    return 2 * count * ROWS * BLOCK * DEPTH


def _blocks(code: Code) -> None:
    with code.loop(0, DEPTH * (ROWS + BLOCK), LANES) as i:
        code.store(code.real(1.0, LANES), code.at(code.scratch, i))
    rows = [code.at(code.scratch, r * DEPTH) for r in range(ROWS)]
    panel = code.at(code.scratch, ROWS * DEPTH)
    with code.loop(code.lo, code.hi):
        for i, value in enumerate(accumulate(code, zeros(code, ROWS, COLUMNS), rows, panel, DEPTH)):
            code.store(value, code.at(panel, i % (DEPTH * COLUMNS) * LANES))

"""How the threads of a GPU share a reduction: by shape alone, so that results are equal on every GPU."""

from __future__ import annotations

from typing import NamedTuple

from runtime.kernels.cuda.reducers import BLOCK

WARP = 32
THREADS = 1 << 17
"""As many as keep a large GPU's memory busy."""
TOGETHER = 8
"""Packs of results side by side in a block: 128 bytes, which memory moves at once."""


class Partition(NamedTuple):
    """Of a block `along` threads share a result, or a pack of results; `parts` blocks share it, each so many packs."""

    along: int
    parts: int
    length: int

    @property
    def across(self) -> int:
        return BLOCK // self.along

    def grid(self, units: int) -> tuple[int, int, int]:
        return (-(-units // self.across), self.parts, 1)


def columns(units: int, size: int, parts: int) -> Partition:
    """Threads side by side take neighbouring units, threads behind them other ones of the numbers that are reduced."""
    return _shared(BLOCK // min(TOGETHER, _power(units)), units, size, parts)


def lines(units: int, size: int, parts: int) -> Partition:
    """Threads side by side share a unit: at least a warp, where it is long enough."""
    partition = _shared(BLOCK, units, size, parts)
    return partition._replace(along=max(partition.along, min(WARP, _power(partition.length))))


def merging(units: int, parts: int) -> Partition:
    """Parts lie apart as rows do; a unit is one result."""
    return Partition(min(BLOCK // min(TOGETHER, _power(units)), _power(parts)), 1, parts)


def _shared(most: int, units: int, size: int, parts: int) -> Partition:
    length = max(1, -(-size // parts))
    parts = max(1, -(-size // length))
    wanted = _power(-(-THREADS // (units * parts)))
    return Partition(min(most, wanted, _power(length)), parts, length)


def _power(n: int) -> int:
    """The least power of two that is not below n."""
    return 1 << (n - 1).bit_length()

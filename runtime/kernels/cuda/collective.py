"""What ranks do together. A program on one GPU is one rank, so its own value is everybody's."""

from __future__ import annotations

from collections.abc import Iterator

from runtime.arrays import Array
from runtime.kernels.cuda.copies import copied
from runtime.kernels.cuda.steps import Step


def all_reduce(y: Array, x: Array, *, op: str, ranks: int) -> Iterator[Step]:
    yield from copied(y, x)

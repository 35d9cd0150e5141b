"""The map behind a product as a step of its own, once the product lies where the first of the map's results will."""

from __future__ import annotations

from collections.abc import Iterator

from runtime.kernels.behind import Behind
from runtime.kernels.cuda import pointwise
from runtime.kernels.cuda.steps import Step


def following(behind: Behind) -> Iterator[Step]:
    y = behind.results[0]
    operands = [y if array is None else array for array in behind.operands]
    yield from pointwise.map(*behind.results, *operands, exprs=behind.exprs, shape=y.shape, dtype="")

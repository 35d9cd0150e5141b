"""What ranks do together. The oracle is one rank, so its own value is everybody's."""

from __future__ import annotations

from runtime.kernels.numpy.frame import Array


def all_reduce(y: Array, x: Array, *, op: str, ranks: int) -> None:
    if ranks != 1:
        raise ValueError(f"the NumPy target runs on 1 rank, and this plan is for {ranks}")
    y[...] = x

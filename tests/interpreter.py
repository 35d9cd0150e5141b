"""Programs on the oracle without a plan around them: no memory, every value an array of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from netcompiler.plan import Instruction
from runtime.arrays import dtype_of
from runtime.kernels.numpy import KERNELS


def computed(instructions: Iterable[Instruction], numbers: Mapping[str, Any]) -> dict[str, Any]:
    """All values by name; `numbers` are those that the program does not make."""
    known = dict(numbers)
    for i in instructions:
        results = [np.empty(value.shape, dtype_of(value.dtype)) for value in i.results]
        KERNELS[i.op](*results, *(known[value.name] for value in i.operands), **i.attributes)
        known.update(zip((value.name for value in i.results), results, strict=True))
    return known

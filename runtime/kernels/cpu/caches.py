"""What no cache holds until it is read again: written past the caches, memory need not bring first what was there."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np

from runtime.arrays import Array

USUAL = 32 * 2**20
UNITS = {"K": 2**10, "M": 2**20}


def go_past(results: Sequence[Array], read: Sequence[Array]) -> bool:
    """Whether they do: they are large, and not where something is read that the caches have by then."""
    return all(x.nbytes >= large() for x in results) and not any(np.may_share_memory(x, y) for x in results for y in read)


@cache
def large() -> int:
    """A quarter of the largest cache: what is read and written meanwhile lies there, too."""
    sizes = Path("/sys/devices/system/cpu/cpu0/cache").glob("index*/size")
    return max(map(_bytes, sizes), default=USUAL) // 4


def _bytes(path: Path) -> int:
    text = path.read_text(encoding="ascii").strip()
    return int(text.rstrip("KM")) * UNITS.get(text[-1:], 1)

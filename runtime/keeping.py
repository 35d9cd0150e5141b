"""How often the full state is saved between the ends of epochs, and how many of them stay."""

from __future__ import annotations

import re
from typing import NamedTuple

SECONDS = {"s": 1, "sec": 1, "min": 60, "h": 3600}
WORDS = re.compile(r"([0-9]+) ?(steps?|s|sec|min|h)")


class Keeping(NamedTuple):
    """Of `steps` and `seconds` one is None."""

    steps: int | None = None
    seconds: float | None = 600
    keep: int = 2

    def due(self, step: int, seconds: float) -> bool:
        """`seconds` since it was saved last."""
        return step % self.steps == 0 if self.steps else seconds >= (self.seconds or 0)


def read_every(text: str) -> tuple[int | None, float | None]:
    """`500 steps` or `10 min`; raises ValueError."""
    found = WORDS.fullmatch(text.strip())
    if found is None or int(found[1]) < 1:
        raise ValueError(text)
    if found[2].startswith("step"):
        return int(found[1]), None
    return None, float(int(found[1]) * SECONDS[found[2]])

"""How training ends, and what is said about it afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from runtime.progress import Row

RUNNING, COMPLETE, STALLED, INTERRUPTED = "running", "complete", "early stop", "interrupted"
NOT_FINITE, LOST, UNWRITTEN = "not finite", "data lost", "disk"


class Ended(Exception):
    """Training cannot go on, or shall not: how it ended, and why."""

    def __init__(self, ended: str, why: str = "") -> None:
        super().__init__(ended, why)
        self.ended, self.why = ended, why


@dataclass(frozen=True)
class Outcome:
    """How training ended, and why. `best` is the row whose weights are kept as the best, `kept` the step of the last full state."""

    ended: str
    why: str
    rows: Sequence[Row]
    best: Row | None
    steps: int
    kept: int
    seconds: float
    signal: int = 0
    """The number of the signal that interrupted it."""

    def summary(self) -> dict[str, Any]:
        last = next((row for row in reversed(self.rows) if row.tested), None)
        return {
            "ended": self.ended,
            **({"why": self.why} if self.why else {}),
            "epochs": len(self.rows),
            "steps": self.steps,
            "seconds": round(self.seconds, 3),
            "best": {"epoch": self.best.moment.epoch, **self.best.tested} if self.best else None,
            "last": {"epoch": last.moment.epoch, **last.tested} if last else None,
        }


BEFORE = Outcome(RUNNING, "", (), None, 0, -1, 0.0)
"""What a run's summary says before the first step."""

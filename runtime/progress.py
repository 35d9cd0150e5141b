"""How far training is: plain data, which a file can hold and bring back exactly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from runtime.metrics import Figures, Means


@dataclass(frozen=True)
class Moment:
    """Where training stands after a step; `figures` are means over the epoch so far."""

    epoch: int
    epochs: int
    step: int
    steps: int
    rate: float
    figures: Figures
    speed: float
    left: float
    waiting: float = 0.0
    """The share of the time in which a batch was asked for, and not there yet."""


@dataclass(frozen=True)
class Row:
    """An epoch that is over; without a validation `tested` is empty."""

    moment: Moment
    tested: Figures
    best: bool

    def cells(self) -> dict[str, Any]:
        """For metrics.csv: what is the same whenever and wherever it is trained. The validation's figures are called val_…"""
        m = self.moment
        trained = {"epoch": m.epoch, "step": m.step, "rate": m.rate, **m.figures}
        return {**trained, **{f"val_{name}": value for name, value in self.tested.items()}}


@dataclass
class Progress:
    """Steps that are done, epochs that are over, the means over the epoch in hand, and the seconds that it took."""

    step: int = 0
    rows: list[Row] = field(default_factory=list)
    means: Means = field(default_factory=Means)
    rate: float = 0.0
    seconds: float = 0.0

    @property
    def closed(self) -> int:
        """The step after which the last validation, or the wish for none, was."""
        return self.rows[-1].moment.step if self.rows else 0

    @property
    def best(self) -> Row | None:
        return next((row for row in reversed(self.rows) if row.best), None)

    def history(self, name: str) -> list[float]:
        """A figure of each validation so far."""
        return [row.tested[name] for row in self.rows if row.tested]

    def as_json(self) -> dict[str, Any]:
        means = {"rows": self.means.rows, "sums": self.means.sums}
        return {"step": self.step, "rows": [asdict(row) for row in self.rows], "means": means, "rate": self.rate, "seconds": self.seconds}

    @classmethod
    def of_json(cls, found: Mapping[str, Any]) -> Progress:
        rows = [Row(Moment(**row["moment"]), row["tested"], row["best"]) for row in found["rows"]]
        return cls(found["step"], rows, Means(**found["means"]), found["rate"], found["seconds"])

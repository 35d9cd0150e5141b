"""Figures of many batches as one, and which way each is better."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from netcompiler.recipe.watch import RISING, Watching

if TYPE_CHECKING:
    from netcompiler.recipe import Recipe

Figures = dict[str, float]


class FigureError(Exception):
    """A figure to watch that the net does not have."""


class Means:
    """The mean over all rows of figures that are means over the rows of a batch; of roots, the root of the mean square."""

    def __init__(self, rows: int = 0, sums: Mapping[str, float] | None = None) -> None:
        self.rows = rows
        self.sums: Figures = dict(sums or {})

    def add(self, figures: Mapping[str, float], rows: int) -> None:
        self.rows += rows
        for name, value in figures.items():
            self.sums[name] = self.sums.get(name, 0.0) + rows * value ** _power(name)

    def figures(self) -> Figures:
        return {name: (total / self.rows) ** (1 / _power(name)) for name, total in self.sums.items()}


def _power(name: str) -> int:
    return 2 if base(name) == "rmse" else 1


def base(name: str) -> str:
    """A figure's name without the output that it belongs to."""
    return name.rpartition(".")[2]


def by_batches(name: str) -> bool:
    """Whether it is another figure over all pictures at once than the mean over their batches."""
    return base(name) == "mean_iou"


def find(name: str, known: Sequence[str]) -> str:
    """The full name of a figure: that of the only or the first output that has it."""
    for full in known:
        if name in (full, base(full)):
            return full
    raise FigureError(f"the net has no figure `{name}` to watch; it has {', '.join(known)}")


def goal(recipe: Recipe, known: Sequence[str]) -> str:
    """The figure that decides which weights are the best: what early_stop watches, else top1, else the loss.

    Of several outputs it is the loss, which is about all of them; their figures have the outputs' names in front."""
    if recipe.early_stop:
        return find(recipe.early_stop.watch, known)
    return "top1" if "top1" in known else "loss"


def watched(recipe: Recipe, known: Sequence[str]) -> str:
    """The figure that the schedule looks at."""
    return find(recipe.schedule.watch, known) if isinstance(recipe.schedule, Watching) else "loss"


def better(name: str, new: float, old: float) -> bool:
    return new > old if base(name) in RISING else new < old

"""Training: epochs of steps in shuffled order, a validation after each, the best and the last weights kept.

It knows sessions, recipes, batches and a run's folder; specs and screens are others' business.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from runtime import runs
from runtime.data.feeder import Feeder
from runtime.data.order import shuffled
from runtime.interruption import Interruption
from runtime.metrics import Figures, Means, better, find, goal, watched
from runtime.runs import Run
from runtime.session import Session

if TYPE_CHECKING:
    from netcompiler.recipe import Recipe

RUNNING, COMPLETE, STALLED, INTERRUPTED, NOT_FINITE = "running", "complete", "early stop", "interrupted", "not finite"


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


@dataclass(frozen=True)
class Row:
    """An epoch that is over; without a validation `tested` is empty."""

    moment: Moment
    tested: Figures
    best: bool

    def cells(self) -> dict[str, Any]:
        """For metrics.csv; the validation's figures are called val_…"""
        m = self.moment
        trained = {"epoch": m.epoch, "step": m.step, "rate": m.rate, **m.figures}
        return {**trained, **{f"val_{name}": value for name, value in self.tested.items()}, "pictures_per_second": round(m.speed, 1)}


class Display(Protocol):
    def step(self, moment: Moment) -> None: ...

    def epoch(self, row: Row) -> None: ...


@dataclass(frozen=True)
class Outcome:
    """How training ended. `best` is the row whose weights are kept as the best."""

    ended: str
    rows: Sequence[Row]
    best: Row | None
    steps: int
    seconds: float

    def summary(self) -> dict[str, Any]:
        last = next((row for row in reversed(self.rows) if row.tested), None)
        return {
            "ended": self.ended,
            "epochs": len(self.rows),
            "steps": self.steps,
            "seconds": round(self.seconds, 3),
            "best": {"epoch": self.best.moment.epoch, **self.best.tested} if self.best else None,
            "last": {"epoch": last.moment.epoch, **last.tested} if last else None,
        }


def evaluate(session: Session, feeder: Feeder) -> Figures:
    """The loss and the metrics over all rows."""
    means = Means()
    for places, (inputs, targets) in feeder.batches(session.plan.batch):
        means.add(session.evaluate(inputs, targets), len(places))
    return means.figures()


class Trainer:
    def __init__(self, session: Session, recipe: Recipe, train: Feeder, test: Feeder) -> None:
        self.session, self.recipe, self.train, self.test = session, recipe, train, test
        self.names = [name for name, value in session.plan.programs["evaluate"].outputs.items() if value.elements == 1]
        self.goal, self.watched = goal(recipe, self.names), watched(recipe, self.names)
        self.per_epoch = -(-len(train) // recipe.batch)
        self.total = recipe.steps or recipe.epochs * self.per_epoch
        self.epochs = -(-self.total // self.per_epoch)
        self.rows: list[Row] = []
        self.best: Row | None = None
        self.step = 0
        self.rate = 0.0

    def fit(self, run: Run, display: Display, about: Mapping[str, Any]) -> Outcome:
        """Trains until the recipe's end, or until something ends it before. `about` is what the summary says beside how it went."""
        self.run, self.display, self.about = run, display, about
        self.begin = time.perf_counter()
        self._write(RUNNING)
        with Interruption() as interruption, np.errstate(all="ignore"):  # what is not finite shows in the figures
            ended = self._epochs(interruption)
        self._save(runs.LAST)
        return self._write(ended)

    def _epochs(self, interruption: Interruption) -> str:
        for epoch in range(self.epochs):
            ended = self._epoch(epoch, interruption)
            if ended:
                return ended
            self._close(epoch)
            if self._stalled():
                return STALLED
            if interruption.asked and self.step < self.total:
                return INTERRUPTED
        return COMPLETE

    def _epoch(self, epoch: int, interruption: Interruption) -> str:
        """The steps of an epoch; why it ended before its time, or nothing."""
        means, begin = Means(), time.perf_counter()
        order = shuffled(len(self.train), self.recipe.seed, "order", epoch)
        for places, (inputs, targets) in self.train.batches(self.recipe.batch, order):
            self.rate = self.recipe.rate(self.step, self.per_epoch, self._history(self.watched))
            self.session.arrays["rate"][...] = self.rate
            figures = self.session.step(inputs, targets, places, epoch)
            if not all(map(math.isfinite, figures.values())):
                return NOT_FINITE
            self.step += 1
            means.add({name: figures[name] for name in self.names if name in figures}, len(places))
            self.moment = self._moment(epoch, means, begin)
            self.display.step(self.moment)
            if self.step == self.total:
                break
            if interruption.asked and self.step % self.per_epoch:
                return INTERRUPTED
        return ""

    def _moment(self, epoch: int, means: Means, begin: float) -> Moment:
        now = time.perf_counter()
        left = (now - self.begin) / self.step * (self.total - self.step)
        return Moment(epoch + 1, self.epochs, self.step, self.total, self.rate, means.figures(), means.rows / (now - begin), left)

    def _close(self, epoch: int) -> None:
        """The end of an epoch: the last weights are safe before the validation begins."""
        self._save(runs.LAST)
        every = self.recipe.validation.every if self.recipe.validation else 1
        due = (epoch + 1) % every == 0 or self.step == self.total
        tested = evaluate(self.session, self.test) if due else {}
        row = Row(self.moment, tested, best := self._is_best(tested))
        self.rows.append(row)
        if best:
            self.best = row
            self._save(runs.BEST)
        self.display.epoch(row)
        self.run.write_metrics([row.cells() for row in self.rows])
        self._write(RUNNING)

    def _is_best(self, tested: Figures) -> bool:
        if not math.isfinite(tested.get(self.goal, math.nan)):
            return False
        return self.best is None or better(self.goal, tested[self.goal], self.best.tested[self.goal])

    def _history(self, name: str) -> list[float]:
        return [row.tested[name] for row in self.rows if row.tested]

    def _stalled(self) -> bool:
        stop = self.recipe.early_stop
        return stop is not None and stop.stops(self._history(find(stop.watch, self.names)))

    def _save(self, name: str) -> None:
        self.run.save(name, self.session.parameters(average=True), self.train.scales)

    def _write(self, ended: str) -> Outcome:
        outcome = Outcome(ended, self.rows, self.best, self.step, time.perf_counter() - self.begin)
        self.run.write_summary({**self.about, "goal": self.goal, **outcome.summary()})
        return outcome

"""Training: epochs of steps in shuffled order, a validation after each, the best and the last weights kept.

It knows sessions, recipes, batches and a run's folder; specs and screens are others' business. What is saved is enough to go on
as if nothing had been: the same steps on the same pictures.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from runtime import runs
from runtime.atomic import Unwritten
from runtime.data.faults import DataError
from runtime.data.feeder import Batch, Feeder
from runtime.data.fit import Array
from runtime.data.order import shuffled
from runtime.diagnosis import first_not_finite
from runtime.ending import COMPLETE, INTERRUPTED, LOST, NOT_FINITE, RUNNING, STALLED, UNWRITTEN, Ended, Outcome
from runtime.evaluation import evaluate
from runtime.interruption import Interruption
from runtime.keeping import Keeping
from runtime.metrics import Figures, Means, better, find, goal, watched
from runtime.progress import Moment, Progress, Row
from runtime.runs import Run
from runtime.session import Session
from runtime.states import Saved

if TYPE_CHECKING:
    from netcompiler.recipe import Recipe


class Display(Protocol):
    def step(self, moment: Moment) -> None: ...

    def epoch(self, row: Row) -> None: ...


class _Step(NamedTuple):
    """One that was begun: its batch, and its figures for who asks."""

    rate: float
    places: Array
    inputs: Any
    targets: Any
    figures: Callable[[], Figures]


class Trainer:
    def __init__(self, session: Session, recipe: Recipe, train: Feeder, test: Feeder, keeping: Keeping | None = None) -> None:
        self.session, self.recipe, self.train, self.test = session, recipe, train, test
        self.keeping = keeping or Keeping()
        session.normalize(train.scales)
        self.names = [name for name, value in session.plan.programs["evaluate"].outputs.items() if value.elements == 1]
        self.goal, self.watched = goal(recipe, self.names), watched(recipe, self.names)
        self.per_epoch = -(-len(train) // recipe.batch)
        self.total = recipe.steps or recipe.epochs * self.per_epoch
        self.epochs = -(-self.total // self.per_epoch)
        self.progress = Progress()
        self.begun: deque[_Step] = deque()
        self.kept = -1

    def resume(self, saved: Saved) -> None:
        """Takes up where a state was saved; InputError where it is another net's."""
        self.session.restore(saved.tensors)
        self.progress = Progress.of_json(saved.record["progress"])
        self.kept = self.progress.step

    def fit(self, run: Run, display: Display, about: Mapping[str, Any], source: Mapping[str, Any] | None = None) -> Outcome:
        """Trains until the recipe's end, or until something ends it before. `about` is what the summary says beside how it went,
        `source` what each state says of the plan and the settings that it belongs to."""
        self.run, self.display, self.about, self.source = run, display, about, source or {}
        self.begin = self.saved = time.perf_counter()
        self.before, self.first = self.progress.seconds, self.progress.step
        with Interruption() as self.interruption, np.errstate(all="ignore"):  # what is not finite shows in the figures
            try:
                return self._fit()
            except Unwritten as error:
                return self._outcome(Ended(UNWRITTEN, str(error)))

    def _fit(self) -> Outcome:
        self.run.tell("began" if self.kept < 0 else "resumed", step=self.first)
        if self.kept >= 0:
            self._save(runs.LAST)
        self._publish()
        try:
            self._epochs()
            end = Ended(COMPLETE)
        except Ended as early:
            end = early
        if end.ended != NOT_FINITE or self.kept < 0:  # weights in front of a step that is not finite are as a rule of no use
            end = self._kept_at(end)
        self.run.tell("ended", ended=end.ended, why=end.why, step=self.progress.step)
        return self._write(end)

    def _kept_at(self, end: Ended) -> Ended:
        """All is saved as it is at the end, where it is sound."""
        try:
            if self.kept != self.progress.step:
                self._keep()
        except Ended as spoilt:
            return spoilt
        return end

    def _epochs(self) -> None:
        while True:
            if self._is_over():
                self._close()
            if self.progress.step >= self.total:
                return
            if self._stalled():
                raise Ended(STALLED)
            self._steps()

    def _is_over(self) -> bool:
        """An epoch, or the whole, whose validation is still to come."""
        step = self.progress.step
        return step > self.progress.closed and (step % self.per_epoch == 0 or step >= self.total)

    def _steps(self) -> None:
        """The steps of an epoch, or the rest of them."""
        done, at = self.progress, self.progress.step
        if at % self.per_epoch == 0:
            done.means = Means()
        self.opened, self.before_rows, self.before_wait = time.perf_counter(), done.means.rows, self.train.waited
        order = shuffled(len(self.train), self.recipe.seed, "order", at // self.per_epoch)
        batches = self.train.batches(self.recipe.batch, order[at % self.per_epoch * self.recipe.batch :])
        try:
            self._begun_and_ended(batches)
        finally:
            self._settle(0)

    def _begun_and_ended(self, batches: Iterable[tuple[Array, Batch]]) -> None:
        """A step is begun before the figures of the one in front of it are asked for, where a device goes on by itself meanwhile."""
        for places, (inputs, targets) in _there(batches):
            if self.interruption.asked:
                raise Ended(INTERRUPTED)
            at = self._begin(places, inputs, targets)
            due = bool(at % self.per_epoch) and self.keeping.due(at, time.perf_counter() - self.saved)
            self._settle(0 if due else self.session.device.behind)
            if at == self.total:
                return
            if due:
                self._keep()

    def _begin(self, places: Array, inputs: Any, targets: Any) -> int:
        """The number of steps that have been begun with this one."""
        at = self.progress.step + len(self.begun)
        rate = self.recipe.rate(at, self.per_epoch, self.progress.history(self.watched))
        self.session.set("rate", rate)
        figures = self.session.begin_step(inputs, targets, places, at // self.per_epoch) if len(places) else dict
        self.begun.append(_Step(rate, places, inputs, targets, figures))
        return at + 1

    def _settle(self, behind: int) -> None:
        """All steps that were begun but so many have their figures counted."""
        while len(self.begun) > behind:
            self._end(self.begun.popleft())

    def _end(self, step: _Step) -> None:
        done, figures = self.progress, step.figures()
        if not self.session.is_sound(figures):
            self.begun.clear()
            first = first_not_finite(self.session, step.inputs, step.targets, step.places)
            where = f", first in {first}" if first else ""
            raise Ended(NOT_FINITE, f"the loss or its gradient is not finite in step {done.step + 1:,}{where}")
        done.rate = step.rate
        done.step += 1
        done.means.add({name: figures[name] for name in self.names if name in figures}, len(step.places))
        self.display.step(self._moment())

    def _moment(self) -> Moment:
        done, now = self.progress, time.perf_counter()
        steps = max(1, done.step - self.first)
        left = (now - self.begin) / steps * (self.total - done.step)
        begun = done.step > self.first
        speed = (done.means.rows - self.before_rows) / (now - self.opened) if begun else 0.0
        waiting = (self.train.waited - self.before_wait) / (now - self.opened) if begun else 0.0
        epoch = -(-done.step // self.per_epoch)
        return Moment(epoch, self.epochs, done.step, self.total, done.rate, done.means.figures(), speed, left, waiting)

    def _close(self) -> None:
        """The end of an epoch: its validation, and everything that belongs to it on the disk, the full state before all."""
        self._check()
        if not self.progress.means.rows:
            raise Ended(LOST, "no row to train on can be read any more")
        moment = self._moment()
        every = self.recipe.validation.every if self.recipe.validation else 1
        due = moment.epoch % every == 0 or moment.step >= self.total
        tested = self._tested() if due else {}
        row = Row(moment, tested, self._is_best(tested))
        self.progress.rows.append(row)
        self._keep()
        self._publish()
        self.run.tell("epoch", **row.cells(), best=row.best, pictures_per_second=round(moment.speed, 1))
        self.display.epoch(row)

    def _tested(self) -> Figures:
        try:
            tested = evaluate(self.session, self.test, self.interruption)
        except (DataError, OSError) as error:
            raise Ended(LOST, _told(error)) from None
        if not tested:
            raise Ended(INTERRUPTED) if self.interruption.asked else Ended(LOST, "no row to validate on can be read any more")
        return tested

    def _is_best(self, tested: Figures) -> bool:
        if not math.isfinite(tested.get(self.goal, math.nan)):
            return False
        best = self.progress.best
        return best is None or self._outdoes(tested, best.tested)

    def _outdoes(self, new: Figures, old: Figures) -> bool:
        """Between equals the loss decides: of two that are always right one is more certain."""
        equal = new[self.goal] == old[self.goal]
        return better("loss", new["loss"], old["loss"]) if equal else better(self.goal, new[self.goal], old[self.goal])

    def _stalled(self) -> bool:
        stop = self.recipe.early_stop
        return stop is not None and stop.stops(self.progress.history(find(stop.watch, self.names)))

    # what is written

    def _check(self) -> None:
        """What is not finite is never saved, nor called the best: a step does not see all that it makes too large."""
        if spoilt := self.session.spoilt():
            raise Ended(NOT_FINITE, f"{spoilt} is not finite after step {self.progress.step:,}")

    def _keep(self) -> None:
        """The full state and the last weights."""
        self._check()
        self.progress.seconds = self.before + time.perf_counter() - self.begin
        record = {**self.source, "progress": self.progress.as_json()}
        self.run.states(self.keeping.keep).save(self.progress.step, Saved(self.session.state(), record))
        self.kept, self.saved = self.progress.step, time.perf_counter()
        self._save(runs.LAST)

    def _publish(self) -> None:
        """What follows from the state and may be older than it, when a process was killed between the two."""
        best = self.progress.best
        if best and best.moment.step == self.progress.step:
            self._save(runs.BEST)
        if self.progress.rows:
            self.run.write_metrics([row.cells() for row in self.progress.rows])
        self._write(Ended(RUNNING))

    def _save(self, name: str) -> None:
        self.run.save(name, self.session.parameters(average=True), self.train.scales)

    def _write(self, end: Ended) -> Outcome:
        outcome = self._outcome(end)
        self.run.write_summary({**self.about, **outcome.summary()})
        return outcome

    def _outcome(self, end: Ended) -> Outcome:
        done = self.progress
        seconds = self.before + time.perf_counter() - self.begin
        signal = self.interruption.asked if end.ended == INTERRUPTED else 0
        return Outcome(end.ended, end.why, done.rows, done.best, done.step, self.kept, seconds, signal)


def _there(batches: Iterable[tuple[Array, Batch]]) -> Iterator[tuple[Array, Batch]]:
    """Batches, as long as their data is there."""
    given = iter(batches)
    while True:
        try:
            item = next(given)
        except StopIteration:
            return
        except (DataError, OSError) as error:
            raise Ended(LOST, _told(error)) from None
        yield item


def _told(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"{error.filename or 'the data'} cannot be read: {error.strerror or error}"
    return str(error)

"""Training as it is seen: a bar and a table on a terminal; elsewhere a plain line an epoch, and every half a minute; or lines of JSON."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from math import isfinite
from typing import TYPE_CHECKING, Any, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Column

from netcompiler.cli.terminal import say
from netcompiler.recipe.watch import RISING
from netcompiler.report.figures import size

if TYPE_CHECKING:
    from runtime.progress import Moment, Row
    from runtime.trainer import Display


INTERVAL = 30.0
"""Seconds between lines of an epoch that lasts longer."""


class _Lines:
    """A line an epoch, and one now and then between."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.written = time.perf_counter()

    def step(self, moment: Moment) -> None:
        if time.perf_counter() - self.written >= INTERVAL:
            self._write(self.between(moment))

    def epoch(self, row: Row) -> None:
        self._write(self.over(row))

    def between(self, moment: Moment) -> str:
        raise NotImplementedError

    def over(self, row: Row) -> str:
        raise NotImplementedError

    def _write(self, line: str) -> None:
        self.written = time.perf_counter()
        say(self.stream, line)


class Plain(_Lines):
    def between(self, moment: Moment) -> str:
        m = moment
        trained = [f"{name} {figure(name, value)}" for name, value in _shown(m.figures)]
        return "  ".join([f"epoch {m.epoch}/{m.epochs}", f"step {m.step:,}/{m.steps:,}", *trained, *_pace(m)])

    def over(self, row: Row) -> str:
        m = row.moment
        tested = [f"val {name} {figure(name, value)}" for name, value in _shown(row.tested)]
        trained = [f"{name} {figure(name, value)}" for name, value in _shown(m.figures)]
        return "  ".join([f"epoch {m.epoch}/{m.epochs}", *trained, *tested, *_pace(m), *(["best"] if row.best else [])])


class Json(_Lines):
    """For scripts: each line says by `event` what it is."""

    def between(self, moment: Moment) -> str:
        return as_json("step", **_facts(moment))

    def over(self, row: Row) -> str:
        return as_json("epoch", **_facts(row.moment), validation=row.tested, best=row.best)


def as_json(event: str, **facts: Any) -> str:
    """What is not finite is null: JSON has no word for it."""
    return json.dumps({"event": event, **_finite(facts)}, ensure_ascii=False)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    return None if isinstance(value, float) and not isfinite(value) else value


def _facts(m: Moment) -> dict[str, Any]:
    from runtime.environment import resident

    where = {"epoch": m.epoch, "epochs": m.epochs, "step": m.step, "steps": m.steps, "rate": m.rate, "training": m.figures}
    pace = {"pictures_per_second": round(m.speed, 1), "waiting_for_data": round(m.waiting, 4), "seconds_left": round(m.left, 1)}
    return {**where, **pace, "memory": resident()}


def _pace(m: Moment) -> list[str]:
    from runtime.environment import resident

    speed = [f"rate {m.rate:.3g}", f"{m.speed:,.0f} pictures/s", f"waiting for data {m.waiting:.0%}"]
    return [*speed, size(resident()), f"{clock(m.left)} left"]


class Quiet:
    def step(self, moment: Moment) -> None:
        """Nothing."""

    def epoch(self, row: Row) -> None:
        """Nothing."""


class Live:
    """A row of a table for each epoch, and under them a bar for the one that runs."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self.progress = progress
        self.task = task
        self.headed = False

    def step(self, moment: Moment) -> None:
        from runtime.environment import resident

        m = moment
        figures = "  ".join(f"{name} {figure(name, value)}" for name, value in _shown(m.figures))
        text = f"{figures}  {m.speed:,.0f} pictures/s  data {m.waiting:.0%}  {size(resident())}  {clock(m.left)} left"
        self.progress.update(self.task, completed=m.step, total=m.steps, description=f"epoch {m.epoch}/{m.epochs}", figures=text)

    def epoch(self, row: Row) -> None:
        cells = list(_cells(row))
        if not self.headed:
            self.progress.console.print("  ".join(f"{title:>{width}}" for title, _, width in cells), style="bold", highlight=False)
            self.headed = True
        line = "  ".join(f"{text:>{width}}" for _, text, width in cells)
        self.progress.console.print(f"{line}  [green]best[/]" if row.best else line, highlight=False)


@contextmanager
def display(stream: TextIO, quiet: bool, in_json: bool) -> Iterator[Display]:
    if quiet or in_json or not stream.isatty():
        yield Quiet() if quiet else Json(stream) if in_json else Plain(stream)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[figures]}", table_column=Column(no_wrap=True)),
    )
    with Progress(*columns, console=Console(file=stream), transient=True) as progress:
        yield Live(progress, progress.add_task("epoch 1", total=None, figures=""))


def _cells(row: Row) -> Iterator[tuple[str, str, int]]:
    """Title, text and width of each column."""
    m = row.moment
    yield "epoch", f"{m.epoch}/{m.epochs}", max(5, 2 * len(str(m.epochs)) + 1)
    yield "rate", f"{m.rate:.3g}", 8
    for name, value in _shown(m.figures):
        yield name, figure(name, value), max(len(name), 7)
    for name, _ in _shown(m.figures):
        text = figure(name, row.tested[name]) if name in row.tested else ""
        yield f"val {name}", text, len(name) + 4 if len(name) > 3 else 7
    yield "pictures/s", f"{m.speed:,.0f}", 10


def _shown(figures: dict[str, float]) -> Iterator[tuple[str, float]]:
    """What a line has room for: top5 is in the files."""
    return ((name, value) for name, value in figures.items() if not name.endswith("top5"))


def figure(name: str, value: float) -> str:
    """Shares as percentages, all else with four digits."""
    return f"{value:.1%}" if name.rpartition(".")[2] in RISING else f"{value:.4f}"


def clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"

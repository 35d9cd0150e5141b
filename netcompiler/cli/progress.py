"""Training as it is seen: a bar and a table on a terminal, a plain line an epoch elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Column

from netcompiler.recipe.watch import RISING

if TYPE_CHECKING:
    from runtime.progress import Moment, Row
    from runtime.trainer import Display


class Plain:
    """A line an epoch."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def step(self, moment: Moment) -> None:
        """Nothing: lines of steps would fill a file."""

    def epoch(self, row: Row) -> None:
        m = row.moment
        tested = [f"val {name} {figure(name, value)}" for name, value in _shown(row.tested)]
        trained = [f"{name} {figure(name, value)}" for name, value in _shown(m.figures)]
        pace = [f"rate {m.rate:.3g}", f"{m.speed:,.0f} pictures/s", f"waiting for data {m.waiting:.0%}", f"{clock(m.left)} left"]
        self.stream.write(f"epoch {m.epoch}/{m.epochs}  " + "  ".join([*trained, *tested, *pace]) + ("  best\n" if row.best else "\n"))
        self.stream.flush()


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
        m = moment
        figures = "  ".join(f"{name} {figure(name, value)}" for name, value in _shown(m.figures))
        text = f"{figures}  {m.speed:,.0f} pictures/s  data {m.waiting:.0%}  {clock(m.left)} left"
        self.progress.update(self.task, completed=m.step, total=m.steps, description=f"epoch {m.epoch}/{m.epochs}", figures=text)

    def epoch(self, row: Row) -> None:
        cells = list(_cells(row))
        if not self.headed:
            self.progress.console.print("  ".join(f"{title:>{width}}" for title, _, width in cells), style="bold", highlight=False)
            self.headed = True
        line = "  ".join(f"{text:>{width}}" for _, text, width in cells)
        self.progress.console.print(f"{line}  [green]best[/]" if row.best else line, highlight=False)


@contextmanager
def display(stream: TextIO, quiet: bool) -> Iterator[Display]:
    if quiet or not stream.isatty():
        yield Quiet() if quiet else Plain(stream)
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

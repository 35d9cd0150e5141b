"""The figures of each epoch as TensorBoard's events, beside what else is shown. It takes netc[tensorboard]."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from runtime.progress import Moment, Row

if TYPE_CHECKING:
    from runtime.runs import Run
    from runtime.trainer import Display

FOLDER = "tensorboard"


class Also:
    """A display that writes events, too."""

    def __init__(self, display: Display, writer: Any) -> None:
        self.display, self.writer = display, writer

    def step(self, moment: Moment) -> None:
        self.display.step(moment)

    def epoch(self, row: Row) -> None:
        m = row.moment
        figures = {**{f"training/{name}": value for name, value in m.figures.items()}, "rate": m.rate, "pictures_per_second": m.speed}
        figures |= {f"validation/{name}": value for name, value in row.tested.items()}
        for name, value in figures.items():
            self.writer.add_scalar(name, value, m.step)
        self.writer.flush()
        self.display.epoch(row)


@contextmanager
def also(display: Display, run: Run, first: int) -> Iterator[Display]:
    """Events of steps behind `first`, where a run goes on, are taken back."""
    from tensorboardX import SummaryWriter

    writer = SummaryWriter(str(run.folder / FOLDER), purge_step=first + 1 if first else None)
    try:
        yield Also(display, writer)
    finally:
        writer.close()

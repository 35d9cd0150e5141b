"""The folder of a training run: what was asked for, how it went, the weights, the full states. Every file is there whole or not at all.

Who writes there holds the lock of events.jsonl, which ends with the process, however that ends.
"""

from __future__ import annotations

import csv
import errno
import io
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from netcompiler.plan import Facts
from runtime import atomic, checkpoint
from runtime.checkpoint import Array
from runtime.data.scale import Scale
from runtime.facts import from_plain
from runtime.journal import Journal
from runtime.states import States

SPEC, RESOLVED, METRICS, SUMMARY, EVENTS = "spec.yaml", "resolved.yaml", "metrics.csv", "summary.json", "events.jsonl"
ENVIRONMENT, FACTS, REPORT, PLOTS, STATES = "environment.json", "facts.json", "report.html", "plots", "states"
NEEDED = {"spec", "variant", "settings", "best"}
"""What the summary must have for the weights to be used again."""
BEST, LAST = "best.safetensors", "last.safetensors"


class RunError(Exception):
    """A run's folder that cannot be made, read or written."""


class Run:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.journal: Journal | None = None

    @contextmanager
    def owned(self) -> Iterator[Run]:
        """Only one process at a time writes into a run."""
        with Journal(self.folder / EVENTS) as self.journal:
            if not self.journal.locked:
                raise RunError(f"{self.folder} is written by another process now: wait until that ends, or begin a run of its own")
            atomic.sweep(self.folder)
            yield self
        self.journal = None

    def tell(self, event: str, **facts: Any) -> None:
        if self.journal:
            self.journal.add(event, facts)

    def states(self, keep: int = 2) -> States:
        return States(self.folder / STATES, keep)

    def write(self, name: str, text: str) -> None:
        atomic.write(self.folder / name, text.encode())

    def write_json(self, name: str, value: Mapping[str, Any]) -> None:
        self.write(name, json.dumps(value, indent=2, ensure_ascii=False) + "\n")

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        self.write_json(SUMMARY, summary)

    def write_metrics(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """A row an epoch; an epoch without a validation leaves its figures empty."""
        text = io.StringIO()
        columns = dict.fromkeys(name for row in rows for name in row)
        table = csv.DictWriter(text, list(columns), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
        self.write(METRICS, text.getvalue())

    def save(self, name: str, tensors: Mapping[str, Array], scales: Mapping[str, Scale]) -> None:
        checkpoint.save(self.folder / name, tensors, scales)

    def summary(self) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads((self.folder / SUMMARY).read_text(encoding="utf-8"))
        except OSError:
            raise RunError(f"{self.folder} is no training run: it has no {SUMMARY}") from None
        except ValueError:
            raise RunError(f"{self.folder / SUMMARY} is damaged") from None
        if not isinstance(found, dict) or not found.keys() >= NEEDED:
            raise RunError(f"{self.folder / SUMMARY} is damaged: it does not say how the net was made")
        return found

    def facts(self) -> Facts:
        """What its kernels were chosen by; nothing where that was not written."""
        try:
            return from_plain(json.loads((self.folder / FACTS).read_text(encoding="utf-8")))
        except (OSError, ValueError):
            return {}

    def metrics(self) -> list[dict[str, str]]:
        """The rows of metrics.csv; none before the first epoch is over."""
        try:
            with (self.folder / METRICS).open(encoding="utf-8", newline="") as file:
                return list(csv.DictReader(file))
        except FileNotFoundError:
            return []

    def weights(self) -> Path:
        """The best ones; where no validation came to an end, the last."""
        return next((self.folder / name for name in (BEST, LAST) if (self.folder / name).exists()), self.folder / BEST)


Filling = Callable[[Run], None]


def empty(run: Run) -> None:
    """Nothing."""


def create(parent: Path, name: str, fill: Filling = empty) -> Run:
    """The first of NAME-1, NAME-2, ... that is not there."""
    return _appeared(_draft(parent, fill), (parent / f"{name}-{number}" for number in count(1)))


def create_at(folder: Path, fill: Filling = empty) -> Run:
    check_free(folder)
    return _appeared(_draft(folder.parent, fill), [folder])


def check_free(folder: Path) -> None:
    if os.path.lexists(folder):
        raise RunError(f"{folder} is there already, and a run is never overwritten: name another folder")


def find(name: str) -> Run:
    """A folder, or the name of one in runs/."""
    inside = Path("runs") / name
    return Run(inside if inside.is_dir() and not Path(name).is_dir() else Path(name))


def _draft(parent: Path, fill: Filling) -> Path:
    """What a run begins with, in a hidden folder: whenever a process is killed, a run that is there can go on."""
    draft = parent / f".netc.{os.getpid()}"
    try:
        (draft / STATES).mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise RunError(f"{parent} is no folder, and runs cannot be made in it") from None
    except OSError as error:
        raise RunError(f"{parent} takes no run: {error.strerror}") from None
    try:
        fill(Run(draft))
    except BaseException:
        shutil.rmtree(draft)
        raise
    return draft


def _appeared(draft: Path, places: Iterable[Path]) -> Run:
    """At the first place that is free: of two processes at once only one has it."""
    for place in places:
        if not os.path.lexists(place) and _renamed(draft, place):
            return Run(place)
    shutil.rmtree(draft)
    raise RunError(f"{draft.parent} has a run of this name by now: begin again")


def _renamed(draft: Path, place: Path) -> bool:
    try:
        draft.rename(place)
    except OSError as error:
        if error.errno in (errno.EEXIST, errno.ENOTEMPTY):
            return False
        raise atomic.Unwritten(place, error) from None
    atomic.settle(place.parent)
    return True

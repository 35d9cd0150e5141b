"""The folder of a training run: what was asked for, how it went, the weights. Never written twice, every file whole."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

from runtime import atomic, checkpoint
from runtime.checkpoint import Array
from runtime.data.scale import Scale

SPEC, RESOLVED, METRICS, SUMMARY = "spec.yaml", "resolved.yaml", "metrics.csv", "summary.json"
NEEDED = {"spec", "variant", "settings", "best"}
"""What the summary must have for the weights to be used again."""
BEST, LAST = "best.safetensors", "last.safetensors"


class RunError(Exception):
    """A run's folder that cannot be made or read."""


class Run:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, name: str, text: str) -> None:
        atomic.write(self.folder / name, text.encode())

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        self.write(SUMMARY, json.dumps(summary, indent=2, ensure_ascii=False) + "\n")

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

    def weights(self) -> Path:
        """The best ones; where no validation came to an end, the last."""
        return next((self.folder / name for name in (BEST, LAST) if (self.folder / name).exists()), self.folder / BEST)


def create(parent: Path, name: str) -> Run:
    """The first of NAME-1, NAME-2, ... that is not there."""
    for number in count(1):
        folder = parent / f"{name}-{number}"
        if _made(folder, parents=True):
            return Run(folder)
    raise AssertionError


def create_at(folder: Path) -> Run:
    if not _made(folder, parents=True):
        raise RunError(f"{folder} is there already, and a run is never overwritten: name another folder")
    return Run(folder)


def _made(folder: Path, parents: bool) -> bool:
    """Whether this call made it: of two processes at once only one does."""
    try:
        folder.mkdir(parents=parents)
    except FileExistsError:
        if folder.parent.is_dir():
            return False
        raise RunError(f"{folder} cannot be made: {folder.parent} is no folder") from None
    except OSError as error:
        raise RunError(f"{folder} cannot be made: {error.strerror}") from None
    return True

"""The full states of a run, one file each: everything that the next step depends on. The newest of them are kept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime import atomic, checkpoint
from runtime.checkpoint import Array, CheckpointError

RECORD = "record"


@dataclass(frozen=True)
class Saved:
    """A session's arrays by name, and what is written about how training stood."""

    tensors: Mapping[str, Array]
    record: Mapping[str, Any]


class States:
    """`keep` is how many are kept: two or more, so that one may be damaged."""

    def __init__(self, folder: Path, keep: int = 2) -> None:
        self.folder = folder
        self.keep = keep

    def save(self, step: int, saved: Saved) -> None:
        checkpoint.write(self.folder / f"step-{step:09}.safetensors", saved.tensors, {RECORD: json.dumps(saved.record)})
        for old in self.files()[self.keep :]:
            old.unlink(missing_ok=True)

    def files(self) -> list[Path]:
        """The newest first."""
        return sorted(self.folder.glob("step-*.safetensors"), reverse=True)

    def newest(self) -> tuple[Saved | None, list[str]]:
        """The newest that is whole, and what is wrong with those after it, which are put out of the way."""
        atomic.sweep(self.folder)
        complaints: list[str] = []
        for path in self.files():
            try:
                return _read(path), complaints
            except CheckpointError as error:
                complaints.append(str(error))
                path.rename(path.with_suffix(".damaged"))
        return None, complaints


def _read(path: Path) -> Saved:
    tensors, about = checkpoint.read(path)
    if checkpoint.DIGEST not in about or RECORD not in about:
        raise CheckpointError(f"{path} is damaged: it does not say what it holds")
    return Saved(tensors, json.loads(about[RECORD]))

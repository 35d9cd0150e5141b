"""events.jsonl: what happened in a run and when, a line each, only ever added to. Who has it open has the run to itself."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from runtime.atomic import Unwritten


class Journal:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.locked = False

    def __enter__(self) -> Journal:
        """The lock belongs to the open file: it ends with the process, whatever ends that."""
        self._file = self.path.open("a+b")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.locked = True
        except BlockingIOError:
            self.locked = False
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()

    def add(self, event: str, facts: Mapping[str, Any]) -> None:
        """A line that a killed process left unfinished stays a line of its own."""
        line = json.dumps({"time": datetime.now().astimezone().isoformat(timespec="milliseconds"), "event": event, **facts})
        try:
            os.write(self._file.fileno(), (self._gap() + line + "\n").encode())
        except OSError as error:
            raise Unwritten(self.path, error) from None

    def _gap(self) -> str:
        end = self._file.seek(0, os.SEEK_END)
        if not end:
            return ""
        return "" if os.pread(self._file.fileno(), 1, end - 1) == b"\n" else "\n"


def is_written(path: Path) -> bool:
    """Whether a process has it open to write."""
    if not path.exists():
        return False
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def read(path: Path) -> Iterator[dict[str, Any]]:
    """The events in their order; lines that were cut off are left out."""
    for line in path.read_bytes().splitlines() if path.exists() else ():
        try:
            found = json.loads(line)
        except ValueError:
            continue
        if isinstance(found, dict):
            yield found

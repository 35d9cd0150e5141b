"""A side of a contest as its driver sees it: a process that answers lines of JSON."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

ROUND = 0.5
"""Seconds of steps that make a round; a longer step is a round of its own."""

PAUSE = 0.05
"""Behind a round, so that the threads of one side sleep when the other begins."""

HERE = Path(__file__).parent


class SideError(Exception):
    """A side that cannot take part, or broke down."""


class Figures(NamedTuple):
    """Of one step."""

    ms_min: float
    ms_median: float
    images_per_s: float
    peak_rss_mb: float


class Side:
    """Begins with a first step. `about` is what it said then; `settings` are variables of its environment."""

    def __init__(self, command: Sequence[str], job: Mapping[str, Any], settings: Mapping[str, str], folder: Path | None = None) -> None:
        self.said = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115, it lives as long as the process
        self.process = _started(command, _environment(settings), folder, self.said)
        self.rounds: list[float] = []
        self.peak = 0
        try:
            self.about = self._ask(job)
        except SideError:
            self.close()
            raise
        self.steps = max(1, round(ROUND / self.about["seconds"]))

    def round(self) -> None:
        answer = self._ask({"steps": self.steps})
        self.rounds.append(answer["seconds"])
        self.peak = answer["peak_rss"]
        time.sleep(PAUSE)

    def figures(self, batch: int) -> Figures:
        best, median = min(self.rounds), statistics.median(self.rounds)
        return Figures(1e3 * best, 1e3 * median, batch / best, self.peak / 2**20)

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()
        self.said.close()

    def _ask(self, message: Mapping[str, Any]) -> dict[str, Any]:
        assert self.process.stdin
        assert self.process.stdout
        try:
            self.process.stdin.write(json.dumps(message).encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise SideError(self._last_words()) from None
        line = self.process.stdout.readline()
        if not line:
            raise SideError(self._last_words())
        answer: dict[str, Any] = json.loads(line)
        if "unable" in answer:
            raise SideError(answer["unable"])
        return answer

    def _last_words(self) -> str:
        status = self.process.wait()
        self.said.seek(0)
        lines = [line.strip() for line in self.said if line.strip()]
        return f"a side broke down with status {status}" + (f": {lines[-1]}" if lines else "")


def _started(command: Sequence[str], environment: Mapping[str, str], folder: Path | None, said: Any) -> subprocess.Popen[bytes]:
    pipe = subprocess.PIPE
    try:
        return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=said, env=environment, cwd=folder)
    except OSError as error:
        raise SideError(f"{command[0]} cannot be started: {error.strerror}") from None


def _environment(settings: Mapping[str, str]) -> dict[str, str]:
    path = os.pathsep.join(filter(None, (str(HERE), os.environ.get("PYTHONPATH"))))
    return {**os.environ, **settings, "PYTHONPATH": path}

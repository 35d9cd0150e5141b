"""A side of a contest: a process that waits on its standard input and runs a round when it is told to.

Every message is a line of JSON: first the job, answered by what there is to say about the side; then {"steps": n}, answered by
the seconds of a step.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

STATUS, FORGET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


class Unable(Exception):
    """Why a side cannot take part."""


def serve(begin: Callable[[dict[str, Any]], Side]) -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer

    def answer(message: dict[str, Any]) -> None:
        answers.write(json.dumps(message) + "\n")
        answers.flush()

    try:
        side = begin(json.loads(sys.stdin.readline()))
    except Unable as reason:
        answer({"unable": str(reason)})
        return
    answer({**side.about, "seconds": seconds(side, 1)})
    side.forget()
    for line in sys.stdin:
        answer({"seconds": seconds(side, json.loads(line)["steps"]), "peak_rss": side.peak()})


def seconds(side: Side, steps: int) -> float:
    """Of one step."""
    side.wait()
    begin = time.perf_counter()
    for _ in range(steps):
        side.step()
    side.wait()
    return (time.perf_counter() - begin) / steps


def peak() -> int:
    """The most bytes that this process has had in memory since forget_peak()."""
    if STATUS.exists():
        return next(int(line.split()[1]) * 1024 for line in STATUS.read_text().splitlines() if line.startswith("VmHWM"))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def forget_peak() -> None:
    """What loading and compiling took is not what a step takes. A system that cannot forget counts it too."""
    if FORGET.exists():
        FORGET.write_text("5")


class Side(NamedTuple):
    """`step` may return before it is done; `wait` does not. `peak` is the most bytes since `forget`."""

    step: Callable[[], object]
    about: dict[str, Any]
    wait: Callable[[], object] = bool
    peak: Callable[[], int] = peak
    forget: Callable[[], object] = forget_peak


def sample(flat: Any, size: int = 1000) -> list[float]:
    """So many numbers of a long array, evenly spread."""
    found: list[float] = flat[:: -(-len(flat) // size)].tolist()
    return found

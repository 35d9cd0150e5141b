"""What netc is busy with, told on standard error if it takes longer than a moment."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

PATIENCE = 1.0
"""Seconds before it is said what takes so long."""


@contextmanager
def waiting(what: str, after: str = "; it is kept for the next time") -> Iterator[Callable[[int, int], None]]:
    """Says how many of how many are done: on a terminal in a line that goes away again, elsewhere once."""
    begin, shown, live = time.perf_counter(), False, sys.stderr.isatty()

    def say(done: int, of: int) -> None:
        nonlocal shown
        if time.perf_counter() - begin < PATIENCE or (shown and not live):
            return
        shown = True
        print(f"netc: {what}, {done} of {of}{after}", end="\r" if live else "\n", file=sys.stderr, flush=True)

    try:
        yield say
    finally:
        if shown and live:
            print("\x1b[2K", end="", file=sys.stderr, flush=True)

"""What the stream that netc writes to can show."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TextIO

from netcompiler.diagnostics import Style

NARROWEST = 20


def width(stream: TextIO) -> int | None:
    """Its columns; None where nothing limits them, as in a file or a pipe. COLUMNS overrides."""
    wanted = os.environ.get("COLUMNS", "")
    if wanted.isdecimal() and int(wanted):
        return max(NARROWEST, int(wanted))
    if not stream.isatty():
        return None
    return max(NARROWEST, os.get_terminal_size(stream.fileno()).columns)


def style(stream: TextIO) -> Style:
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return Style(stream.isatty() and not plain)


def say(stream: TextIO, text: str) -> None:
    """A line, at once. That nobody reads any more is no reason to end what takes hours."""
    with suppress(BrokenPipeError):
        stream.write(text + "\n")
        stream.flush()

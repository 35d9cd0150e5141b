"""Diagnostics as a person reads them on standard error."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from netcompiler.cli import terminal
from netcompiler.diagnostics import Diagnostic, as_text


def write(found: Sequence[Diagnostic], notes: bool = False) -> None:
    """The errors, then the notes or how many there are."""
    shown = [d for d in found if notes or d.severity == "error"]
    hidden = len(found) - len(shown)
    errors = sum(d.severity == "error" for d in shown)
    counts = [_many(errors, "error")] if errors else []
    counts += [f"{_many(hidden, 'note')}, which --notes shows"] if hidden else []
    style, width = terminal.style(sys.stderr), terminal.width(sys.stderr) if sys.stderr.isatty() else None
    texts = [as_text([d], style, width) for d in shown]
    sys.stdout.flush()
    if counts and sys.stdout.isatty() and sys.stderr.isatty():
        sys.stderr.write("\n")
    sys.stderr.write("\n".join([*texts, *([f"{'; '.join(counts)}\n"] if counts else [])]))


def has_errors(found: Sequence[Diagnostic]) -> bool:
    return any(d.severity == "error" for d in found)


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"

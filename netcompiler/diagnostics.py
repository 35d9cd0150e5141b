"""What netc says about a spec: one frozen Diagnostic a mistake, and the four ways to print it."""

from __future__ import annotations

import difflib
import json
import re
import textwrap
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from netcompiler.synonyms import meant

if TYPE_CHECKING:
    from netcompiler.source import Place


class Call(NamedTuple):
    """A block call that led to an item: where it stands, the block, the name it was given."""

    place: Place
    block: str
    name: str

    def __str__(self) -> str:
        return f"in {self.block}, called as {self.name} at {self.place}"


@dataclass(frozen=True)
class Diagnostic:
    """A mistake (or a note) at its place: what is wrong, the facts of it, and one thing to do."""

    code: str
    place: Place
    message: str
    facts: tuple[str, ...] = ()
    help: str = ""
    severity: str = "error"
    calls: tuple[Call, ...] = ()

    def shortened(self) -> Diagnostic:
        """The same without the bulk of very long texts, which a file may have and nobody can read."""
        return replace(self, message=_clipped(self.message), facts=tuple(map(_clipped, self.facts)), help=_clipped(self.help))

    @property
    def all_facts(self) -> list[str]:
        return [*self.facts, *map(str, reversed(self.calls))]


LONGEST_TEXT = 400


def _clipped(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT // 2]}…{text[-LONGEST_TEXT // 2 :]}"


class SpecError(Exception):
    """A spec that cannot be read further."""

    def __init__(self, *diagnostics: Diagnostic) -> None:
        super().__init__("; ".join(f"{d.place}: {d.message}" for d in diagnostics[:10]))
        self.diagnostics = diagnostics


class Mistake(Exception):
    """What a layer or an expression has against its options or input; the caller knows the place.

    `option` names the option at fault; `begin` and `length` point into an expression's text.
    """

    def __init__(
        self,
        code: str,
        message: str,
        help: str = "",
        facts: Iterable[str] = (),
        option: str = "",
        span: tuple[int, int] | None = None,
        guess: tuple[int, ...] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.help = help
        self.facts = tuple(facts)
        self.option = option
        self.span = span
        self.guess = guess  # the output shape to go on with, so that later mistakes are found too

    def moved(self, offset: int) -> Mistake:
        """The same in a longer text, in which the one it speaks of begins so many characters later."""
        span = self.span and (self.span[0] + offset, self.span[1])
        return Mistake(self.code, self.message, self.help, self.facts, self.option, span, self.guess)

    def at(self, place: Place, calls: tuple[Call, ...] = (), severity: str = "error") -> Diagnostic:
        if self.span and place.line == place.end_line:
            place = place.part(*self.span)
        return Diagnostic(self.code, place, self.message, self.facts, self.help, severity, calls)


LONGEST_WORD = 100
MOST_WORDS = 1000


def closest(word: str, known: Iterable[str]) -> str | None:
    """The known word for what other frameworks call so, or the one that is most like it."""
    if len(word) > LONGEST_WORD:
        return None
    known = set(known)
    if own := meant(word, known):
        return own
    alike = sorted(known, key=lambda name: (abs(len(name) - len(word)), name))[:MOST_WORDS]
    lowered = {name.lower(): name for name in sorted(alike, reverse=True)}
    close = difflib.get_close_matches(word.lower(), lowered, 1, 0.6)
    return lowered[close[0]] if close else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`did you mean …?`, or the known words when they are few, or nothing."""
    names = set(known)
    if close := closest(word, names):
        return f"did you mean `{close}`?"
    return f"known here: {', '.join(sorted(names, key=_by_number))}" if 0 < len(names) <= 12 else ""


def _by_number(name: str) -> list[tuple[int, str]]:
    """`18` stands before `101`."""
    return [(int(digits or 0), text) for text, digits in re.findall(r"([^0-9]*)([0-9]{0,9})", name)]


COLOURS = {"bold": "1", "dim": "2", "red": "1;31", "yellow": "33", "blue": "34", "cyan": "36", "green": "32"}


class Style:
    """Colours for a terminal, or nothing."""

    def __init__(self, colour: bool = False) -> None:
        self.colour = colour

    def __call__(self, name: str, text: str) -> str:
        return f"\x1b[{COLOURS[name]}m{text}\x1b[0m" if self.colour and text else text


def as_text(diagnostics: Iterable[Diagnostic], style: Style | None = None, width: int | None = None) -> str:
    return "\n".join(_one_text(d, style or Style(), width) for d in diagnostics)


def _one_text(d: Diagnostic, style: Style, room: int | None) -> str:
    tint = "red" if d.severity == "error" else "cyan"
    place, code = str(d.place), f"{d.severity}[{d.code}]"
    first, *more = _wrapped(d.message, len(f"{place} {code} "), 0, room)
    lines = [f"{style('bold', place)} {style(tint, code)} {style('bold', first)}", *(style("bold", line) for line in more)]
    margin = len(str(d.place.line))
    bar = style("blue", "|")
    shown, begin, width = _excerpt(d.place, min(EXCERPT, max(room - margin - 5, LEAST_EXCERPT)) if room else EXCERPT)
    if shown:
        lines.append(f"{style('blue', str(d.place.line))} {bar} {shown}")
        lines.append(f"{' ' * margin} {bar} {' ' * begin}{style(tint, '^' * width)}")
    for fact in d.all_facts:
        lines += _labelled(margin, style("blue", "="), 1, fact, room)
    if d.help:
        lines += _labelled(margin, style("green", "help:"), 5, d.help, room)
    return "\n".join(lines) + "\n"


def _labelled(margin: int, label: str, length: int, text: str, room: int | None) -> list[str]:
    indent = margin + length + 2
    first, *more = _wrapped(text, indent, indent, room)
    return [f"{' ' * margin} {label} {first}", *(f"{' ' * indent}{line}" for line in more)]


def _wrapped(text: str, begin: int, indent: int, room: int | None) -> list[str]:
    """The lines of a text whose first one begins in a column, and the others at an indent."""
    if room is None or begin + len(text) <= room:
        return [text]
    wide = max(room, indent + LEAST_EXCERPT)
    lines = textwrap.wrap(
        text, wide, initial_indent=" " * begin, subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False
    )
    return [line.strip() for line in lines]


EXCERPT = 96  # longest piece of a source line that a message shows
LEAST_EXCERPT = 20


def _excerpt(place: Place, room: int) -> tuple[str, int, int]:
    """The source line around a place, where the place begins in it, and how many characters to underline."""
    lines = place.source.lines
    line = lines[place.line - 1].rstrip("\r") if place.line <= len(lines) else ""
    begin = min(place.column - 1, len(line))
    end = place.end_column - 1 if place.end_line == place.line else len(line.rstrip())
    width = max(1, min(end, len(line)) - begin)
    if len(line) > room:
        first = max(0, min(begin - room // 3, len(line) - room))
        line = ("…" if first else "") + line[first : first + room] + ("…" if first + room < len(line) else "")
        begin -= first - bool(first)
        width = max(1, min(width, len(line) - begin))
    line = "".join(c if c.isprintable() else " " for c in line)
    return line, _columns(line[:begin]), max(1, _columns(line[begin : begin + width]))


def _columns(text: str) -> int:
    """How wide a terminal shows a text."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def as_dict(d: Diagnostic) -> dict[str, Any]:
    return {
        "code": d.code,
        "severity": d.severity,
        "message": d.message,
        "file": d.place.source.name,
        "line": d.place.line,
        "column": d.place.column,
        "end_line": d.place.end_line,
        "end_column": d.place.end_column,
        "facts": d.all_facts,
        "help": d.help or None,
    }


def as_github(diagnostics: Iterable[Diagnostic]) -> str:
    """Workflow commands, which GitHub shows beside the lines of a pull request."""
    return "".join(_one_github(d) for d in diagnostics)


def _one_github(d: Diagnostic) -> str:
    level = "error" if d.severity == "error" else "notice"
    text = "\n".join([d.message, *d.all_facts, *([f"help: {d.help}"] if d.help else [])])
    place = {
        "file": d.place.source.name,
        "line": d.place.line,
        "col": d.place.column,
        "endLine": d.place.end_line,
        "endColumn": d.place.end_column,
        "title": d.code,
    }
    fields = ",".join(f"{key}={_escape(str(value), ':,')}" for key, value in place.items())
    return f"::{level} {fields}::{_escape(text)}\n"


def _escape(text: str, more: str = "") -> str:
    for character in "%\r\n" + more:
        text = text.replace(character, f"%{ord(character):02X}")
    return text


def as_sarif(diagnostics: Sequence[Diagnostic], version: str) -> str:
    """SARIF 2.1.0, which code scanning services read."""
    run = {
        "tool": {"driver": {"name": "netc", "version": version, "rules": [{"id": code} for code in sorted({d.code for d in diagnostics})]}},
        "columnKind": "unicodeCodePoints",
        "results": [_one_sarif(d) for d in diagnostics],
    }
    schema = "https://json.schemastore.org/sarif-2.1.0.json"
    return json.dumps({"$schema": schema, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _one_sarif(d: Diagnostic) -> dict[str, Any]:
    text = "\n".join([d.message, *d.facts, *([f"help: {d.help}"] if d.help else [])])
    result: dict[str, Any] = {
        "ruleId": d.code,
        "level": "error" if d.severity == "error" else "note",
        "message": {"text": text},
        "locations": [_location(d.place)],
    }
    if d.calls:
        result["relatedLocations"] = [
            _location(call.place) | {"message": {"text": f"{call.block} called as {call.name}"}} for call in d.calls
        ]
    return result


def _location(place: Place) -> dict[str, Any]:
    from urllib.parse import quote

    region = {"startLine": place.line, "startColumn": place.column, "endLine": place.end_line, "endColumn": place.end_column}
    return {"physicalLocation": {"artifactLocation": {"uri": quote(place.source.name)}, "region": region}}

"""What the YAML parser has against a text, in the words of somebody who writes specs, at the place where the slip was made.

The parser often notices a slip lines later: a table says whether its own mark or the one where it began to read is better.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import yaml


class Slip(NamedTuple):
    """`problem` is a part of what the parser says, `fits` a test of the line before and behind the mark."""

    problem: str
    message: str
    help: str
    began: bool = False
    """The mark is the one where the parser began to read, not the one where it gave up."""
    fits: Callable[[str, str], bool] = lambda before, behind: True


def _dash(before: str, behind: str) -> bool:
    return re.match(r"-[^\s-]", behind) is not None


def _tab(before: str, behind: str) -> bool:
    return behind.startswith("\t")


def _second_colon(before: str, behind: str) -> bool:
    return ": " in before


def _closing(before: str, behind: str) -> bool:
    opened = sum(before.count(bracket) for bracket in "[{") - sum(before.count(bracket) for bracket in "]}")
    return behind.startswith(("]", "}")) and opened == 0


def _quote(before: str, behind: str) -> bool:
    return before.endswith(("'", '"'))


def _braced_name(before: str, behind: str) -> bool:
    return before.endswith("$") and behind.startswith("{")


def _bare_options(before: str, behind: str) -> bool:
    return re.fullmatch(r"\s*(- )+\w+: +\w+", before) is not None


DASH = ("a dash needs a blank behind it", "write `- conv: …`")
SLIPS = (
    Slip("expected", *DASH, began=True, fits=_dash),
    Slip("expected", *DASH, fits=_dash),
    Slip("expected", "this bracket closes nothing", "take it away, or open it before", fits=_closing),
    Slip("cannot start any token", "a tab may not indent a line", "use blanks", fits=_tab),
    Slip("tab character", "a tab may not indent a line", "use blanks"),
    Slip("cannot start any token", "this character cannot start a value", "put the text in quotes"),
    Slip(
        "mapping values are not allowed",
        "a second `: ` in one line",
        "put options into braces: conv: {filters: 8, kernel: 3}",
        fits=_bare_options,
    ),
    Slip(
        "mapping values are not allowed",
        "a second `: ` in one line",
        "put the text behind the first colon in quotes, or give the inner key a line of its own",
        fits=_second_colon,
    ),
    Slip(
        "mapping values are not allowed",
        "no key can stand here",
        "check the indentation of this line, and that the key above it has its colon and no value yet",
    ),
    Slip("expected ',' or ']'", "this list is not closed", "add `]`, or the comma that is missing"),
    Slip("expected ',' or", "a name behind `$` has no braces", "write $name, or $(…) to compute", fits=_braced_name),
    Slip("expected ',' or '}'", "this mapping is not closed", "add `}`, or the comma that is missing"),
    Slip("unexpected end of stream", "a quote is opened and never closed", "add the closing quote", began=True),
    Slip("expected ':'", "a key without a colon", "write `key: value`; an item of a list starts with `- `", began=True),
    Slip("expected '-' indicator", "this line does not start with a dash, as its list does", "write `- ` before it, or indent it further"),
    Slip("expected key", "this text goes on behind its closing quote", "double a quote that stands inside", fits=_quote),
    Slip(
        "expected key",
        "this line does not fit the lines above",
        "check its indentation: the items of one list, and the keys of one mapping, start in the same column",
    ),
    Slip("expected node content", "a value is missing here", "write one, or take the comma or bracket away"),
    Slip(
        "expected <document start>",
        "this line belongs to nothing above it",
        "a spec is one mapping, its keys in the first column",
    ),
    Slip("unknown escape", "in double quotes a backslash begins an escape", "write two of them, or use single quotes"),
    Slip("comment or line break", "the text of `|` or `>` starts in the next line", "move it there, indented"),
    Slip("alphabetic or numeric", "a text may not start with `&` or `*`", "put it in quotes", began=True),
)
"""The first that fits is said."""


def explain(error: yaml.MarkedYAMLError, lines: Sequence[str]) -> tuple[Any, str, str]:
    """A mark, what is wrong there, and what to do."""
    problem = str(error.problem or error)
    for slip in SLIPS:
        mark = _mark(error, slip.began or _opened_earlier(error))
        if slip.problem in problem and slip.fits(*_around(mark, lines)):
            return mark, slip.message, slip.help
    return _mark(error, False), f"this is not YAML: {problem}", ""


def _mark(error: yaml.MarkedYAMLError, began: bool) -> Any:
    marks = (error.context_mark, error.problem_mark) if began else (error.problem_mark, error.context_mark)
    return marks[0] or marks[1]


def _opened_earlier(error: yaml.MarkedYAMLError) -> bool:
    """A bracket that is missed lines later is shown where it was opened."""
    before, at = error.context_mark, error.problem_mark
    return bool(before and at and "expected ','" in str(error.problem) and before.line < at.line)


def _around(mark: Any, lines: Sequence[str]) -> tuple[str, str]:
    line = lines[mark.line] if mark and mark.line < len(lines) else ""
    return (line[: mark.column], line[mark.column :]) if mark else ("", "")

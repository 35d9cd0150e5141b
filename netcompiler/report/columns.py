"""Columns of text that fit a width: some may be cut short, and the first set of columns that fits is taken."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from netcompiler.diagnostics import Style

GAP = 2


@dataclass(frozen=True)
class Column:
    """`least` is how far the column may be cut, 0 not at all; `keep` says what of a text stays: start, end, or parts up to a comma."""

    title: str
    cells: tuple[str, ...]
    right: bool = False
    least: int = 0
    keep: str = "start"
    tint: str = ""

    @property
    def width(self) -> int:
        return max(len(text) for text in (self.title, *self.cells))

    @property
    def narrowest(self) -> int:
        return min(self.width, max(self.least, len(self.title))) if self.least else self.width

    def cut(self, width: int) -> Column:
        return self if width >= self.width else replace(self, cells=tuple(cut(text, width, self.keep) for text in self.cells))


def cut(text: str, width: int, keep: str = "start") -> str:
    if len(text) <= width:
        return text
    if keep == "end":
        return "…" + text[len(text) - width + 1 :]
    comma = text.rfind(", ", 0, width - 2) if keep == "parts" else -1
    return f"{text[:comma]}, …" if comma > 0 else text[: max(0, width - 1)] + "…"


def fit(layouts: Iterable[Sequence[Column]], width: int | None) -> list[Column]:
    """The first layout that fits, its columns cut where they have to be; the last one is cut until it does."""
    columns: list[Column] = []
    for layout in layouts:
        columns = [column for column in layout if any(column.cells)]
        if width is None or _span([column.narrowest for column in columns]) <= width:
            return _narrow(columns, width)
    return _narrow([replace(column, least=1) for column in columns], width)


def _span(widths: Sequence[int]) -> int:
    return sum(widths) + GAP * (len(widths) - 1)


def _narrow(columns: list[Column], width: int | None) -> list[Column]:
    """Takes what is too much from the columns that may give, from left to right; those that keep their ends give last."""
    widths = [column.width for column in columns]
    excess = 0 if width is None else _span(widths) - width
    for at in sorted(range(len(columns)), key=lambda at: columns[at].keep == "end"):
        given = min(max(0, excess), widths[at] - columns[at].narrowest)
        widths[at] -= given
        excess -= given
    return [column.cut(room) for column, room in zip(columns, widths, strict=True)]


def as_lines(columns: Sequence[Column], style: Style | None = None) -> list[str]:
    """The title line, then a line for each row."""
    paint = style or Style()
    padded = [_pad(column) for column in columns]
    tints = [column.tint for column in columns]
    lines = []
    for index, row in enumerate(zip(*padded, strict=True)):
        row = (*row[:-1], row[-1].rstrip())
        texts = [_painted(paint, tint if index else "bold", text) for tint, text in zip(tints, row, strict=True)]
        lines.append((" " * GAP).join(texts).rstrip())
    return lines


def as_markdown(columns: Sequence[Column]) -> list[str]:
    heads = [column.title for column in columns]
    rule = ["--:" if column.right else ":--" for column in columns]
    rows = zip(*(column.cells for column in columns), strict=True)
    return ["| " + " | ".join(text.replace("|", "\\|") for text in row) + " |" for row in (heads, rule, *rows)]


def _pad(column: Column) -> list[str]:
    texts = (column.title, *column.cells)
    width = max(map(len, texts))
    return [text.rjust(width) if column.right else text.ljust(width) for text in texts]


def _painted(paint: Style, tint: str, text: str) -> str:
    """Blanks at the end stay outside the colour."""
    bare = text.rstrip()
    return (paint(tint, bare) if tint else bare) + text[len(bare) :]

"""The table of a net, as wide as the terminal allows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from netcompiler.diagnostics import Style
from netcompiler.graph import Graph
from netcompiler.report import figures
from netcompiler.report.columns import Column, as_lines, as_markdown, fit
from netcompiler.report.rows import Row, rows
from netcompiler.totals import macs

LAYOUTS = (
    ("name", "layer+", "input", "output", "params", "MACs", "field", "share"),
    ("name", "layer+", "input", "output", "params", "MACs", "field"),
    ("name", "layer", "input", "output", "params", "MACs", "field", "share"),
    ("name", "layer", "input", "output", "params", "MACs", "field"),
    ("name", "layer", "input", "output", "~params", "~MACs", "field", "share"),
    ("name", "layer", "output", "~params", "~MACs", "field", "share"),
    ("name", "layer", "output", "~params", "~MACs", "share"),
    ("name", "layer", "output", "~params", "~MACs"),
    ("name", "output", "~params", "~MACs"),
    ("name", "output", "~params"),
)
BAR = 12
MOST_OF_A_LAYER = 21


def text_table(graph: Graph, depth: int | None, width: int | None, style: Style) -> list[str]:
    columns = _columns(rows(graph, depth), macs(graph))
    layouts = [[columns[key] for key in layout] for layout in LAYOUTS]
    if width is not None:
        layouts.insert(0, [*(replace(column, least=0) for column in layouts[0]), columns["bar"]])
    return as_lines(fit(layouts, width), style)


def markdown_table(graph: Graph, depth: int | None) -> list[str]:
    columns = _columns(rows(graph, depth), macs(graph))
    return as_markdown([columns[key] for key in LAYOUTS[0] if any(columns[key].cells)])


def _columns(rows: Sequence[Row], whole: int) -> dict[str, Column]:
    def cells(text: Callable[[Row], str]) -> tuple[str, ...]:
        return tuple(map(text, rows))

    return {
        "name": Column("name", cells(lambda row: row.name), least=14, keep="end"),
        "layer": Column("layer", cells(lambda row: row.detail), least=_least(rows, 1), keep="parts"),
        "layer+": Column("layer", cells(lambda row: row.detail), least=_least(rows, 2), keep="parts"),
        "input": Column("input", cells(lambda row: row.reads), least=12, tint="cyan"),
        "output": Column("output", cells(lambda row: row.output), right=True),
        "params": Column("params", cells(lambda row: figures.exact(row.params)), right=True),
        "~params": Column("params", cells(lambda row: figures.short(row.params)), right=True),
        "MACs": Column("MACs", cells(lambda row: figures.exact(row.macs)), right=True),
        "~MACs": Column("MACs", cells(lambda row: figures.short(row.macs)), right=True),
        "field": Column("field", cells(lambda row: figures.field(row.reach)), right=True),
        "share": Column("share", cells(lambda row: figures.percent(row.macs, whole)), right=True),
        "bar": Column("", _bars(rows), tint="blue"),
    }


def _least(rows: Sequence[Row], parts: int) -> int:
    """Room for the first parts of each layer, up to a comma, and a sign that there is more."""
    split = (row.detail.split(", ") for row in rows)
    return min(MOST_OF_A_LAYER, max((len(", ".join([*some[:parts], *(["…"] if some[parts:] else [])])) for some in split), default=0))


def _bars(rows: Sequence[Row]) -> tuple[str, ...]:
    """Each row's MACs beside the most that any row has, in eighths of a cell."""
    most = max((row.macs for row in rows), default=0) or 1
    return tuple(figures.bar(round(8 * BAR * row.macs / most)) for row in rows)

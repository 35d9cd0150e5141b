"""The whole report on a net, as text and as Markdown."""

from __future__ import annotations

import textwrap

from netcompiler.diagnostics import Style
from netcompiler.footprint import Exact, Footprint
from netcompiler.graph import Graph
from netcompiler.report import summary, table
from netcompiler.report.columns import as_markdown as as_markdown_table
from netcompiler.totals import totals

UNFINISHED = "The rest, and the totals, need the errors mended first."


def as_text(graph: Graph, memory: Footprint, depth: int | None, width: int | None, style: Style, exact: Exact | None = None) -> str:
    above = summary.as_text([(summary.title(graph), summary.first_sentence(graph.doc))], width, style)
    middle = table.text_table(graph, depth, width, style)
    if graph.broken:
        return _joined(above, middle, textwrap.wrap(UNFINISHED, width or summary.WIDEST))
    figures = summary.aligned(summary.total_figures(totals(graph)), width)
    return _joined(
        above,
        middle,
        summary.as_text(summary.output_facts(graph), width, style),
        summary.as_text(figures, width, style),
        summary.exact_table(exact, width, style) if exact else summary.memory_table(memory, width, style),
        textwrap.wrap(summary.exact_rule(exact) if exact else summary.memory_rule(memory), width or summary.WIDEST),
    )


def as_markdown(graph: Graph, memory: Footprint, depth: int | None, exact: Exact | None = None) -> str:
    above = [f"## {summary.title(graph)}", *([""] if graph.doc else []), *graph.doc.splitlines()]
    middle = table.markdown_table(graph, depth)
    if graph.broken:
        return _joined(above, middle, [UNFINISHED])
    figures = [f"- {name}: **{count:,}** {remark}" for name, count, remark in summary.total_figures(totals(graph))]
    outputs = [f"- output: {text}" for _, text in summary.output_facts(graph)]
    columns = summary.exact_columns(exact) if exact else summary.memory_columns(memory)
    rule = summary.exact_rule(exact) if exact else summary.memory_rule(memory)
    return _joined(above, middle, [*outputs, *figures], as_markdown_table(columns), [rule])


def _joined(*parts: list[str]) -> str:
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"

"""netc zoo: the nets that come with netc, each as its file is written."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from netcompiler import zoo
from netcompiler.cli import FINE, arguments, terminal
from netcompiler.cli.loading import load
from netcompiler.report import figures, summary
from netcompiler.report.columns import Column, as_lines, fit
from netcompiler.totals import totals


def main(words: Sequence[str]) -> int:
    arguments.Parser("zoo", "The nets that come with netc, each counted as its file is written, without a variant.").parse_args(words)
    names, params, macs, variants, docs = zip(*map(_row, zoo.names()), strict=True)
    columns = [
        Column("name", names, tint="bold"),
        Column("params", params, right=True),
        Column("MACs", macs, right=True),
        Column("variants", variants, least=16, tint="cyan"),
        Column("about", docs, least=24),
    ]
    table = fit([columns, columns[:4], columns[:3]], terminal.width(sys.stdout))
    print("\n".join(as_lines(table, terminal.style(sys.stdout))))
    return FINE


def _row(name: str) -> tuple[str, ...]:
    graph = load(name).graph
    if graph is None:
        return name, "", "", "", "has errors: `netc check` shows them"
    whole = totals(graph)
    about = summary.first_sentence(graph.doc)
    return name, figures.short(whole.params), figures.short(whole.macs), ", ".join(zoo.variants(name)), about

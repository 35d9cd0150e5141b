"""What stands above and below the table: the net's name and source, its outputs, the totals."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from netcompiler.diagnostics import Style
from netcompiler.footprint import Exact, Footprint, parts
from netcompiler.graph import Graph, Output
from netcompiler.report import figures
from netcompiler.report.columns import GAP, Column, as_lines, fit
from netcompiler.report.description import described
from netcompiler.totals import Totals

Fact: TypeAlias = tuple[str, str]
Figure: TypeAlias = tuple[str, int, str]
WIDEST = 120
LEAST_ROOM = 24


def first_sentence(doc: str) -> str:
    """Up to the first full stop that a capital or nothing follows; `et al.` and figures go on."""
    text = " ".join(doc.split())
    match = re.match(r".*?(?<!\bal)(?<!\b[A-Z])[.](?=\s+[A-Z(]|$)", text)
    return match[0] if match else text


def title(graph: Graph) -> str:
    return graph.name if graph.variant is None else f"{graph.name}:{graph.variant}"


def output_facts(graph: Graph) -> list[Fact]:
    return [("output" if not at else "", output_text(output)) for at, output in enumerate(graph.outputs)]


def output_label(output: Output) -> str:
    return "output" if output.name == "output" else f"output {output.name}"


def output_text(output: Output) -> str:
    name = "" if output.name == "output" else f"{output.name}: "
    parts = [f"{name}{output.node.name}"]
    if output.loss is not None:
        parts.append(described(output.loss))
    if output.target:
        parts.append(f"target {output.target}")
    if output.weight != 1:
        parts.append(f"weight {output.weight:g}")
    if output.only:
        parts.append("training only")
    return ", ".join(parts)


def total_figures(totals: Totals) -> list[Figure]:
    buffers = f", beside {totals.buffers:,} in buffers" if totals.buffers else ""
    return [
        ("params", totals.params, f"learnable{buffers}"),
        ("neurons", totals.neurons, "outputs of layers with weights"),
        ("connections", totals.connections, "values that the units read, a bias being one"),
        ("depth", totals.depth, "layers with weights on the longest path"),
        ("MACs", totals.macs, "multiply-accumulates of convolutions and linear layers, biases not counted"),
        ("FLOPs", totals.flops, "2 x MACs + 1 for every other addition, product, comparison and function"),
    ]


def aligned(figures: Sequence[Figure], width: int | None) -> list[Fact]:
    """Facts whose labels end with their figures, one below the other; a narrow terminal goes without the remarks."""
    names = max(len(name) for name, _, _ in figures)
    digits = max(len(f"{count:,}") for _, count, _ in figures)
    room = (width or WIDEST) - names - digits - 2 * GAP
    return [(f"{name:<{names}}  {count:>{digits},}", remark if room >= LEAST_ROOM else "") for name, count, remark in figures]


def memory_columns(memory: Footprint) -> list[Column]:
    parts = (
        ("parameters", memory.needed, memory.parameters),
        ("gradients", 0, memory.gradients),
        ("optimizer", 0, memory.state),
        ("activations", memory.live, memory.kept),
        ("total", memory.inference, memory.training),
    )
    sizes = [Column(title, tuple(figures.size(part) if part else "" for part in cells), right=True) for title, *cells in parts]
    return [Column("memory", ("inference", "training"), tint="bold"), *sizes]


def memory_table(memory: Footprint, width: int | None, style: Style) -> list[str]:
    columns = memory_columns(memory)
    return as_lines(fit([columns, [columns[0], *columns[4:]], [columns[0], columns[5]]], width), style)


def exact_columns(exact: Exact) -> list[Column]:
    """As the estimate; a plan has bytes beside those four."""
    plans = {"inference": exact.inference, "training": exact.training}
    rows = {mode: parts(segments) for mode, segments in plans.items() if segments}
    names = rows["inference"]
    sizes = [Column(name, tuple(figures.size(row[name]) if row[name] else "" for row in rows.values()), right=True) for name in names]
    return [Column("memory", tuple(rows), tint="bold"), *sizes]


def exact_table(exact: Exact, width: int | None, style: Style) -> list[str]:
    columns = exact_columns(exact)
    return as_lines(fit([columns, [columns[0], *columns[-3:]], [columns[0], columns[-1]]], width), style)


def exact_rule(exact: Exact) -> str:
    sizes = f"{sum(exact.inference.values()):,} bytes for inference"
    sizes += f" and {sum(exact.training.values()):,} for training" if exact.training else ""
    return (
        f"What the plans take at batch {exact.batch} in {exact.numbers}, to the byte: {sizes}. `netc plan --memory` shows what lies where."
    )


def memory_rule(memory: Footprint) -> str:
    return (
        f"An estimate at batch {memory.batch} in {memory.numbers}; activations: the most that live at once, and those kept for the backward"
        f" pass. All outputs together take {figures.size(memory.activations)}. `--plan` compiles, and tells it to the byte."
    )


def as_text(facts: Iterable[Fact], width: int | None, style: Style) -> list[str]:
    """Labels on the left, texts wrapped beside them."""
    facts = list(facts)
    margin = max((len(label) for label, _ in facts), default=0) + 2
    room = max((width or WIDEST) - margin, 16)
    lines = []
    for label, text in facts:
        first, *rest = textwrap.wrap(text, room) or [""]
        lines.append(f"{style('bold', label)}{' ' * (margin - len(label))}{first}".rstrip())
        lines += [" " * margin + line for line in rest]
    return lines

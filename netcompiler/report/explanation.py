"""One layer, or one scope, with the formulas that give its figures."""

from __future__ import annotations

import difflib
import textwrap

from netcompiler.diagnostics import Style, did_you_mean
from netcompiler.graph import Graph, Node
from netcompiler.layers.layer import show, total
from netcompiler.report import figures, summary
from netcompiler.report.description import described


def members(graph: Graph, name: str) -> list[Node]:
    """The layer of that name, or those of the scope; raises LookupError. A mere number resembles too many to guess."""
    found = [node for node in (*graph.inputs, *graph) if node.name == name or node.name.startswith(f"{name}.")]
    if not found:
        known = [node.name for node in (*graph.inputs, *graph)] + list(graph.scopes)
        raise LookupError(f"there is no layer `{name}` in {summary.title(graph)}" + _hint(name, known))
    return found


def _hint(name: str, known: list[str]) -> str:
    close = [] if name.isdigit() else difflib.get_close_matches(name, known, 1, 0.6)
    return f": {did_you_mean(name, close)}" if close else "; the table at --depth all lists them"


def as_text(graph: Graph, name: str, width: int | None, style: Style) -> str:
    return "\n".join(_one(graph, node, width, style) for node in members(graph, name))


def _one(graph: Graph, node: Node, width: int | None, style: Style) -> str:
    what = described(node.layer) if node.layer else "an input of the net"
    facts = [
        ("  written", ", ".join([str(node.place), *map(str, reversed(node.calls))])),
        *(("  input" if at == 0 else "", f"{show(x.shape)} from {x.name}") for at, x in enumerate(node.inputs)),
        ("  output", f"{show(node.shape)}{_readers(graph, node)}"),
        ("  field", _field(graph, node)),
    ]
    heading = summary.as_text([(node.name, what)], width, style)
    return "\n".join([*heading, *summary.as_text(facts, width, style), *_formulas(node, width)]) + "\n"


def _formulas(node: Node, width: int | None) -> list[str]:
    if node.layer is None:
        return []
    lines = ["", node.layer.formula, *node.layer.explain(node.inputs[0].shape, node.shape)]
    macs, work, _ = node.cost
    if macs or work:
        lines.append(total("FLOPs", node.cost.flops, f"2 * {macs:,} MACs" if macs else "", f"{work:,} other operations" if work else ""))
    return [part for line in lines for part in _indented(line, width)]


def _indented(line: str, width: int | None) -> list[str]:
    """Formulas of several lines keep their shape; what does not fit goes on further in."""
    rows: list[str] = []
    for part in line.split("\n"):
        fits = width is None or 2 + len(part) <= width
        rows += [f"  {part}".rstrip()] if fits else textwrap.wrap(part, width or 0, initial_indent="  ", subsequent_indent=" " * 6)
    return rows


def _readers(graph: Graph, node: Node) -> str:
    names = [reader.name for reader in graph if node in reader.inputs]
    names += [f"the {summary.output_label(output)}" for output in graph.outputs if output.node is node]
    return f" to {', '.join(names)}" if names else ""


def _field(graph: Graph, node: Node) -> str:
    reach = graph.fields[node]
    if reach is None:
        return "the whole input"
    size, _, step = figures.field(reach).partition("/")
    return f"{size} cell{'s' * (size != '1')} of the input, {step} from one output to the next" if size else "one number"

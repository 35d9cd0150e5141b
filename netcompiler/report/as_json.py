"""The report for programs: keys and their order are part of the format, version 1. A node a line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any

from netcompiler.diagnostics import Diagnostic, as_dict
from netcompiler.footprint import Exact, Footprint
from netcompiler.graph import Graph, Node
from netcompiler.layers.layer import Reach
from netcompiler.report.description import plain_options
from netcompiler.totals import Totals, totals

VERSION = 1


def as_json(spec: str, graph: Graph | None, memory: Footprint | None, diagnostics: Sequence[Diagnostic], exact: Exact | None = None) -> str:
    """`totals` is null while errors leave layers out, and so are variant and name when there is no net at all."""
    whole = _totals(totals(graph), memory, exact) if graph and memory and not graph.broken else None
    nodes = [_node(graph, node) for node in (*graph.inputs, *graph)] if graph else []
    entries = (
        ("netc", json.dumps(VERSION)),
        ("spec", json.dumps(graph.spec if graph else spec)),
        ("variant", json.dumps(graph.variant if graph else None)),
        ("name", json.dumps(graph.name if graph else None)),
        ("nodes", _lines(nodes)),
        ("totals", json.dumps(whole)),
        ("diagnostics", _lines(map(as_dict, diagnostics))),
    )
    return "{\n" + ",\n".join(f'"{key}": {text}' for key, text in entries) + "\n}\n"


def _lines(records: Iterable[dict[str, Any]]) -> str:
    texts = [json.dumps(record) for record in records]
    return "[\n  " + ",\n  ".join(texts) + "\n]" if texts else "[]"


def _node(graph: Graph, node: Node) -> dict[str, Any]:
    counted = node.only != "train"
    return {
        "name": node.name,
        "layer": node.kind,
        "options": plain_options(node.layer) if node.layer else {},
        "inputs": [x.name for x in node.inputs],
        "output": list(node.shape),
        "params": node.params,
        "buffers": node.buffers,
        "macs": node.cost.macs if counted else 0,
        "flops": node.cost.flops if counted else 0,
        "receptive_field": _field(graph.fields[node]),
        "line": node.place.line,
        "column": node.place.column,
    }


def _field(reach: Reach | None) -> dict[str, Any] | None:
    return reach and {"size": list(reach.extent), "stride": [_number(step) for step in reach.step]}


def _number(value: Fraction | int) -> int | float:
    return value if isinstance(value, int) else float(value)


def _totals(totals: Totals, memory: Footprint, exact: Exact | None) -> dict[str, Any]:
    plan = {"plan": {"inference": exact.inference, "training": exact.training}} if exact else {}
    return {
        "params": totals.params,
        "buffers": totals.buffers,
        "neurons": totals.neurons,
        "depth": totals.depth,
        "macs": totals.macs,
        "flops": totals.flops,
        "memory": {"parameters": memory.parameters, "inference": memory.inference, "training": memory.training, **plan},
    }

"""netc check: shapes, counts, memory and mistakes of a net."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from netcompiler import diagnostics
from netcompiler.budget import Budget, overruns
from netcompiler.cli import FAULTY, FINE, Refusal, arguments, remarks, terminal, version
from netcompiler.cli.loading import estimate, load
from netcompiler.diagnostics import Diagnostic, SpecError
from netcompiler.footprint import Exact, Footprint
from netcompiler.graph import Graph
from netcompiler.recipe import Recipe
from netcompiler.report import document, explanation, figures
from netcompiler.report.as_json import as_json
from netcompiler.scan import scan

FORMATS = ("text", "json", "markdown", "github", "sarif")

FEW = 100
"""Layers of a net that is compiled before a person notices; the memory of larger ones is an estimate unless --plan is given."""


def main(words: Sequence[str]) -> int:
    args = _parser().parse_args(words)
    if args.explain and args.format != "text":
        raise Refusal("--explain prints text only: leave --format out")
    loaded = load(args.spec, args.set)
    graph, found = loaded.graph, list(loaded.diagnostics)
    if graph and args.scan:
        graph, mistakes = scan(graph, args.scan)
        found += mistakes
    memory = plans = None
    if graph:
        memory = estimate(graph, loaded.recipe, args.batch)
        if _compiles(args, graph) and not loaded.errors:
            plans, refused = _plans(graph, loaded.recipe, memory.batch)
            found += refused
        found += [] if graph.broken else overruns(graph, memory, Budget(args.max_params, args.max_macs, args.max_memory), plans)
    sys.stdout.write(_report(args, graph, memory, plans, found))
    if args.format in ("text", "markdown"):
        remarks.write(found, args.notes)
    return FAULTY if remarks.has_errors(found) else FINE


def _parser() -> arguments.Parser:
    parser = arguments.Parser("check", "Shapes, counts, memory and mistakes of a net, without running it.")
    count = arguments.converter(figures.read_count, "a number such as 25000000 or 25M")
    size = arguments.converter(figures.read_size, "a size such as 500MB or 8GiB")
    parser.add_spec()
    parser.add_settings()
    parser.add_argument(
        "--batch", type=arguments.count, metavar="N", help="pictures at once, for the memory; default: the spec's own, or 1"
    )
    parser.add_argument(
        "--plan", action="store_true", help=f"compile nets of more than {FEW} layers, too: the memory is what plans take, to the byte"
    )
    parser.add_argument("--depth", type=arguments.depth, default=2, metavar="N|all", help="fold names of more than N parts; default: 2")
    parser.add_argument("--scan", type=arguments.sides, metavar="HxW", help="read a larger input position by position")
    parser.add_argument("--explain", metavar="LAYER", help="the formulas of one layer, or of all layers of a scope, with their numbers")
    parser.add_argument("--format", choices=FORMATS, default="text", help="default: text")
    parser.add_argument("--max-params", type=count, metavar="N", help="fail when there are more learnable parameters")
    parser.add_argument("--max-macs", type=count, metavar="N", help="fail when a picture takes more multiply-accumulates")
    parser.add_argument("--max-memory", type=size, metavar="SIZE", help="fail when training at this batch takes more")
    parser.add_argument("--notes", action="store_true", help="show the remarks that are no errors")
    return parser


def _compiles(args: argparse.Namespace, graph: Graph) -> bool:
    """Whether the memory is that of the plans: where it is asked for, or said and soon known."""
    said = args.max_memory is not None or (args.format in ("text", "json", "markdown") and not args.explain)
    return bool(args.plan or (said and not args.scan and len(graph.nodes) <= FEW))


def _plans(graph: Graph, recipe: Recipe | None, batch: int) -> tuple[Exact | None, Sequence[Diagnostic]]:
    from netcompiler.exact import exact  # the compiler, which takes as long to import as all the rest

    try:
        return exact(graph, recipe, batch), ()
    except SpecError as error:
        return None, error.diagnostics


def _report(
    args: argparse.Namespace, graph: Graph | None, memory: Footprint | None, plans: Exact | None, found: Sequence[Diagnostic]
) -> str:
    if args.format == "json":
        return as_json(args.spec, graph, memory, found, plans)
    if args.format == "github":
        return diagnostics.as_github(found)
    if args.format == "sarif":
        return diagnostics.as_sarif(found, version())
    if graph is None or memory is None:
        return ""
    if args.format == "markdown":
        return document.as_markdown(graph, memory, args.depth, plans)
    width, style = terminal.width(sys.stdout), terminal.style(sys.stdout)
    if not args.explain:
        return document.as_text(graph, memory, args.depth, width, style, plans)
    try:
        return explanation.as_text(graph, args.explain, width, style)
    except LookupError as error:
        raise Refusal(str(error)) from None

"""netc diff: two nets, layer by layer."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from netcompiler.cli import FAULTY, FINE, arguments, remarks, terminal
from netcompiler.cli.loading import estimate, load
from netcompiler.report import difference


def main(words: Sequence[str]) -> int:
    args = _parser().parse_args(words)
    old, new = load(args.old, args.set), load(args.new, args.set)
    faults = [*old.errors, *new.errors]
    if faults or not old.graph or not new.graph:
        remarks.write(faults)
        return FAULTY
    found = difference.changes(old.graph, new.graph, args.depth)
    memories = estimate(old.graph, old.recipe, args.batch), estimate(new.graph, new.recipe, args.batch)
    width, style = terminal.width(sys.stdout), terminal.style(sys.stdout)
    sys.stdout.write(difference.as_text(old.graph, new.graph, found, memories, width, style))
    return FAULTY if found and args.exit_code else FINE


def _parser() -> arguments.Parser:
    parser = arguments.Parser("diff", "Two nets, layer by layer: - only in the first, + only in the second, ~ different.")
    parser.add_spec("old")
    parser.add_spec("new")
    parser.add_settings()
    parser.add_argument("--batch", type=arguments.count, metavar="N", help="pictures at once, for the memory")
    parser.add_argument(
        "--depth", type=arguments.depth, default=2, metavar="N|all", help="fold what only one has at N parts of the name; default: 2"
    )
    parser.add_argument("--exit-code", action="store_true", help="exit with 1 when they differ")
    return parser

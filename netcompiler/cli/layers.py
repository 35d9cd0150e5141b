"""netc layers: what the language has, from the classes themselves."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from netcompiler.cli import FINE, Refusal, arguments, terminal
from netcompiler.diagnostics import did_you_mean
from netcompiler.layers import KINDS
from netcompiler.report import vocabulary


def main(words: Sequence[str]) -> int:
    parser = arguments.Parser("layers", "The layers of the language; with a name, one of them.")
    parser.add_argument("name", nargs="?", metavar="NAME", help="a layer, such as conv")
    args = parser.parse_args(words)
    if args.name and args.name not in KINDS:
        raise Refusal(f"there is no layer `{args.name}`: {did_you_mean(args.name, KINDS) or '`netc layers` lists them'}")
    width, style = terminal.width(sys.stdout), terminal.style(sys.stdout)
    lines = vocabulary.one_kind(KINDS[args.name], width, style) if args.name else vocabulary.all_kinds(KINDS, width, style)
    print("\n".join(lines))
    return FINE

"""netc expand: the flat spec with the origin of each value."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from netcompiler.cli import FAULTY, FINE, arguments, remarks
from netcompiler.cli.loading import load
from netcompiler.report import expansion


def main(words: Sequence[str]) -> int:
    parser = arguments.Parser("expand", "The flat spec, every layer one item, each value with the file and line where it came from.")
    parser.add_spec()
    parser.add_settings()
    parser.add_argument("--defaults", action="store_true", help="print the options that were not written, too")
    args = parser.parse_args(words)
    loaded = load(args.spec, args.set)
    if loaded.errors or not loaded.graph:
        remarks.write(loaded.errors)
        return FAULTY
    sys.stdout.write(expansion.as_text(loaded.graph, loaded.recipe, args.set, args.defaults))
    return FINE

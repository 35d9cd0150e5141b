"""netc schema: the JSON Schema of the language, on standard output."""

from __future__ import annotations

import json
from collections.abc import Sequence

from netcompiler.cli import FINE, arguments
from netcompiler.json_schema import build


def main(words: Sequence[str]) -> int:
    arguments.Parser("schema", "The JSON Schema of the language, for editors: completion, and documentation on hover.").parse_args(words)
    print(json.dumps(build(), indent=2))
    return FINE

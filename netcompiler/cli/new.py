"""netc new: a spec to start from."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from netcompiler.cli import FINE, Refusal, arguments

NAME = re.compile(r"(?!(true|false|null)$)[A-Za-z][A-Za-z0-9_-]*")
STARTER = Path(__file__).with_name("starter.yaml")


def main(words: Sequence[str]) -> int:
    parser = arguments.Parser("new", "Write a commented spec to NAME.yaml.")
    parser.add_argument("name", metavar="NAME", help="the name of the net, and of the file")
    name = parser.parse_args(words).name
    if not NAME.fullmatch(name):
        hint = f"; `netc new {name.removesuffix('.yaml')}` writes {name}" if NAME.fullmatch(name.removesuffix(".yaml")) else ""
        raise Refusal(f"`{name}` is no name for a net: letters, digits, _ and -, a letter first{hint}")
    text = STARTER.read_text(encoding="utf-8").replace("name: starter", f"name: {name}", 1)
    path = Path(f"{name}.yaml")
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise Refusal(f"{path} is there already, and stays as it is; choose another name") from None
    except OSError as error:
        raise Refusal(f"{path} cannot be written: {error.strerror}") from None
    print(f"{path} is written. `netc check {path}` counts it.")
    return FINE

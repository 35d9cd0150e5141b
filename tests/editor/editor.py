"""The schema in the YAML language server, which VS Code, Neovim and others run. `make editor` runs this: it needs Node."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from language_server import LanguageServer

from netcompiler import json_schema, zoo
from netcompiler.layers import KINDS
from netcompiler.losses import LOSSES
from netcompiler.schema import COMPOSITIONS

HEAD = "netc: 1\nname: small\ninput: [3, 32, 32]\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LanguageServer]:
    path: Path = tmp_path_factory.mktemp("schema") / "netc.json"
    path.write_text(json.dumps(json_schema.build()), encoding="utf-8")
    server = LanguageServer(path)
    yield server
    server.close()


@pytest.mark.parametrize("name", zoo.names())
def test_nothing_is_said_about_the_zoo(server: LanguageServer, name: str) -> None:
    assert server.diagnostics(f"{name}.yaml", zoo.read(name)[0]) == []


WRONG = [
    ("layers: [convv: {filters: 8, kernel: 3}]", "convv", "Property convv is not allowed."),
    ("layers: [conv: {filters: 8, kernel: 3, kernal: 3}]", "kernal", "Property kernal is not allowed."),
    ("layers: [conv: {filters: 8, kernel: x}]", "x", "must be a whole number, 1 or more, or a list with one for each side"),
    ("layers: [conv: {filters: 8}]", "conv", 'Missing property "kernel".'),
    ("layers: [{relu, tanh}]", "{relu", "Object has more properties than limit of 1."),
    ("layers: [dropout: 2]", "2", "Value is above the exclusive maximum of 1."),
    ("layers: [relu]\ntrain: {optimizer: {sgd: {rate: 0.1, mometum: 0.9}}}", "mometum", "Property mometum is not allowed."),
]


@pytest.mark.parametrize(("text", "at", "message"), WRONG, ids=[message for *_, message in WRONG])
def test_one_message_in_its_place(server: LanguageServer, text: str, at: str, message: str) -> None:
    [found] = server.diagnostics(f"wrong-{WRONG.index((text, at, message))}.yaml", HEAD + text)
    assert found["message"] == message
    start = found["range"]["start"]
    assert (HEAD + text).splitlines()[start["line"]][start["character"] :].startswith(at)


SHOWN = """layers:
  - conv: {filters: 8, kernel: 3}
  - relu
loss: cross_entropy
train:
  optimizer: {sgd: 0.1}
"""
HOVER = [
    ("conv", "Each filter slides over the input maps"),
    ("filters", "output maps (a whole number, 1 or more)"),
    ("relu", "y = max(x, 0)"),
    ("cross_entropy", "Soft-max with cross-entropy"),
    ("optimizer", "the rule that changes the weights"),
    ("sgd", "v = momentum * v + g"),
]


@pytest.mark.parametrize(("word", "words"), HOVER, ids=[word for word, _ in HOVER])
def test_hover(server: LanguageServer, word: str, words: str) -> None:
    assert server.diagnostics("shown.yaml", HEAD + SHOWN) == []
    before = (HEAD + SHOWN).split(word)[0].split("\n")
    assert words in server.hover("shown.yaml", len(before) - 1, len(before[-1]) + 1)


def completions(server: LanguageServer, name: str, text: str) -> set[str]:
    """What may stand at the end of a text."""
    server.diagnostics(name, HEAD + text)
    lines = (HEAD + text).split("\n")
    return set(server.completion(name, len(lines) - 1, len(lines[-1])))


def test_completion_of_an_item(server: LanguageServer) -> None:
    found = completions(server, "item.yaml", "layers:\n  - ")
    assert {*KINDS, *COMPOSITIONS} <= found
    assert len(found) < len(KINDS) + len(COMPOSITIONS) + 5


def test_completion_of_an_option(server: LanguageServer) -> None:
    assert set(KINDS["dropout"].model_fields) <= completions(server, "option.yaml", "layers:\n  - dropout:\n      ")
    assert {"same", "valid", "full"} <= completions(server, "padding.yaml", "layers:\n  - conv:\n      padding: ")


def test_completion_of_a_choice(server: LanguageServer) -> None:
    assert set(LOSSES) <= completions(server, "choice.yaml", "layers: [relu]\nloss: ")

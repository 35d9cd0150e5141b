"""specs/README.md: its made part is as the classes are, and everything on it that looks like a spec is one."""

from __future__ import annotations

import re
from pathlib import Path

import jsonschema
import pytest

from netcompiler import json_schema, load, reference, zoo
from netcompiler.diagnostics import Diagnostic
from netcompiler.expression import parse_value
from netcompiler.layers import KINDS
from netcompiler.loading import Loaded
from netcompiler.options import Kind
from netcompiler.recipe import Recipe
from netcompiler.schema import COMPOSITIONS
from netcompiler.source import Source, parse, plain

FOLDER = zoo.folder()
assert FOLDER
PAGE = (FOLDER / "README.md").read_text(encoding="utf-8")
TOLD = PAGE.partition(reference.BEGIN)[0]
SPECS = re.findall(r"```yaml( names)?\n(.*?)```", TOLD, re.DOTALL)
ERRORS = re.findall(r"^\| `(.*)` \| (.*) \|$", TOLD, re.MULTILINE)
VALIDATOR = jsonschema.Draft7Validator(json_schema.build())


def read(text: str, folder: Path) -> Loaded:
    path = folder / "page.yaml"
    path.write_text(text, encoding="utf-8")
    return load(str(path))


def clean(text: str, folder: Path) -> Loaded:
    loaded = read(text, folder)
    assert [f"{d.place}: {d.message}" for d in loaded.errors] == []
    assert list(VALIDATOR.iter_errors(plain(parse(Source("page.yaml", text))))) == []
    return loaded


def spec(input: list[int], **parts: str) -> str:
    """A small spec around what is looked at."""
    whole = {"netc": "1", "name": "small", "input": str(input), "layers": "[relu]", **parts}
    return "".join(f"{key}: {value}\n" for key, value in whole.items())


def test_the_made_part_is_as_the_classes_are() -> None:
    assert reference.replaced(PAGE) == PAGE, "run `python -m netcompiler.reference`"


def test_there_are_specs_and_errors_on_the_page() -> None:
    assert len(SPECS) > 12
    assert len(ERRORS) > 15


@pytest.mark.parametrize("text", [text for _, text in SPECS], ids=lambda text: text.split("name: ")[1].split()[0])
def test_a_spec_of_the_page(text: str, tmp_path: Path) -> None:
    assert clean(text, tmp_path).graph


@pytest.mark.parametrize("variant", ["small", "wide", "plain", "slow"])
def test_variants_of_the_page(variant: str, tmp_path: Path) -> None:
    [text] = [text for _, text in SPECS if "name: sizes" in text]
    clean(text, tmp_path)
    assert not load(f"{tmp_path}/page.yaml:{variant}").errors


def test_names_of_the_page(tmp_path: Path) -> None:
    """Behind `#` stand the full names of the layers that the line makes."""
    [text] = [text for names, text in SPECS if names]
    graph = clean(text, tmp_path).graph
    assert graph
    for number, line in enumerate(text.splitlines(), 1):
        _, _, names = line.partition("#")
        made = {node.name for node in graph if node.place.line == number}
        assert made == {name.strip() for name in names.split(",") if name.strip()}, line


@pytest.mark.parametrize(("written", "answer"), ERRORS, ids=[written for written, _ in ERRORS])
def test_an_error_of_the_page(written: str, answer: str, tmp_path: Path) -> None:
    key, _, value = written.partition(": ")
    found = read(spec([3, 32, 32], **{"loss": "cross_entropy", key: value}), tmp_path).errors
    assert any(error.message.startswith(answer) for error in found), _messages(found)


def _messages(found: list[Diagnostic]) -> str:
    return "\n".join(error.message for error in found)


def values() -> list[tuple[str, str]]:
    """`$(...)` of the text and what it is said to come to: `0.75 * 32` is 24."""
    return re.findall(r"`([^`$]+)` is (\d+)[,.]", TOLD.partition("## Arithmetic")[2])


def test_sums_of_the_page() -> None:
    assert values()
    for expression, value in values():
        assert parse_value(f"$({expression})").evaluate({}.__getitem__) == int(value)


INPUTS = {"linear": [400], "reshape": [400], "rbf": [84], "sequence": [400]}


@pytest.mark.parametrize("kind", [*KINDS.values(), *COMPOSITIONS.values()], ids=lambda kind: kind.kind)
def test_the_example_of_a_layer(kind: type[Kind], tmp_path: Path) -> None:
    graph = clean(spec(INPUTS.get(kind.kind, [64, 24, 24]), layers=f"\n  - {kind.example}"), tmp_path).graph
    assert graph
    assert kind.kind in COMPOSITIONS or [node.kind for node in graph] == [kind.kind]


CHOSEN = [kind for registry in json_schema.CHOICES for kind in registry.values()]


@pytest.mark.parametrize("kind", CHOSEN, ids=lambda kind: f"{kind.registry.noun}-{kind.kind}")
def test_the_example_of_a_choice(kind: type[Kind], tmp_path: Path) -> None:
    """It is a line of the file, for a loss, or of `train`."""
    key = kind.example.partition(":")[0]
    if key == "loss":
        graph = clean(spec([10], layers="[linear: 10]") + kind.example, tmp_path).graph
        assert graph
        assert isinstance(graph.outputs[0].loss, kind)
        return
    net = {"layers": "[conv: {filters: 10, kernel: 3}, global_mean_pool]", "outputs": "{class: {loss: cross_entropy}}"}
    recipe = clean(spec([getattr(kind, "channels", 3), 32, 32], **net, train=f"\n  {kind.example}"), tmp_path).recipe
    assert isinstance(recipe, Recipe)
    chosen = getattr(recipe, key)
    assert any(isinstance(one, kind) for one in (chosen if isinstance(chosen, list) else [chosen]))

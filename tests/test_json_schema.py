"""The schema for editors against an independent validator: what netc reads passes, what it refuses by its form does not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import jsonschema
import pytest

from netcompiler import json_schema, zoo
from netcompiler.layers import KINDS
from netcompiler.options import Kind, Options
from netcompiler.reader import fields_of
from netcompiler.recipe import Recipe
from netcompiler.recipe.recipe import LayerSettings
from netcompiler.schema import COMPOSITIONS, ITEM_KEYS, Block, Document, OutputOptions
from netcompiler.source import Source, parse, plain


@cache
def schema() -> dict[str, Any]:
    return json_schema.build()


@cache
def validator() -> jsonschema.Draft7Validator:
    return jsonschema.Draft7Validator(schema())


def mistakes(text: str) -> list[jsonschema.ValidationError]:
    return list(validator().iter_errors(plain(parse(Source("test.yaml", text)))))


def test_it_is_a_schema_of_draft_7() -> None:
    jsonschema.Draft7Validator.check_schema(schema())


def test_it_is_json_as_it_stands() -> None:
    assert json.loads(json.dumps(schema())) == schema()


@pytest.mark.parametrize("name", zoo.names())
def test_the_zoo_is_valid(name: str) -> None:
    assert not mistakes(zoo.read(name)[0])


def spec(**parts: str) -> str:
    """A small spec in which some parts are replaced or added; an empty text takes a part out."""
    whole = {"netc": "1", "name": "small", "input": "[3, 32, 32]", "layers": "[relu]", "loss": "l2", **parts}
    return "\n".join(f"{key.replace('_', '-')}: {value}" for key, value in whole.items() if value)


RIGHT = [
    {},
    {"layers": "[conv: {filters: 8, kernel: [3, 1], padding: [1, [0, 2]]}]"},
    {"layers": "[conv: {filters: $(2 * in), kernel: $k, padding: $p, stride: [1, $s], bias: $b, rounding: $r}]"},
    {"layers": "[linear: 10, dropout: $rate, batch_norm, $act, softmax, {relu, when: $(index > 0)}, map: 3]"},
    {"layers": "[{name: block$index, Block: 3}, Block, {Block: {a: 1, b: [2], c: same}}, {Block, from: above, when: false}]"},
    {"layers": "[concat: [a, above], add: {of: [a, input]}]"},
    {"layers": "[sequence: [relu], repeat: {times: 3, layers: []}, residual: [relu], residual: {body: [relu], shortcut: []}]"},
    {"layers": "[repeat: {over: {a: [1, 2], b: $list}, layers: [relu]}, branch: {join: add, paths: {a: relu, b: [relu], c: {linear: 3}}}]"},
    {"layers": "[conv: {filters: 64.0, kernel: 3}]"},
    {"input": "", "inputs": "{left: [3, 8, 8], right: [$n]}"},
    {"input": "$shape", "loss": "$loss"},
    {"loss": "{cross_entropy: {smoothing: 0.1}}"},
    {
        "loss": "",
        "outputs": "{a: {loss: l2}, b: {linear: 4, from: x, loss: l1, weight: 0.3, only: train, target: t}, c: Head, d: relu, e: [relu]}",
    },
    {
        "vars": "{a: 1, b: [1, [2]], c: text, d: true}",
        "variants": "{50: {}, small: {a: 2, layers: [relu], train.batch: 3, train.ema: null, loss: l1}}",
    },
    {"blocks": "{A: [relu], B: {args: {x, y: 3, z: $(2 * x), in_all: null}, layers: [relu]}}"},
    {
        "extends": "resnet:50",
        "input": "",
        "layers": "",
        "patch": "{fc: [], layer1.0: [same, relu], conv1: {conv: {filters: 3, kernel: 1}}}",
    },
    {"train": "{data: mnist, optimizer: {sgd: 0.1}, warmup: {epochs: 5}, early_stop: 3, layers: {fc: {rate: 10, init: he}}}"},
    {"train": "{augment: [flip, crop: {padding: 4}], schedule: {step: $n}, batch: $(2 * 64), memory: 2GB, metrics: [top1]}"},
    {"x_note": "[1, {a: 2}]"},
]


@pytest.mark.parametrize("parts", RIGHT, ids=str)
def test_right_documents(parts: dict[str, str]) -> None:
    assert not mistakes(spec(**parts))


WRONG = [
    # an unknown key in each place
    {"laers": "[relu]"},
    {"layers": "[convv: {filters: 8, kernel: 3}]"},
    {"layers": "[conv: {filters: 8, kernal: 3}]"},
    {"layers": "[reluu]"},
    {"layers": "[{relu, nam: a}]"},
    {"layers": "[residual: {body: [relu], shortcuts: []}]"},
    {"layers": "[sequence: [convv: 3]]"},
    {"layers": "[branch: {join: add, paths: {a: reluu, b: relu}}]"},
    {"layers": "[branch: {join: add, paths: {a: [reluu], b: relu}}]"},
    {"loss": "crossentropy"},
    {"loss": "{hinge: {margins: 3}}"},
    {"loss": "", "outputs": "{a: {los: l2}}"},
    {"loss": "", "outputs": "{a: {linear: 3, name: b}}"},
    {"loss": "", "outputs": "{a: [reluu]}"},
    {"blocks": "{A: {arg: {x: 1}, layers: [relu]}}"},
    {"blocks": "{A: [reluu]}"},
    {"variants": "{a: {layers: [reluu]}}"},
    {"train": "{optimiser: {sgd: 0.1}}"},
    {"train": "{optimizer: {sgd: {rate: 0.1, momentun: 0.9}}}"},
    {"train": "{warmup: {epoch: 5}}"},
    {"train": "{layers: {fc: {rates: 10}}}"},
    {"train": "{augment: [flipp]}"},
    # two kinds, or none
    {"layers": "[{relu, tanh}]"},
    {"layers": "[{name: a, relu, tanh}]"},
    {"layers": "[{A, B}]"},
    {"layers": "[{name: a}]"},
    {"layers": "[{name: a, from: above, when: true}]"},
    {"layers": "[{}]"},
    {"loss": "{l1: , l2: }"},
    # a wrong type, a missing option
    {"layers": "relu"},
    {"layers": "{relu: }"},
    {"layers": "[[relu]]"},
    {"layers": "[3]"},
    {"layers": "[conv]"},
    {"layers": "[conv: 3]"},
    {"layers": "[conv: {filters: 8}]"},
    {"layers": "[conv: {filters: 8.5, kernel: 3}]"},
    {"layers": "[conv: {filters: eight, kernel: 3}]"},
    {"layers": "[conv: {filters: 0, kernel: 3}]"},
    {"layers": "[conv: {filters: 8, kernel: 3, padding: some}]"},
    {"layers": "[conv: {filters: 8, kernel: 3, bias: 1}]"},
    {"layers": "[conv: {filters: 8, kernel: }]"},
    {"layers": "[linear: [10]]"},
    {"layers": "[dropout: 1.5]"},
    {"layers": "[relu: 3]"},
    {"layers": "[{relu, when: 1}]"},
    {"layers": "[{relu, name: 3}]"},
    {"layers": "[{concat: [a, b], from: c}]"},
    {"input": "3"},
    {"input": "[0]"},
    {"input": ""},
    {"input": "[1, 2, 3, 4, 5]"},
    {"inputs": "{a: [3]}"},
    {"netc": "2"},
    {"netc": ""},
    {"name": ""},
    {"layers": ""},
    {"vars": "{a: {b: 1}}"},
    {"vars": "{a: $b}"},
    {"vars": "{layers: 1}"},
    {"vars": "{a-b: 1}"},
    {"patch": "{a: []}"},
    {"blocks": "{small: [relu]}"},
    {"outputs": "{a: {loss: l2}}"},
    {"train": "{batch: 0}"},
    {"train": "{optimizer: sgd}"},
    {"train": "{augment: flip}"},
    {"train": "{memory: lots}"},
]


@pytest.mark.parametrize("parts", WRONG, ids=str)
def test_wrong_documents(parts: dict[str, str]) -> None:
    assert mistakes(spec(**parts))


def kinds() -> Iterator[tuple[dict[str, Any], type[Kind]]]:
    """Every kind with its place in the schema."""
    for model in (*KINDS.values(), *COMPOSITIONS.values()):
        yield schema()["definitions"]["item"]["properties"][model.kind], model
    for registry in json_schema.CHOICES:
        for model in registry.values():
            yield schema()["definitions"][registry.noun.replace(" ", "-")]["properties"][model.kind], model


def options() -> Iterator[tuple[dict[str, Any], type[Options]]]:
    """Every class of options with the properties that stand for its fields."""
    top, definitions = schema()["properties"], schema()["definitions"]
    train = top["train"]["properties"]
    yield top, Document
    yield train, Recipe
    yield definitions["block"]["properties"], Block
    yield definitions["output"]["properties"], OutputOptions
    yield next(iter(train["layers"]["patternProperties"].values()))["properties"], LayerSettings
    yield from ((place["properties"], model) for place, model in kinds())


def families(model: type[Options]) -> Iterator[type[Options]]:
    for family in model.__subclasses__():
        yield family
        yield from families(family)


def test_every_kind_is_there() -> None:
    list(kinds())
    known = {model for _, model in kinds()}
    assert {model for model in families(Kind) if model.__dict__.get("kind") and model.__module__.startswith("netcompiler")} == known


def test_every_kind_has_its_documentation_formula_and_example() -> None:
    for place, model in kinds():
        assert place["description"]
        assert model.formula in place["markdownDescription"]
        assert model.example in place["markdownDescription"]


def test_every_option_has_a_description() -> None:
    for properties, model in options():
        for key, field in fields_of(model).items():
            assert field.description, f"{model.__name__}.{key}"
            assert properties[key]["description"].startswith(field.description)


def test_items_are_one_object_with_a_property_each() -> None:
    item = schema()["definitions"]["item"]
    assert set(item["properties"]) == {*ITEM_KEYS, *KINDS, *COMPOSITIONS}
    assert "oneOf" not in item


def bare(schema: Any) -> Any:
    """The schema without its documentation."""
    words = ("description", "markdownDescription", "patternErrorMessage")
    if isinstance(schema, dict):
        return {key: bare(value) for key, value in schema.items() if key not in words or not isinstance(value, str)}
    return [bare(value) for value in schema] if isinstance(schema, list) else schema


def test_the_structure_is_small() -> None:
    """An editor walks it at every key that is pressed."""
    assert len(json.dumps(bare(schema()))) < 100_000
    assert len(json.dumps(schema())) < 250_000

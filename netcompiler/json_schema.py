"""The JSON Schema (draft 7) of a spec file, for editors, made from the classes that read one.

An item is one object with a property for each layer, no union: an editor then completes each key once, and says of a wrong
one that it is wrong. What depends on values is left to `netc check`. Read next: json_values.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations

from pydantic.fields import FieldInfo

from netcompiler.grammar import ID
from netcompiler.json_values import COMPUTED, Schema, types_of, value, with_message
from netcompiler.layers import KINDS
from netcompiler.losses import LOSSES
from netcompiler.optimisers import OPTIMIZERS
from netcompiler.options import (
    Arguments,
    BlockMap,
    Columns,
    Expect,
    Formula,
    ItemList,
    Kind,
    NameMap,
    OneOf,
    Options,
    OutputMap,
    Registry,
    SlotMap,
    Structure,
)
from netcompiler.overrides import FIXED, INSTEAD
from netcompiler.reader import fields_of, mark_of, required_of, section_of
from netcompiler.recipe import AUGMENTATIONS, DATA, INITIALISERS, NORMALIZATIONS, SCHEDULES, VIEWS
from netcompiler.report.description import value_text
from netcompiler.report.vocabulary import doc
from netcompiler.schema import COMPOSITIONS, ITEM_KEYS, Block, Document, OutputOptions

CHOICES = (LOSSES, OPTIMIZERS, SCHEDULES, DATA, AUGMENTATIONS, NORMALIZATIONS, VIEWS, INITIALISERS)
BLOCK = "^[A-Z][A-Za-z0-9]*$"
PLAIN = r"^(?!\$)"
NAME = r"^[A-Za-z0-9_-]*[A-Za-z][A-Za-z0-9_-]*$"
FULL_NAME = r"^[A-Za-z0-9_.-]+$"
TEMPLATE = rf"{NAME}|\$"
"""A name, or a text with `$` in it, of which only the expansion knows what it comes to."""


def build() -> Schema:
    top = _properties(Document)
    top["netc"] = {**top["netc"], "type": "integer", "const": 1}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "description": doc(Document),
        "type": "object",
        "properties": top,
        "patternProperties": {"^x-": {}},
        "additionalProperties": False,
        "required": ["netc", "name"],
        "dependencies": {**{key: _without(other) for key, other in INSTEAD.items()}, "patch": ["extends"]},
        "if": {"not": {"required": ["extends"]}},
        "then": {"required": ["layers"], "anyOf": [{"required": ["input"]}, {"required": ["inputs"]}]},
        "definitions": {
            "item": _item(),
            "slot": {"if": {"type": "array"}, "then": _ITEMS, "else": _ITEM},
            "block": _options(Block),
            "output": _output(),
            "variant": _variant(),
            **{_slug(registry): _choice(registry) for registry in CHOICES},
        },
    }


def _ref(name: str) -> Schema:
    return {"$ref": f"#/definitions/{name}"}


def _slug(registry: Registry) -> str:
    return registry.noun.replace(" ", "-")


def _without(*keys: str) -> Schema:
    return {"properties": dict.fromkeys(keys, False)}


# what stands in place of a field

_ITEM = _ref("item")
_ITEMS: Schema = {"type": "array", "items": _ITEM}
_SHAPE: Schema = {"type": ["array", "string"], "items": {"type": ["integer", "string"], "minimum": 1}, "pattern": COMPUTED}
_VALUE: Schema = {"type": ["number", "boolean", "string", "array"]}


def _mapping(keys: str, entry: Schema) -> Schema:
    """Names of the user's own to values of one form."""
    return {"type": "object", "patternProperties": {keys: entry}, "additionalProperties": False}


STRUCTURES: dict[type[Structure], Schema] = {
    ItemList: _ITEMS,
    SlotMap: _mapping(FULL_NAME, _ref("slot")),
    Columns: {**_mapping(f"^{ID}$", {"type": ["array", "string"], "pattern": COMPUTED}), "minProperties": 1},
    Arguments: _mapping(f"^{ID}$", {"type": [*_VALUE["type"], "null"]}),
    BlockMap: _mapping(BLOCK, _ref("block")),
    OutputMap: _mapping(NAME, _ref("output")),
}
VALUES: dict[str, Schema] = {
    "inputs": _mapping(NAME, _SHAPE),
    "vars": {**_mapping(f"^{ID}$", {**_VALUE, "pattern": PLAIN}), "propertyNames": {"not": {"enum": list(Document.model_fields)}}},
    "variants": {"type": "object", "additionalProperties": _ref("variant")},
}


def _properties(model: type[Options]) -> Schema:
    """A property for each field, with its documentation."""
    fields = fields_of(model)
    written = model.model_json_schema()["properties"]
    properties = {}
    for key, field in fields.items():
        default = {} if field.default is None or field.is_required() else {"default": field.default}
        schema = _field(key, field, written[key])
        inner = {"allOf": [schema]} if "$ref" in schema else schema  # draft 7 reads nothing beside a $ref
        properties[key] = {"description": about(field), **default, **inner}
    return properties


def about(field: FieldInfo) -> str:
    """What an option means, what it takes, and what it is when nobody says."""
    default = "" if field.default is None or field.is_required() else f"default {value_text(field.default)}"
    takes = "; ".join(filter(None, (_words(field), default)))
    return f"{field.description} ({takes})" if takes else str(field.description)


def _words(field: FieldInfo) -> str:
    expect = mark_of(field, Expect)
    return expect.words if expect else ""


def _field(key: str, field: FieldInfo, written: Schema) -> Schema:
    if structure := mark_of(field, Structure):
        return STRUCTURES.get(type(structure)) or VALUES[key]
    if choice := mark_of(field, OneOf):
        one = _ref(_slug(choice.registry))
        return {"type": "array", "items": one} if choice.many else one
    if names := mark_of(field, NameMap):
        return _mapping(FULL_NAME, _options(names.model))
    if model := section_of(field):
        return _options(model)
    if mark_of(field, Formula):
        return {"type": ["string", "number"]}
    return with_message(value(written), _words(field))


# options, kinds, choices


def _options(model: type[Options]) -> Schema:
    """Options as a mapping; F2: one value, where one option alone has no default."""
    properties = _properties(model)
    required = required_of(model)
    mapping = {"type": "object", "properties": properties, "additionalProperties": False}
    if not required:
        return mapping
    mapping["required"] = list(required)
    if len(required) > 1:
        return mapping
    short = {key: value for key, value in properties[required[0]].items() if key != "description"}
    return {**short, **mapping, "type": ["object", *types_of(short)]}


def _kind(model: type[Kind]) -> Schema:
    """The options of a kind; null where it needs none."""
    options = _options(model)
    if not required_of(model):
        options["type"] = ["object", "null"]
    return {**_documentation(model), **options}


def _documentation(model: type[Kind]) -> Schema:
    formula = f"\n\n`{model.formula}`" if model.formula else ""
    return {"description": doc(model), "markdownDescription": f"{doc(model)}{formula}\n\n```yaml\n{model.example}\n```"}


def _text(kinds: Iterable[type[Kind]], *others: Schema) -> Schema:
    """A text is the name of a kind that needs no options, or `$`. The `{}` lets all else through: what stands beside it is
    there to be completed and shown on hover, and `then` to be refused with the names in the message."""
    names = [{"const": kind.kind, **_documentation(kind)} for kind in kinds if not required_of(kind)]
    known = [{"const": name["const"]} for name in names]
    return {"anyOf": [{}, *names], "if": {"type": "string"}, "then": {"anyOf": [*known, *others, {"pattern": COMPUTED}]}}


def _choice(registry: Registry) -> Schema:
    return {
        "type": ["object", "string"],
        "properties": {kind: _kind(model) for kind, model in registry.items()},
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": 1,
        **_text(registry.values()),
    }


# items, outputs, variants

_CALL: Schema = {
    "description": "a call of a block of this file: its arguments",
    "type": ["object", "null", *_VALUE["type"]],
    "additionalProperties": _VALUE,
}
_SIBLINGS: Schema = {
    "name": {"description": ITEM_KEYS["name"], "type": "string", "pattern": TEMPLATE},
    "from": {"description": ITEM_KEYS["from"], "type": "string"},
    "when": {"description": ITEM_KEYS["when"], "type": ["boolean", "string"], "pattern": COMPUTED},
}


def _item() -> Schema:
    models: dict[str, type[Kind]] = {**KINDS, **COMPOSITIONS}
    same = {"const": "same", "description": "in a patch: the item that is replaced"}
    return {
        "type": ["object", "string"],
        "properties": {**_SIBLINGS, **{kind: _kind(model) for kind, model in models.items()}},
        "patternProperties": {BLOCK: _CALL},
        "additionalProperties": False,
        "dependencies": {kind: _without("from") for kind, layer in KINDS.items() if layer.family == "merge"},
        "allOf": list(_one_kind(tuple(_SIBLINGS))),
        **_text(KINDS.values(), {"pattern": BLOCK}, same),
    }


def _one_kind(siblings: tuple[str, ...]) -> Iterable[Schema]:
    """Exactly one key beside the siblings, whichever of them are there: a rule for each set of them."""
    for count in range(len(siblings) + 1):
        for present in combinations(siblings, count):
            absent = [key for key in siblings if key not in present]
            yield {
                "if": {"type": "object", "required": list(present), **_without(*absent)},
                "then": {"minProperties": count + 1, "maxProperties": count + 1},
            }


def _output() -> Schema:
    """An item without a name, its kind optional, and what an output has beside it; or a list of items. Two kinds pass here:
    their siblings are six, and a rule for each of 64 sets is more than the slip is worth."""
    item = _item()
    kinds = {key: {"$ref": f"#/definitions/item/properties/{key}"} for key in item["properties"] if key != "name"}
    return {
        "type": ["object", "string", "array"],
        "items": _ITEM,
        "properties": {**_properties(OutputOptions), **kinds},
        **{key: item[key] for key in ("patternProperties", "additionalProperties", "if")},
        "then": {"$ref": "#/definitions/item/then"},
    }


def _variant() -> Schema:
    """Settings: keys of the file, whose values are read like those, variables, and paths."""
    keys = [key for key in fields_of(Document) if key not in FIXED]
    return {
        "type": "object",
        "properties": {key: {"$ref": f"#/properties/{key}"} for key in keys},
        "additionalProperties": {"type": [*_VALUE["type"], "object", "null"]},
    }

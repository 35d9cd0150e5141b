"""Changes of a spec's tree before it is read: variants, --set, and the base that `extends` names. Weakest first, O1 to O4."""

from __future__ import annotations

from typing import Any

from pydantic.fields import FieldInfo

from netcompiler.arithmetic import show_value, sort_of
from netcompiler.diagnostics import Mistake, did_you_mean
from netcompiler.options import BlockMap, NameMap, OneOf, Options, OutputMap, Registry, Structure, Values
from netcompiler.reader import fields_of, mark_of, required_of, section_of
from netcompiler.schema import Block, Document, OutputOptions
from netcompiler.source import Mapping, Node, Place, Scalar, Source, parse
from netcompiler.values import Misplaced, exact

MERGED = ("vars", "variants", "blocks", "inputs", "outputs", "train", "patch")
FIXED = ("netc", "vars", "variants", "extends")
NOTHING = ("null", "~")
INSTEAD = {"input": "inputs", "inputs": "input", "loss": "outputs", "outputs": "loss"}
"""Keys that say the same thing: one takes the other's place."""


def extend(base: Mapping, tree: Mapping) -> Mapping:
    """The base with the keys of a file over it: some merged one level deep, the rest replaced."""
    entries, keys = dict(base.entries), dict(base.keys)
    for key, node in tree.entries.items():
        entries.pop(INSTEAD.get(key, ""), None)
        old = entries.get(key)
        if key in MERGED and isinstance(old, Mapping) and isinstance(node, Mapping):
            node = Mapping(node.place, {**old.entries, **node.entries}, {**old.keys, **node.keys})
        entries[key], keys[key] = node, tree.key(key)
    entries.pop("extends", None)
    return Mapping(tree.place, entries, keys)


def setting(text: str) -> tuple[str, Node, Place]:
    """`key=value` of --set: the path, the value as YAML, and the place of the path. With null the key is as if it had not been written."""
    source = Source("--set", text)
    path, equals, value = text.partition("=")
    place = Place(source, 1, 1, 1, len(path) + 1)
    if not equals or not path or not value.strip():
        raise Misplaced(Mistake("setting", "a setting is key=value", "such as --set classes=10 or --set train.batch=64"), place)
    if value.strip() in NOTHING:
        return path, Scalar(Place(source, 1, len(path) + 2, 1, len(text) + 1), None, value.strip()), place
    return path, parse(Source("--set", " " * (len(path) + 1) + value), shown=source), place


def override(tree: Mapping, path: str, value: Node, place: Place) -> Mapping:
    """The tree with one value replaced: a variable, whose type stays, or whatever a dotted path leads to."""
    vars = tree.entries.get("vars")
    if isinstance(vars, Mapping) and path in vars.entries:
        _same_type(path, vars.entries[path], value)
        vars = Mapping(vars.place, {**vars.entries, path: value}, vars.keys)
        return Mapping(tree.place, {**tree.entries, "vars": vars}, tree.keys)
    first, *rest = path.split(".")
    if first not in fields_of(Document) or first in FIXED:
        known = {*(vars.entries if isinstance(vars, Mapping) else ()), *fields_of(Document)} - {*FIXED}
        raise Misplaced(
            Mistake("unknown-path", f"`{path}` is neither a variable nor the path of a value", did_you_mean(path, known)), place
        )
    node = _put(fields_of(Document)[first], tree.entries.get(first), rest, value, place)
    dropped = INSTEAD.get(first) if not (rest or _is_null(value)) else None
    return _with(Mapping(tree.place, {key: each for key, each in tree.entries.items() if key != dropped}, tree.keys), first, node, place)


def _same_type(name: str, old: Node, new: Node) -> None:
    if new.dynamic:
        raise Misplaced(Mistake("computed-variable", f"the variable `{name}` is computed", "write the value"), new.place)
    before, now = exact(old), exact(new)
    if sort_of(before) != sort_of(now):
        shown = "null" if now is None else f'"{now}"' if isinstance(now, str) else show_value(now)
        message = f"the variable `{name}` is {sort_of(before)} ({show_value(before)}), and {shown} is {sort_of(now)}"
        raise Misplaced(Mistake("wrong-type", message, "a variable keeps its type"), new.place)


def _put(field: FieldInfo | type[Options] | Registry, node: Node | None, path: list[str], value: Node, place: Place) -> Node:
    """`value` at the end of a path through mappings; short forms on the way are written out."""
    if not path:
        return value
    key, *rest = path
    if isinstance(field, Registry):
        return _put_into_choice(field, node, key, rest, value, place)
    if isinstance(field, type):
        return _put_into_model(field, node, key, rest, value, place)
    if choice := mark_of(field, OneOf):
        if not choice.many:
            return _put(choice.registry, node, path, value, place)
    elif model := section_of(field):
        return _put(model, node, path, value, place)
    elif model := _model_of_names(field):
        inner = node.entries.get(key) if isinstance(node, Mapping) else None
        return _with(node, key, _put(model, inner, rest, value, place), place)
    elif mark_of(field, Values) and not rest:
        return _with(node, key, value, place)
    raise Misplaced(
        Mistake("unknown-path", f"a path cannot go on to `{'.'.join(path)}` here", "paths lead through mappings, never into lists"), place
    )


def _model_of_names(field: FieldInfo) -> type[Options] | None:
    """The model of each entry, when a field maps names to options."""
    if names := mark_of(field, NameMap):
        model: type[Options] = names.model
        return model
    return Block if mark_of(field, BlockMap) else OutputOptions if mark_of(field, OutputMap) else None


def _put_into_choice(registry: Registry, node: Node | None, kind: str, path: list[str], value: Node, place: Place) -> Node:
    if kind not in registry:
        raise Misplaced(Mistake("unknown-kind", f"there is no {registry.noun} `{kind}`", did_you_mean(kind, registry)), place)
    chosen: dict[str, Node] = {}
    if isinstance(node, Mapping):
        chosen = node.entries
    elif isinstance(node, Scalar) and isinstance(node.value, str):
        chosen = {node.value: Mapping(node.place, {}, {})}
    other = next((name for name in chosen if name != kind), None)
    if other and path:
        raise Misplaced(
            Mistake("unknown-path", f"the {registry.noun} here is {other}, not {kind}", f"set the whole of it: {{{kind}: {{…}}}}"), place
        )
    return Mapping(place, {kind: _put(registry[kind], chosen.get(kind), path, value, place)}, {kind: place})


def _put_into_model(model: type[Options], node: Node | None, key: str, path: list[str], value: Node, place: Place) -> Node:
    fields = fields_of(model)
    if key not in fields:
        raise Misplaced(Mistake("unknown-path", f"there is no `{key}` here", did_you_mean(key, fields)), place)
    required = required_of(model)
    if node is not None and not isinstance(node, Mapping) and not (isinstance(node, Scalar) and node.value is None) and len(required) == 1:
        node = Mapping(node.place, {required[0]: node}, {required[0]: node.place})
    inner = node.entries.get(key) if isinstance(node, Mapping) else None
    if mark_of(fields[key], Structure) and path and not _model_of_names(fields[key]):
        raise Misplaced(Mistake("unknown-path", f"a path cannot lead into `{key}`", "a list is replaced whole"), place)
    return _with(node, key, _put(fields[key], inner, path, value, place), place)


def _with(node: Node | None, key: str, value: Node, place: Place) -> Mapping:
    """A mapping with one entry more, or changed; null takes it away."""
    entries: dict[str, Any] = {**node.entries, key: value} if isinstance(node, Mapping) else {key: value}
    if _is_null(value):
        del entries[key]
    keys = {**node.keys, key: node.keys.get(key, place)} if isinstance(node, Mapping) else {key: place}
    return Mapping(node.place if isinstance(node, Mapping) else place, entries, keys)


def _is_null(node: Node) -> bool:
    return isinstance(node, Scalar) and node.value is None

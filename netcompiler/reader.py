"""Nodes of a file -> options: short forms, unknown and missing keys, choices, and pydantic's errors in plain words.

It knows how options are written, not what they mean. Read next: document.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from netcompiler.arithmetic import show_value
from netcompiler.diagnostics import Call, Diagnostic, Mistake, closest, did_you_mean
from netcompiler.formula import parse_formula
from netcompiler.options import LIMIT, Expect, Formula, NameMap, OneOf, Options, Registry, Structure
from netcompiler.source import MAX_DIGITS, Items, Mapping, Node, Place, Scalar, plain
from netcompiler.synonyms import elsewhere, meant

Model = TypeVar("Model", bound=Options)


class TooMany(Exception):
    """More mistakes than anybody reads in one go: the rest is not looked for."""


class Findings:
    """The diagnostics of one load, at most one of each severity for each place."""

    MOST = 50

    def __init__(self) -> None:
        self.list: list[Diagnostic] = []
        self.places: set[tuple[object, int, int, str]] = set()
        self.errors = 0
        """All errors met, those at the place of another one too."""
        self.variables: set[str] = set()
        """All IDs of the file, whatever they mean, for help with a `$` that was forgotten."""

    def add(self, diagnostic: Diagnostic) -> None:
        place = diagnostic.place
        key = (place.source, place.line, place.column, diagnostic.severity)
        self.errors += diagnostic.severity == "error"
        if key not in self.places:
            self.places.add(key)
            self.list.append(diagnostic.shortened())
            if diagnostic.severity == "error" and sum(d.severity == "error" for d in self.list) == self.MOST:
                raise TooMany

    def error(self, code: str, place: Place, message: str, help: str = "", facts: Iterable[str] = ()) -> None:
        self.add(Diagnostic(code, place, message, tuple(facts), help))


def key_of(name: str, field: FieldInfo) -> str:
    return field.alias or name


@cache
def fields_of(model: type[Options]) -> dict[str, FieldInfo]:
    """The fields of a model by the key that a file writes."""
    return {key_of(name, field): field for name, field in model.model_fields.items()}


@cache
def required_of(model: type[Options]) -> tuple[str, ...]:
    return tuple(key for key, field in fields_of(model).items() if field.is_required())


def mark_of(field: FieldInfo, sort: type[Any]) -> Any:
    """The marker of a sort on a field, or None."""
    return next((mark for mark in field.metadata if isinstance(mark, sort)), None)


@cache
def _section(annotation: Any) -> type[Options] | None:
    """The model that a field holds, when it holds one that is no choice."""
    if get_origin(annotation) in (Union, UnionType):
        inner = [arg for arg in get_args(annotation) if arg is not NoneType]
        return _section(inner[0]) if len(inner) == 1 else None
    if isinstance(annotation, type) and issubclass(annotation, Options):
        return annotation
    return None


def section_of(field: FieldInfo) -> type[Options] | None:
    annotation: Any = field.annotation
    return None if mark_of(field, OneOf) else _section(annotation)


def read_fields(model: type[Options], node: Node | None, at: Place, what: str, findings: Findings) -> Mapping | None:
    """The options as a mapping: F2's short form written out, unknown and missing keys and nulls reported and left out."""
    mapping = written_out(model, node, at, what, findings)
    if mapping is None:
        return None
    known = fields_of(model)
    read: dict[str, Node] = {}
    for key, value in mapping.entries.items():
        if key not in known:
            help = f"write `{what}` alone" if not known else _missing_colon(key, known) or _instead(key, known)
            findings.error("unknown-option", mapping.key(key), f"{what} has no option `{key}`", help)
        elif is_null(value):
            findings.error("null", mapping.key(key), f"`{key}` has no value", f"write one after the colon, or leave `{key}` out")
        else:
            read[key] = value
    missing = [key for key in required_of(model) if key not in mapping.entries]
    if missing and len(read) == len(mapping.entries):  # else the unknown key may be the one that is missed
        findings.error("missing-option", at, f"{what} needs {listed(missing)}", hint(model, missing))
    return Mapping(mapping.place, read, mapping.keys)


def listed(keys: Iterable[str]) -> str:
    """`a`, `b` and `c`"""
    *most, last = (f"`{key}`" for key in keys)
    return f"{', '.join(most)} and {last}" if most else last


def lacks(model: type[Options], mapping: Mapping | None) -> bool:
    """Whether an option that must be given is not there."""
    return mapping is None or any(key not in mapping.entries for key in required_of(model))


def _missing_colon(key: str, known: Iterable[str]) -> str:
    """Help for `{filters 64}` and `{filters:64}`."""
    word, _, value = re.sub(r"[\s:]+", ":", key, count=1).partition(":")
    return f"write `{word}: {value}`, with a blank behind the colon" if value and word in known else ""


def _instead(key: str, known: Iterable[str]) -> str:
    """Help for a key that is not known here: its own word, where it stands, or one like it."""
    return did_you_mean(key, known) if meant(key, list(known)) else elsewhere(key) or did_you_mean(key, known)


def hint(model: type[Options], missing: list[str]) -> str:
    described = [f"{key}: {fields_of(model)[key].description}" for key in missing if fields_of(model)[key].description]
    return "; ".join(described)


def written_out(model: type[Options], node: Node | None, at: Place, what: str, findings: Findings) -> Mapping | None:
    if node is None or is_null(node):
        return Mapping(at, {}, {})
    if isinstance(node, Mapping):
        return node
    required = required_of(model)
    if len(required) == 1:
        return Mapping(node.place, {required[0]: node}, {required[0]: node.place})
    if not fields_of(model):
        findings.error("short-form", node.place, f"{what} has no options", f"write `{what}` alone")
    elif required:
        words = ", ".join(required)
        findings.error(
            "short-form",
            node.place,
            f"{what} needs more than one value: {words}",
            f"write {what}: {{{', '.join(f'{key}: …' for key in required)}}}",
        )
    else:
        first, *more = fields_of(model)
        help = f"write {what}: {{option: value}}; it has {', '.join([first, *more])}" if more else f"write {what}: {{{first}: …}}"
        findings.error("short-form", node.place, f"say which option of {what} this is", help)
    return None


def is_null(node: Node) -> bool:
    return isinstance(node, Scalar) and node.value is None


def read_options(
    model: type[Model], node: Node | None, at: Place, what: str, findings: Findings, calls: tuple[Call, ...] = ()
) -> Model | None:
    """Options as an instance of their model, or None after an error, or while something in them is still `$`.

    What cannot be read yet, or is wrong already, is left out, and the rest is checked all the same."""
    before = findings.errors
    mapping = read_fields(model, node, at, what, findings)
    if mapping is None:
        return None
    known = fields_of(model)
    data: dict[str, Any] = {}
    waiting: set[str] = set()
    for key, value in mapping.entries.items():
        field = known[key]
        if mark_of(field, Structure):
            data[key] = None
            continue
        if value.dynamic:
            waiting.add(key)
        if not value.dynamic or has_parts(field):
            errors = findings.errors
            data[key] = read_value(field, key, value, mapping.key(key), findings)
            if findings.errors > errors:
                waiting.add(key)
                del data[key]
    waiting |= {key for key in required_of(model) if key not in mapping.entries}
    try:
        built = model.model_validate(data)
    except ValidationError as error:
        _explain(model, mapping, waiting, error, what, findings, calls)
        return None
    except Mistake as mistake:  # options that do not go together
        if not waiting and findings.errors == before:
            findings.add(mistake.at(option_place(mapping, mistake.option) or at, calls))
        return None
    return None if waiting or findings.errors > before else built


def option_place(options: Node | None, option: str, model: type[Options] = Options) -> Place | None:
    """Where the value of an option stands, when the file has it; `model` tells which option a short form is."""
    if option and isinstance(options, Mapping) and option in options.entries:
        return options.entries[option].place
    if options and not isinstance(options, Mapping) and required_of(model) == (option,):
        return options.place
    return None


def has_parts(field: FieldInfo) -> bool:
    """Whether a field's value is options of its own, so that it is read part by part."""
    return bool(mark_of(field, OneOf) or mark_of(field, NameMap) or section_of(field))


def read_value(field: FieldInfo, key: str, node: Node, at: Place, findings: Findings) -> Any:
    """The value of one field, with choices and sections as instances."""
    if choice := mark_of(field, OneOf):
        return _read_choices(choice, key, node, findings)
    if names := mark_of(field, NameMap):
        return _read_names(names, key, node, findings)
    if model := section_of(field):
        return read_options(model, node, at, key, findings)
    if mark_of(field, Formula) and isinstance(node, Scalar):
        return node.raw if _formula_is_fine(node, findings) else None
    return plain(node)


def _read_choices(choice: OneOf, key: str, node: Node, findings: Findings) -> Any:
    if not choice.many:
        return read_choice(choice.registry, node, findings)
    if not isinstance(node, Items):
        findings.error("wrong-type", node.place, f"{key} is a list", f"write {key}: [{node.raw if isinstance(node, Scalar) else '…'}]")
        return None
    return [read_choice(choice.registry, item, findings) for item in node.items]


def _read_names(names: NameMap, key: str, node: Node, findings: Findings) -> Any:
    if not isinstance(node, Mapping):
        findings.error("wrong-type", node.place, f"{key} maps names to options", f"write {key}: {{name: {{option: value}}}}")
        return None
    for name, value in node.entries.items():
        if is_null(value):
            findings.error("null", node.key(name), f"`{name}` has no value", f"write one after the colon, or leave `{name}` out")
    return {name: read_options(names.model, value, node.key(name), f"{key}.{name}", findings) for name, value in node.entries.items()}


def read_choice(registry: Registry, node: Node, findings: Findings) -> Options | None:
    """A kind, or {kind: options}."""
    if isinstance(node, Scalar) and node.dynamic:
        return None
    if isinstance(node, Scalar) and isinstance(node.value, str):
        kind, options, place = node.value, None, node.place
    elif isinstance(node, Mapping) and len(node.entries) == 1:
        [(kind, options)] = node.entries.items()
        place = node.key(kind)
    else:
        findings.error(
            "wrong-type",
            node.place,
            f"a {registry.noun} is a kind, or one kind with its options",
            f"write one of {', '.join(sorted(registry))}, or {{kind: options}}",
        )
        return None
    if kind not in registry:
        findings.error("unknown-kind", place, f"there is no {registry.noun} `{kind}`", did_you_mean(kind, registry))
        return None
    built: Options | None = read_options(registry[kind], options, place, kind, findings)
    return built


def _formula_is_fine(node: Scalar, findings: Findings) -> bool:
    try:
        parse_formula(node.raw)
    except Mistake as mistake:
        findings.add(mistake.at(text_place(node)))
        return False
    return True


def text_place(node: Scalar) -> Place:
    """Where the text of a scalar begins: behind its quote."""
    if not node.quoted or node.place.line != node.place.end_line:
        return node.place
    return node.place._replace(column=node.place.column + 1)


def _explain(
    model: type[Options],
    mapping: Mapping,
    waiting: set[str],
    error: ValidationError,
    what: str,
    findings: Findings,
    calls: tuple[Call, ...],
) -> None:
    """One diagnostic for each option that pydantic refuses, at the deepest place that the file has."""
    seen: dict[str, list[Any]] = {}
    for one in error.errors(include_url=False, include_context=False):
        key = str(one["loc"][0]) if one["loc"] else ""
        if not (one["type"] == "missing" and key in waiting):
            seen.setdefault(key, []).append(one)
    for key, errors in seen.items():
        value = mapping.entries.get(key)
        if value is None:
            findings.add(Diagnostic("wrong-type", mapping.place, f"{what}: {errors[0]['msg']}", calls=calls))
            continue
        node = max((deepest(mapping, one["loc"]) for one in errors), key=lambda found: found[1])[0]
        expect = mark_of(fields_of(model)[key], Expect)
        words = expect.words if expect else errors[0]["msg"]
        where = f"`{key}` of {what}" if what != key else key
        help = _another_number(node, words) or _sizes(node, words) or lookalike(node) or _meant(node, fields_of(model)[key], findings)
        findings.add(Diagnostic("wrong-type", node.place, f"{where} must be {words}, not {_show(node)}", (), help, calls=calls))


def _another_number(node: Node, words: str) -> str:
    """Help for a number that is not whole, or larger than any."""
    if not isinstance(node, Scalar) or isinstance(node.value, bool | str) or node.value is None or "whole number" not in words:
        return ""
    if node.value > LIMIT:
        return f"the largest is {LIMIT:,}"
    computed = node.value.denominator > 1 and node.raw.startswith("$")
    return f"{show_value(node.value)} is not whole: use round, floor or //" if computed else ""


def _sizes(node: Node, words: str) -> str:
    """Help for `3x3`, `2, 2` and `(3, 3)` where a list can stand."""
    text = node.value if isinstance(node, Scalar) and isinstance(node.value, str) else ""
    numbers = re.findall(r"[0-9]+", text)
    fits = "list" in words and len(numbers) <= 4 and re.fullmatch(r"\(?[0-9]+(( *[x,×*] *| +)[0-9]+)+\)?", text)
    return f"write [{', '.join(numbers)}]" if fits else ""


def _meant(node: Node, field: FieldInfo, findings: Findings) -> str:
    """Help for a word: the one of a field's words that it is like, or the variable of that name."""
    if not isinstance(node, Scalar) or not isinstance(node.value, str):
        return ""
    if node.value in findings.variables:
        return f"write ${node.value} for the value of that name"
    close = closest(node.value, _literals(field.annotation))
    return f"did you mean `{close}`?" if close else ""


def _literals(annotation: Any) -> set[str]:
    if get_origin(annotation) is Literal:
        return {word for word in get_args(annotation) if isinstance(word, str)}
    return {word for part in get_args(annotation) for word in _literals(part)}


def deepest(node: Node, path: tuple[Any, ...]) -> tuple[Node, int]:
    """The node that a pydantic path leads to, and how deep it is; steps that the file lacks are union members."""
    depth = 0
    for step in path:
        if isinstance(node, Mapping) and step in node.entries:
            node = node.entries[step]
            depth += 1
        elif isinstance(node, Items) and isinstance(step, int) and step < len(node.items):
            node = node.items[step]
            depth += 1
    return node, depth


def _show(node: Node) -> str:
    if isinstance(node, Mapping):
        return "a mapping"
    if isinstance(node, Items):
        text = f"[{', '.join(item.raw if isinstance(item, Scalar) else _show(item) for item in node.items)}]"
        return text if len(text) <= 40 else f"a list of {len(node.items)}"
    assert isinstance(node, Scalar)
    if isinstance(node.value, str):
        text = node.value if len(node.value) <= 40 else node.value[:39] + "…"
        return f'the text "{" ".join(text.split())}"'
    return show_value(node.value)


LOOKALIKES = (
    (r"[-+]?0[0-9]+", "a number has no leading zeros: write {whole}"),
    (r"0x[0-9A-Fa-f]+", "hexadecimal is text here: write {hex}"),
    (r"0o[0-7]+", "octal is text here: write {octal}"),
    (r"[0-9]+(_[0-9]+)+", "underscores make it a text: write {plain}"),
    (r"[0-9]+(:[0-9]+)+", "`:` makes it a text: there are no base-60 numbers here"),
    (r"[-+]?[0-9.]+[eE][-+]?[0-9]{3,}", "an exponent has at most two digits"),
    (r"[-+]?[0-9]+,[0-9,]+", "a comma makes it a text: write {plain}"),
    (r"[-+]?[0-9.]+[eE]?[-+]?[0-9]*%", "a percent sign makes it a text: write the share, such as 0.5"),
    (r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", "infinity and not-a-number are text here: write a finite number"),
    (r"(?i)yes|no|on|off|True|False|TRUE|FALSE", "truths are written true and false"),
)


def lookalike(node: Node) -> str:
    """Help for texts that look like a number or truth."""
    if not isinstance(node, Scalar) or not isinstance(node.value, str):
        return ""
    text = node.value
    if len(text) > MAX_DIGITS:
        return f"a number has at most {MAX_DIGITS} characters" if re.fullmatch(r"[-+0-9.eE]+", text) else ""
    if node.quoted and re.fullmatch(r"[-+]?[0-9.]+(e[-+]?[0-9]+)?|true|false", text):
        return "quotes make it a text: write it without them"
    for pattern, help in LOOKALIKES:
        if re.fullmatch(pattern, text):
            return help.format(
                whole=text.lstrip("+0") or "0",
                hex=int(text, 16) if text.startswith("0x") else "",
                octal=int(text, 8) if text.startswith("0o") else "",
                plain=re.sub("[_,]", "", text),
            )
    return ""

"""A layer, a loss, any kind of the language in one line: what it is called and what was chosen for it."""

from __future__ import annotations

from typing import Any

from pydantic_core import to_jsonable_python

from netcompiler.options import Options

MERGED = "of"


def described(kind: Options) -> str:
    """conv 64, kernel 7, stride 2, padding 3, bias false"""
    options = ", ".join(f"{key} {value_text(value)}".lstrip() for key, value in _chosen(kind))
    return f"{getattr(kind, 'kind', '')} {options}".strip()


def option_names(options: Options) -> list[tuple[str, str]]:
    """Each option's attribute and its key in the file; they differ where the key is a method's name."""
    return [(name, field.alias or name) for name, field in type(options).model_fields.items()]


def _chosen(kind: Options) -> list[tuple[str, Any]]:
    """The options that differ from their defaults; the first one without a default needs no name. What is merged is no choice."""
    fields = type(kind).model_fields
    first = next((name for name, field in fields.items() if field.is_required()), None)
    chosen = ((name, key, getattr(kind, name)) for name, key in option_names(kind) if name != MERGED)
    return [("" if name == first else key, value) for name, key, value in chosen if name == first or value != fields[name].default]


def value_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(value_text, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {value_text(inner)}' for key, inner in value.items())}}}"
    text = str(value)
    return "…" if "\n" in text.strip() else text


def plain_options(options: Options) -> dict[str, Any]:
    """All options, defaults too, as JSON has them."""
    plain: dict[str, Any] = to_jsonable_python({key: getattr(options, name) for name, key in option_names(options)})
    return plain

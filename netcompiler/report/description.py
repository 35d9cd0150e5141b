"""A layer, a loss, any kind of the language in one line: what it is called and what was chosen for it."""

from __future__ import annotations

from typing import Any

from pydantic_core import to_jsonable_python

from netcompiler.options import Options


def described(kind: Options) -> str:
    """conv 64, kernel 7, stride 2, padding 3, bias false"""
    options = ", ".join(f"{key} {value_text(value)}".lstrip() for key, value in _chosen(kind))
    return f"{getattr(kind, 'kind', '')} {options}".strip()


def _chosen(kind: Options) -> list[tuple[str, Any]]:
    """The options that differ from their defaults; the first one without a default needs no name."""
    fields = type(kind).model_fields
    chosen = [(name, getattr(kind, name)) for name, field in fields.items() if field.is_required() or getattr(kind, name) != field.default]
    first = next((name for name, field in fields.items() if field.is_required()), None)
    return [("" if name == first else name, value) for name, value in chosen]


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
    plain: dict[str, Any] = to_jsonable_python({name: getattr(options, name) for name in type(options).model_fields})
    return plain

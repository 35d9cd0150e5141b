"""The kinds of the language: what each is for, its options, its formula."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterator, Mapping
from itertools import groupby

from netcompiler.diagnostics import Style
from netcompiler.layers.layer import Layer
from netcompiler.options import Expect
from netcompiler.report import summary
from netcompiler.report.columns import Column, as_lines, fit
from netcompiler.report.description import value_text

Kinds = Mapping[str, type[Layer]]


def all_kinds(kinds: Kinds, width: int | None, style: Style) -> list[str]:
    """A line each, family by family in the order of registration."""
    families = list(dict.fromkeys(kind.family for kind in kinds.values()))
    ordered = sorted(kinds, key=lambda name: families.index(kinds[name].family))
    lines: list[str] = []
    for family, group in groupby(ordered, lambda name: kinds[name].family):
        names = list(group)
        about = tuple(summary.first_sentence(doc(kinds[name])) for name in names)
        columns = [Column("", tuple(name.ljust(max(map(len, kinds))) for name in names), tint="cyan"), Column("", about, least=10)]
        lines += [style("bold", family or "others"), *as_lines(fit([columns], width), style)[1:], ""]
    return [*lines, *textwrap.wrap("`netc layers NAME` shows one with its options and formula.", width or summary.WIDEST)]


def one_kind(kind: type[Layer], width: int | None, style: Style) -> list[str]:
    lines = summary.as_text([(kind.kind, doc(kind))], width, style)
    facts = [(f"  {label}", text) for label, text in (("formula", kind.formula), ("example", kind.example)) if text]
    lines += ["", *summary.as_text(facts, width, style)] if facts else []
    options = list(_options(kind))
    return lines + (["", style("bold", "options"), *summary.as_text(options, width, style)] if options else [])


def _options(kind: type[Layer]) -> Iterator[tuple[str, str]]:
    for name, field in kind.model_fields.items():
        expected = next((item.words for item in field.metadata if isinstance(item, Expect)), "")
        default = "required" if field.is_required() else "" if field.default is None else f"default {value_text(field.default)}"
        yield f"  {name}", f"{field.description or ''} ({'; '.join(filter(None, (expected, default)))})"


def doc(kind: type[object]) -> str:
    return " ".join(inspect.cleandoc(kind.__doc__ or "").split())

"""What `netc eval` found, as text: figures, classes, who is taken for whom, how sure the net is and how often it is right."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from netcompiler.cli.progress import figure
from netcompiler.diagnostics import Style
from netcompiler.report.columns import Column, as_lines, fit

SHOWN = 20
"""Classes and confusions that a person reads."""
VIEWS = {"flip": ", each also mirrored", "ten_crop": ", each in ten windows"}

Found = Mapping[str, Any]


def as_text(found: Found, remark: str, width: int | None, style: Style) -> Iterator[str]:
    weights, figures = found["weights"], found["figures"]
    yield f"{' + '.join(weights)}{', voting' if len(weights) > 1 else ''}, {found['pictures']:,} pictures{VIEWS.get(found['views'], '')}"
    longest = max(map(len, figures), default=0)
    yield from (f"  {name:<{longest}}  {figure(name, value)}" for name, value in figures.items())
    yield from ([remark] if remark else [])
    for name, output in found["outputs"].items():
        classes = named(found["names"], len(output["classes"]))
        if len(found["outputs"]) > 1:
            yield from ("", style("bold", name))
        for layouts in ([_classes(output, classes)], [_matrix(output["confusion"], classes), []], [_sureness(output)]):
            lines = as_lines(fit(layouts, width), style)
            yield from ("", *lines) if lines else ()
        yield f"how sure it is, and how often it is right, differ by {output['calibration']['error']:.1%} on average"


def named(names: Sequence[str], count: int) -> list[str]:
    """Names of classes, where there is one for each; else their numbers."""
    return list(names) if len(names) == count else [str(number) for number in range(count)]


def _classes(output: Found, names: Sequence[str]) -> list[Column]:
    """All of a few; of many those that are found least often."""
    there = [at for at, each in enumerate(output["classes"]) if each["count"]]
    order = there if len(there) <= SHOWN else sorted(there, key=lambda at: output["classes"][at]["recall"])[:SHOWN]
    each = [output["classes"][at] for at in order]
    title = "class" if len(there) <= SHOWN else f"worst of {len(there):,}"
    return [
        Column(title, tuple(names[at] for at in order), least=8),
        Column(output["of"], tuple(f"{one['count']:,}" for one in each), right=True),
        Column("found", tuple(f"{one['recall']:.1%}" for one in each), right=True),
        Column("right", tuple("" if one["precision"] is None else f"{one['precision']:.1%}" for one in each), right=True),
        Column("taken for", tuple(_others(output["confusion"][at], at, names) for at in order), least=12, keep="parts"),
    ]


def _others(row: Sequence[int], own: int, names: Sequence[str]) -> str:
    taken = sorted(((count, at) for at, count in enumerate(row) if count and at != own), key=lambda pair: (-pair[0], pair[1]))
    return ", ".join(f"{names[at]} ({count:,})" for count, at in taken[:3])


def _matrix(confusion: Sequence[Sequence[int]], names: Sequence[str]) -> list[Column]:
    """A row for each class, a column for what it was called; where there are many, the table above says enough."""
    if len(names) > SHOWN:
        return []
    columns = [Column(name, tuple(str(row[at] or ".") for row in confusion), right=True) for at, name in enumerate(names)]
    return [Column("is, called", tuple(names)), *columns]


def _sureness(output: Found) -> list[Column]:
    bins = output["calibration"]["bins"]
    return [
        Column("sure", tuple(f"{each['from']:.0%} to {each['to']:.0%}" for each in bins)),
        Column(output["of"], tuple(f"{each['count']:,}" for each in bins), right=True),
        Column("on average", tuple(f"{each['sure']:.1%}" for each in bins), right=True),
        Column("right", tuple(f"{each['right']:.1%}" for each in bins), right=True),
    ]

"""The report of a run as one page of HTML that needs nothing else: no script, no other file."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import NamedTuple

STYLE = """
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
h1, h2 { line-height: 1.2; } h2 { margin-top: 2.5rem; }
.curves { display: grid; grid-template-columns: repeat(auto-fill, minmax(26rem, 1fr)); gap: 1rem; }
.pictures { display: flex; flex-wrap: wrap; gap: 1rem; } figure { margin: 0; width: 7rem; font-size: .8rem; }
img { image-rendering: pixelated; width: 7rem; } img.filters { width: min(32rem, 100%); }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; } td, th { padding: .15rem .5rem; text-align: right; }
.facts th { text-align: left; font-weight: 500; padding-left: 0; } .facts td { text-align: left; }
.confusion { font-size: .8rem; display: block; overflow-x: auto; }
pre { overflow-x: auto; font-size: .8rem; line-height: 1.35; }
"""


class Wrong(NamedTuple):
    """A picture that was taken for another class."""

    picture: bytes
    caption: str


@dataclass(frozen=True)
class Page:
    """What a report shows; what is empty is left out."""

    title: str
    facts: Mapping[str, str]
    curves: Sequence[str] = ()
    classes: Sequence[str] = ()
    confusion: Sequence[Sequence[int]] = ()
    worst: Sequence[Wrong] = ()
    filters: bytes = b""
    texts: Mapping[str, str] = field(default_factory=dict)

    def html(self) -> str:
        parts = [
            ("", self._facts()),
            ("Curves", f'<div class="curves">{"".join(self.curves)}</div>' if self.curves else ""),
            ("Who is taken for whom", _confusion(self.classes, self.confusion)),
            ("Worst mistakes", f'<div class="pictures">{"".join(map(_wrong, self.worst))}</div>' if self.worst else ""),
            ("Filters of the first layer", _image(self.filters, "filters of the first layer", "filters") if self.filters else ""),
            *((title, f"<pre>{escape(text)}</pre>") for title, text in self.texts.items()),
        ]
        body = "\n".join((f"<h2>{escape(title)}</h2>\n" if title else "") + content for title, content in parts if content)
        head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(self.title)}</title>'
        page = f"<head>{head}<style>{STYLE}</style></head>\n<body><h1>{escape(self.title)}</h1>\n{body}\n</body>"
        return f'<!doctype html>\n<html lang="en">{page}</html>\n'

    def _facts(self) -> str:
        rows = (f"<tr><th>{escape(name)}</th><td>{escape(text)}</td></tr>" for name, text in self.facts.items())
        return f'<table class="facts">{"".join(rows)}</table>'


def _confusion(classes: Sequence[str], counts: Sequence[Sequence[int]]) -> str:
    """A row for each class, a column for what it was called; the darker, the larger its share of the row."""
    if not counts:
        return ""
    head = "".join(f"<th>{escape(name)}</th>" for name in classes)
    rows = "".join(f"<tr><th>{escape(name)}</th>{_cells(at, row)}</tr>" for at, (name, row) in enumerate(zip(classes, counts, strict=True)))
    return f'<p>Rows are classes, columns what they were called.</p><table class="confusion"><tr><th></th>{head}</tr>{rows}</table>'


def _cells(label: int, row: Sequence[int]) -> Iterable[str]:
    total = sum(row) or 1
    return "".join(
        f'<td style="background: rgb({"5 150 105" if label == called else "219 39 119"} / {count / total:.2f})">{count or ""}</td>'
        for called, count in enumerate(row)
    )


def _wrong(wrong: Wrong) -> str:
    picture = _image(wrong.picture, wrong.caption, "") if wrong.picture else ""
    return f"<figure>{picture}<figcaption>{escape(wrong.caption)}</figcaption></figure>"


def _image(content: bytes, text: str, kind: str) -> str:
    return f'<img class="{kind}" alt="{escape(text)}" src="data:image/png;base64,{b64encode(content).decode()}">'

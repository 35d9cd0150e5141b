"""What a net said about a file, as text with bars, as a line of JSON, as marks on the picture."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from netcompiler.cli.measurement import named
from netcompiler.diagnostics import Style
from netcompiler.graph import Output
from netcompiler.report.figures import bar

if TYPE_CHECKING:
    from runtime.arrays import Array
    from runtime.drawing import Mark
    from runtime.prediction import Said

BAR = 24
"""Cells of a bar for all."""
FEW = 16
"""Numbers that a person reads."""
BOXES = ("box", "corner")


class Answers(NamedTuple):
    """How the outputs of a net are to be read. `kinds` say what their scores are, `classes` are the names that training knew."""

    outputs: Sequence[Output]
    kinds: Mapping[str, str]
    classes: Sequence[str]
    top: int

    def told(self, said: Said) -> dict[str, Any]:
        """By output: the likeliest classes, the largest shares of the positions, or numbers."""
        return {name: self._told(self.kinds[name], values) for name, values in said.outputs.items()}

    def _told(self, kind: str, values: Array) -> dict[str, Any]:
        names = named(self.classes, len(values))
        if kind and values.ndim == 1:
            return {"top": self._top(names, values.tolist(), "probability")}
        if kind == "softmax":
            called = values.argmax(axis=0)
            return {"top": self._top(names, [float((called == at).mean()) for at in range(len(values))], "share")}
        return {"values": values.tolist()}

    def _top(self, names: Sequence[str], values: Sequence[float], word: str) -> list[dict[str, Any]]:
        order = sorted(range(len(values)), key=lambda at: (-values[at], at))[: self.top]
        return [{"class": names[at], word: values[at]} for at in order]

    def marks(self, said: Said) -> Iterator[Mark]:
        """Outputs that are pairs of coordinates, as shares of the sides; the first is called what the likeliest class is."""
        from runtime.drawing import Mark, points

        tops = [found["top"][0] for found in self.told(said).values() if "top" in found]
        labels = [f"{top['class']} {top['probability']:.0%}" for top in tops if "probability" in top]
        for output in self.outputs:
            values = said.outputs.get(output.name)
            if values is None or self.kinds[output.name] or values.ndim != 1 or len(values) < 2 or len(values) % 2:
                continue
            closed = any(word in f"{output.name} {output.target}" for word in BOXES)
            yield Mark(points(values, closed), closed, labels.pop(0) if labels else "")

    def maps(self, said: Said) -> list[Array]:
        """Class numbers of positions."""
        return [values.argmax(axis=0) for name, values in said.outputs.items() if self.kinds[name] == "softmax" and values.ndim == 3]

    def pictures(self, said: Said) -> dict[str, Array]:
        """Outputs that are pictures themselves."""
        found = {name: values for name, values in said.outputs.items() if not self.kinds[name] and values.ndim == 3}
        return {name: values for name, values in found.items() if len(values) in (1, 3)}


def as_json(answers: Answers, said: Said) -> str:
    facts = {"error": said.why} if said.why else {"outputs": answers.told(said)}
    return json.dumps({"file": said.name, **facts}, ensure_ascii=False)


def as_text(answers: Answers, said: Said, style: Style) -> Iterator[str]:
    told = answers.told(said)
    yield style("bold", said.name)
    for name, found in told.items():
        if len(told) > 1:
            yield f"  {name}"
        yield from (f"  {'  ' * (len(told) > 1)}{line}" for line in _lines(found, said.outputs[name], style))


def _lines(found: Mapping[str, Any], values: Array, style: Style) -> Iterator[str]:
    if "top" not in found:
        size = "x".join(map(str, values.shape))
        yield " ".join(f"{value:.4g}" for value in values.tolist()) if values.ndim == 1 and len(values) <= FEW else f"{size} numbers"
        return
    longest = max(len(each["class"]) for each in found["top"])
    for each in found["top"]:
        share = each.get("probability", each.get("share"))
        yield f"{each['class']:<{longest}}  {share:>6.1%}  {style('blue', bar(round(8 * BAR * share)))}".rstrip()

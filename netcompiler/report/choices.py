"""What was measured where a plan has a choice: a line for each kind of instruction, what each offer takes, and what was chosen."""

from __future__ import annotations

from collections.abc import Sequence
from math import isinf
from typing import NamedTuple

from netcompiler.plan import Instruction
from netcompiler.report.columns import Column
from netcompiler.report.profile import layer, ops
from netcompiler.targets import Choice, Offer


class Row(NamedTuple):
    """A kind of instruction, how often it is run, and how facts and formulas choose."""

    instruction: Instruction
    times: int
    by_facts: Choice
    by_formula: Choice

    @property
    def gain(self) -> float:
        """Seconds that facts save in all, as they were measured."""
        return self.times * (self.by_facts.seconds[self.by_formula.offer] - self.by_facts.seconds[self.by_facts.offer])


def columns(rows: Sequence[Row]) -> list[Column]:
    names = list(dict.fromkeys(_short(offer) for row in rows for offer in row.by_facts.seconds))
    return [
        Column("layer", tuple(layer(row.instruction) for row in rows), least=12, keep="end"),
        Column("", tuple(f"x {row.times}" if row.times > 1 else "" for row in rows), right=True),
        Column("instruction", tuple(ops(row.instruction) for row in rows), least=11),
        Column("shape", tuple("x".join(map(str, row.instruction.result.shape)) for row in rows)),
        *(Column(f"{name} ms", tuple(_milliseconds(row.by_facts, name) for row in rows), right=True) for name in names),
        Column("chosen", tuple(_short(row.by_facts.offer) for row in rows)),
        Column("by formula", tuple(_short(row.by_formula.offer) for row in rows)),
    ]


def _short(offer: Offer) -> str:
    return offer.algorithm or offer.kernel


def _milliseconds(choice: Choice, name: str) -> str:
    found = [seconds for offer, seconds in choice.seconds.items() if _short(offer) == name]
    return "".join("refused" if isinf(seconds) else f"{1e3 * seconds:,.3f}" for seconds in found)

"""What watches over the walk: bounds, unique names, mistakes that become findings."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

from netcompiler.diagnostics import Call, Mistake
from netcompiler.flow import Unknown
from netcompiler.layers.layer import Shape, show
from netcompiler.reader import Findings
from netcompiler.source import Place
from netcompiler.values import Misplaced

MAX_STEPS = 30_000
MAX_NESTING = 50
MAX_NAME = 1000
MAX_NUMBERS = 2**48


class TooMuch(Exception):
    """The walk has gone past its bounds; the diagnostic is made already."""


class Guard:
    def __init__(self, findings: Findings) -> None:
        self.findings = findings
        self.names: dict[str, Place] = {}
        self.steps = 0
        self.depth = 0

    @contextmanager
    def reported(self, place: Place, calls: tuple[Call, ...] = ()) -> Iterator[None]:
        """Turns mistakes into findings; what should have come of the block is then unknown."""
        try:
            yield
        except Misplaced as found:
            self.findings.add(found.mistake.at(found.place, calls))
        except Mistake as mistake:
            self.findings.add(mistake.at(place, calls))
        except Unknown:
            return  # a finding is there already

    def count(self, place: Place, steps: int = 1) -> None:
        """A step for each item and turn, and one for each value that a dense turn joins."""
        self.steps += steps
        if self.steps > MAX_STEPS:
            message = f"the net has more than {MAX_STEPS:,} items"
            self.findings.error("too-large", place, message, "repeat less, or call fewer blocks")
            raise TooMuch

    @contextmanager
    def nested(self, place: Place) -> Iterator[None]:
        self.depth += 1
        if self.depth > MAX_NESTING:
            message = f"blocks and compositions nest more than {MAX_NESTING} deep"
            self.findings.error("too-deep", place, message, "write some of them one after another")
            raise TooMuch
        try:
            yield
        finally:
            self.depth -= 1

    def claim(self, full: str, place: Place, calls: tuple[Call, ...] = ()) -> None:
        """Full names are unique, and short enough to be read."""
        if len(full) > MAX_NAME:
            help = "give shorter names, or nest fewer of them"
            self.findings.error("too-large", place, f"the full name of this item has {len(full):,} characters", help)
            raise TooMuch
        if full in self.names:
            first = self.names[full]
            facts = [f"the first is at {first}" if first != place else "the first is the same in an earlier turn"]
            help = "put `$index` into the name, or make it a block"
            self.findings.add(Mistake("two-of-one-name", f"two items are called `{full}`", help, facts).at(place, calls))
        self.names[full] = place


def check_size(shape: Shape) -> None:
    if math.prod(shape) > MAX_NUMBERS:
        raise Mistake("too-large", f"the output {show(shape)} has more numbers than any machine holds", "use smaller factors")

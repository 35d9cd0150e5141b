"""Options that say from where to where something is drawn."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import AfterValidator, Field

from netcompiler.options import AtLeastOne, Expect, NotNegative, Number, Part, Positive


def _ordered(interval: list[float]) -> list[float]:
    if interval != sorted(interval):
        raise ValueError("low stands before high")
    return interval


Interval: TypeAlias = Annotated[list[Number], Field(min_length=2, max_length=2), AfterValidator(_ordered), Expect("[low, high]")]
PositiveInterval: TypeAlias = Annotated[
    list[Positive], Field(min_length=2, max_length=2), AfterValidator(_ordered), Expect("[low, high], both above 0")
]
Parts: TypeAlias = Annotated[
    list[Part], Field(min_length=2, max_length=2), AfterValidator(_ordered), Expect("[low, high], both above 0 and at most 1")
]

AROUND_0 = Expect("a number a, 0 or more, for -a to a, or [low, high]")
AROUND_1 = Expect("a number a, 1 or more, for 1/a to a, or [low, high], both above 0")

Around0: TypeAlias = Annotated[NotNegative | Interval, AROUND_0]
MaybeAround0: TypeAlias = Annotated[NotNegative | Interval | None, AROUND_0]
MaybeAround1: TypeAlias = Annotated[AtLeastOne | PositiveInterval | None, AROUND_1]

"""Options that say from where to where something is drawn, and what is drawn out of a number in [0, 1)."""

from __future__ import annotations

import math
from typing import Annotated, TypeAlias

from pydantic import AfterValidator, Field

from netcompiler.options import AtLeastOne, Expect, NotNegative, Number, Part, Positive
from netcompiler.scalar import ONE, ZERO, Expr, compare, exp, power, select, sqrt, unary, wrap


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


def drawn(limits: float | list[float] | None, u: Expr) -> Expr:
    """Uniform in [low, high), or around 0; 0 where it is off."""
    if limits is None:
        return ZERO
    low, high = limits if isinstance(limits, list) else (-limits, limits)
    return low + (high - low) * u


def drawn_evenly_in_logarithms(limits: float | list[float] | None, u: Expr) -> Expr:
    """Log-uniform in [low, high), or around 1; 1 where it is off."""
    if limits is None:
        return ONE
    low, high = limits if isinstance(limits, list) else (1 / limits, limits)
    return exp(drawn([math.log(low), math.log(high)], u))


def beta(alpha: float, u: Expr, v: Expr) -> Expr:
    """Beta(alpha, alpha) out of two uniform numbers: 1/2 + t / (2 sqrt(2 alpha + t^2)), where t has Student's distribution with
    2 alpha degrees of freedom, sqrt(2 alpha (1 / r - 1)) cos(2 pi v), r = u^(1 / alpha) (Bailey 1994)."""
    r, cos = power(1 - u, wrap(1 / alpha)), unary("cos", 2 * math.pi * v)
    far = (1 - r) * cos * cos
    half = 0.5 * sqrt(far / (r + far))
    return 0.5 + select(compare("lt", cos, ZERO), -half, half)

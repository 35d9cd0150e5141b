"""How the rate changes while training goes on: factors of the optimizer's rate, as pure functions of time and history.

`e` is the time in epochs, with the part of the current one; `E` all epochs. Warm-up is a factor more, in front of any of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated

from pydantic import AfterValidator, Field

from netcompiler.options import Between, Expect, Positive, Share, Whole
from netcompiler.recipe.families import Schedule
from netcompiler.recipe.watch import Watching


class Constant(Schedule):
    """The rate stays."""

    formula = "1"
    example = "schedule: constant"

    def scale(self, e: float, epochs: float, history: Sequence[float] = ()) -> float:
        return 1


class Step(Schedule):
    """The rate falls every so many epochs."""

    formula = "factor^floor(e / every)"
    example = "schedule: {step: 30}"

    every: Positive = Field(description="epochs from one fall to the next")
    factor: Positive = Field(0.1, description="the factor of each fall")

    def scale(self, e: float, epochs: float, history: Sequence[float] = ()) -> float:
        return math.pow(self.factor, e // self.every)


def _rising(epochs: list[float]) -> list[float]:
    if any(a >= b for a, b in pairwise(epochs)):
        raise ValueError("each epoch must be above the one before")
    return epochs


class Multistep(Schedule):
    """The rate falls at given epochs."""

    formula = "factor^(how many of `at` are <= e)"
    example = "schedule: {multistep: [30, 60, 80]}"

    at: Annotated[list[Positive], Field(min_length=1), AfterValidator(_rising), Expect("a list of epochs, each above the one before")] = (
        Field(description="the epochs at which it falls")
    )
    factor: Positive = Field(0.1, description="the factor of each fall")

    def scale(self, e: float, epochs: float, history: Sequence[float] = ()) -> float:
        return math.pow(self.factor, sum(at <= e for at in self.at))


class Exponential(Schedule):
    """The rate falls by the same share all the time."""

    formula = "factor^e"
    example = "schedule: {exponential: 0.95}"

    factor: Positive = Field(description="the factor of one epoch")

    def scale(self, e: float, epochs: float, history: Sequence[float] = ()) -> float:
        return math.pow(self.factor, e)


class Polynomial(Schedule):
    """The rate falls along a power of the time that is left."""

    formula = "end + (1 - end) * (1 - e / E)^power"
    example = "schedule: {polynomial: {power: 0.9}}"

    power: Positive = Field(1, description="1 is a straight line")
    end: Share = Field(0, description="what is left of the rate at the end")

    def scale(self, e: float, epochs: float, history: Sequence[float] = ()) -> float:
        return self.end + (1 - self.end) * math.pow(max(0, 1 - e / epochs), self.power)


class Cosine(Schedule):
    """The rate falls along half a wave."""

    formula = "end + (1 - end) * (1 + cos(pi * e / E)) / 2"
    example = "schedule: cosine"

    end: Share = Field(0, description="what is left of the rate at the end")

    def scale(self, e: float, epochs: float, history: Sequence[float] = ()) -> float:
        return _wave(1, self.end, min(1, e / epochs))


class OneCycle(Schedule):
    """The rate rises along half a wave to the optimizer's rate, and falls along another one. The momentum stays."""

    formula = "wave(start, 1, e / T) to T = rise * E, wave(1, end, (e - T) / (E - T));  wave(a, b, t) = b + (a - b) * (1 + cos(pi * t)) / 2"
    example = "schedule: one_cycle"

    rise: Between = Field(0.3, description="share of all epochs in which it rises")
    start: Share = Field(0.04, description="share of the rate at the beginning")
    end: Share = Field(4e-6, description="share of the rate at the end")

    def scale(self, e: float, epochs: float, history: Sequence[float] = ()) -> float:
        top = self.rise * epochs
        return _wave(self.start, 1, e / top) if e < top else _wave(1, self.end, min(1, (e - top) / (epochs - top)))


class Plateau(Watching, Schedule):
    """The rate falls when a figure of the validation stalls."""

    formula = "max(lowest, factor^(how often patience ran out))"
    example = "schedule: {plateau: {factor: 0.1, patience: 3}}"

    factor: Between = Field(description="the factor of each fall")
    cooldown: Whole = Field(0, description="validations after a fall that are not counted")
    lowest: Share = Field(0, description="share of the rate below which it does not fall")

    def scale(self, e: float, epochs: float, history: Sequence[float] = ()) -> float:
        return max(self.lowest, math.pow(self.factor, self.stalls(history, self.cooldown)))


def _wave(a: float, b: float, t: float) -> float:
    """From a at t = 0 to b at t = 1 along a cosine."""
    return b + (a - b) * (1 + math.cos(math.pi * t)) / 2

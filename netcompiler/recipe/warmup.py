"""Warm-up: a rise of the rate at the beginning."""

from __future__ import annotations

from pydantic import Field, model_validator

from netcompiler.diagnostics import Mistake
from netcompiler.options import MaybeCount, MaybePositive, Options, Probability


class WarmUp(Options):
    """A rise at the beginning, in front of any schedule: a factor that goes from `start` to 1 in a straight line."""

    epochs: MaybePositive = Field(None, description="how long, in epochs")
    steps: MaybeCount = Field(None, description="how long, in steps")
    start: Probability = Field(0.01, description="the factor of the first step")

    @model_validator(mode="after")
    def _one_length(self) -> WarmUp:
        if (self.epochs is None) == (self.steps is None):
            raise Mistake("warmup", "warmup has one length, in epochs or in steps", "write warmup: {epochs: 5} or warmup: {steps: 500}")
        return self

    def scale(self, step: int, steps_per_epoch: float) -> float:
        length = self.steps or (self.epochs or 0) * steps_per_epoch
        return min(1, self.start + (1 - self.start) * step / length)

"""Metrics, and rules that wait for one of them to stop improving."""

import math
from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field

from netcompiler.options import Count, Expect, NotNegative, Options

Metric = Annotated[Literal["top1", "top5", "mean_iou", "mae", "rmse"], Expect("one of top1, top5, mean_iou, mae, rmse")]
Watchable = Annotated[Literal["loss", "top1", "top5", "mean_iou", "mae", "rmse"], Expect("one of loss, top1, top5, mean_iou, mae, rmse")]
RISING = frozenset({"top1", "top5", "mean_iou"})
"""The more the better. top1 and top5 are shares of pictures that are right; the error is 1 less them."""


class Watching(Options):
    """Waits while a figure of the validation improves."""

    patience: Count = Field(description="validations without an improvement, one after another, that are enough")
    watch: Watchable = Field("loss", description="the figure of the validation; it is measured even if `metrics` lacks it")
    threshold: NotNegative = Field(0, description="a change of no more than this is no improvement")

    def stalls(self, history: Iterable[float], cooldown: int = 0) -> int:
        """How often patience ran out so far; not a number is no improvement."""
        sign = -1 if self.watch in RISING else 1
        best, waited, resting, times = math.inf, 0, 0, 0
        for value in history:
            better = sign * value < best - self.threshold
            best = sign * value if better else best
            waited = 0 if better or resting else waited + 1
            resting = max(0, resting - 1)
            if waited == self.patience:
                waited, resting, times = 0, cooldown, times + 1
        return times


class EarlyStop(Watching):
    """Ends training when the figure stalls."""

    def stops(self, history: Iterable[float]) -> bool:
        return self.stalls(history) > 0

"""Windows on a processor."""

from __future__ import annotations

from collections.abc import Set

from netcompiler.plan import Instruction
from netcompiler.targets.target import Offer, Reason, not_single


def not_sliding(instruction: Instruction) -> Reason:
    return not_single(instruction) or not_sliding_over(set(instruction.attributes["axes"]), len(instruction.result.shape))


def not_sliding_over(axes: Set[int], rank: int) -> Reason:
    """Axes with a window, and between them axes without: the channels and, in front, all that has no window are free."""
    between = [axis in axes or axis - 1 in axes for axis in range(min(axes, default=rank), rank - (rank - 1 not in axes))]
    return "" if sum(between) <= 3 else f"it slides over 3 axes, and these windows over {sum(between)} axes"


WINDOWS = {
    **{op: (Offer(op, refuses=not_single, speed=0.5),) for op in ("window_max", "window_route", "patches", "unpatch")},
    **{op: (Offer(op, refuses=not_sliding, speed=0.5),) for op in ("window_sum", "window_spread")},
}

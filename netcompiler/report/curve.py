"""A curve in letters: a column for each part of the time, filled to its height."""

from __future__ import annotations

from collections.abc import Sequence

from netcompiler.report.scale import Scale, scale

ROWS = 12
EIGHTHS = " ▁▂▃▄▅▆▇█"
MARGIN = 9


def curve(values: Sequence[float], begin: str, end: str) -> list[str]:
    """`begin` and `end` are what stands under its first and last column."""
    axis = scale(values, zero=True)
    heights = [_height(axis, value) for value in values]
    labels = _labels(axis)
    lines = [f"{labels.get(row, ''):>{MARGIN - 2}} ┤{_row(heights, row)}".rstrip() for row in reversed(range(ROWS))]
    return [*lines, " " * (MARGIN - 1) + "└" + "─" * len(values), f"{' ' * MARGIN}{begin}{end:>{len(values) - len(begin)}}"]


def _height(axis: Scale, value: float) -> int:
    """In eighths of a row; a value above 0 is seen."""
    if axis.high == axis.low:
        return 8 * ROWS if value else 0
    return max(1 if value > 0 else 0, round(8 * ROWS * axis(value)))


def _row(heights: Sequence[int], row: int) -> str:
    return "".join(EIGHTHS[min(8, max(0, height - 8 * row))] for height in heights)


def _labels(axis: Scale) -> dict[int, str]:
    """The row in which each round number lies, and the highest value."""
    if axis.high == axis.low:
        return {ROWS - 1: f"{axis.high:.2g}"}
    found = {min(ROWS - 1, int(ROWS * axis(tick))): f"{tick:.3g}" for tick in axis.ticks()}
    return {**found, ROWS - 1: f"{axis.high:.2g}", **({0: f"{axis.low:.2g}"} if axis.log else {})}

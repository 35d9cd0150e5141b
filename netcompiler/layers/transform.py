"""Filters turned, mirrored and scaled about their centre: which taps each new tap is made of."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from netcompiler.diagnostics import Mistake

if TYPE_CHECKING:
    from netcompiler.lowering import Lowering
    from netcompiler.plan import Value

Taken: TypeAlias = "dict[int, float]"
"""The old taps that a new tap is made of, each with its share."""

Matrix: TypeAlias = "tuple[tuple[float, float], tuple[float, float]]"

QUARTERS = {0: (1.0, 0.0), 1: (0.0, 1.0), 2: (-1.0, 0.0), 3: (0.0, -1.0)}
"""Cosine and sine of whole quarter turns."""


def resampled(transform: str | Mapping[Any, Any], rows: int, columns: int) -> list[Taken]:
    """For each tap of the transformed filter, row by row, what it is made of. Taps from outside are 0."""
    (a, b), (c, d) = _back(transform)
    middle_row, middle_column = (rows - 1) / 2, (columns - 1) / 2
    taken = []
    for row in range(rows):
        for column in range(columns):
            y, x = row - middle_row, column - middle_column
            taken.append(_between(a * y + b * x + middle_row, c * y + d * x + middle_column, rows, columns))
    return taken


def _back(transform: str | Mapping[Any, Any]) -> Matrix:
    """From a place (row, column) of the new filter to that of the old one."""
    if isinstance(transform, str):
        return (1, 0), (0, 1)
    [(name, value)] = transform.items()
    if name == "flip":
        return ((-1, 0), (0, 1)) if value == "rows" else ((1, 0), (0, -1))
    if name == "scale":
        return (1 / value, 0), (0, 1 / value)
    cos, sin = _turn(value)  # anticlockwise as one sees it: rows count downwards
    return (cos, sin), (-sin, cos)


def _turn(degrees: float) -> tuple[float, float]:
    quarters, rest = divmod(degrees, 90)
    if rest == 0:
        return QUARTERS[int(quarters) % 4]
    return math.cos(math.radians(degrees)), math.sin(math.radians(degrees))


def _between(y: float, x: float, rows: int, columns: int) -> Taken:
    """The four neighbours of a place, nearer ones with more weight."""
    taken: Taken = {}
    for row, share_y in _neighbours(y, rows):
        for column, share_x in _neighbours(x, columns):
            taken[row * columns + column] = share_y * share_x
    return taken


def _neighbours(place: float, n: int) -> list[tuple[int, float]]:
    first = math.floor(place)
    behind = place - first
    return [(i, share) for i, share in ((first, 1 - behind), (first + 1, behind)) if share and 0 <= i < n]


def on_taps(at: Lowering, weight: Value, sources: Sequence[Taken]) -> Value:
    """Filters with as many taps as there are sources, each a weighted sum of the taps that were: by a table where each is one of them."""
    taps = math.prod(weight.shape[1:-1])
    flat = at.b.reshape(weight, (weight.shape[0], taps, weight.shape[-1]))
    if all(set(source.values()) <= {1.0} for source in sources):
        table = tuple(next(iter(source), -1) for source in sources)
        new = at.b.emit("gather", flat, table=table, axis=1)
    else:
        matrix = at.b.table([source.get(tap, 0.0) for source in sources for tap in range(taps)], (len(sources), taps))
        new = at.b.emit("matmul", matrix, flat, ta=False, tb=False)
    return at.b.reshape(new, weight.shape) if len(sources) == taps else new


def check_transform(transform: dict[Any, Any]) -> None:
    [(name, value)] = transform.items()
    if name == "flip":
        if value not in ("rows", "columns"):
            raise Mistake("transforms", f"a filter cannot be flipped by {value}", "flip is rows or columns", option="transforms")
    elif isinstance(value, str) or (name == "scale" and value <= 0):
        raise Mistake("transforms", f"{name} cannot be {value}", "rotate takes degrees, scale a factor above 0", option="transforms")

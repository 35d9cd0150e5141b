"""Arrays as kernels that slide see them: n, depth, height, width and cells, the last of them contiguous.

Neighbouring axes without a window are one where the bytes allow it, so that windows over channels are windows over the width
of many rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import NamedTuple

import numpy as np

from netcompiler.plan import Axis
from runtime.arrays import Array
from runtime.kernels.cpu.reach import Reach, Run, direct, runs

SIDES = 3
WHOLE = Axis(1)
Look = Callable[[Axis, int, int], Reach]
"""How an axis of the result sees its window over the source."""


class Part(NamedTuple):
    """An array of a step: bytes from cell to cell along each axis, the last of them an element, and from tap to tap of the
    windowed ones."""

    address: int
    strides: tuple[int, ...]
    taps: tuple[int, ...] = ()


class Line(NamedTuple):
    """An axis: cells of the result, cells of what is read; for each part the bytes from cell to cell and from tap to tap."""

    size: int
    source: int
    window: Axis
    strides: tuple[int, ...]
    taps: tuple[int, ...]


class Frame(NamedTuple):
    """n, and the axes that are walked by tables: depth and height by cells, the width by runs."""

    n: Line
    lines: tuple[Line, ...]
    sides: tuple[Reach, ...]
    pieces: tuple[Run, ...]

    @property
    def rows(self) -> int:
        return prod((self.n.size, *(len(side.meetings) for side in self.sides[:-1])))

    @property
    def counts(self) -> tuple[int, ...]:
        """How many taps there are along the width, from place to place."""
        return tuple(sorted({piece.met for piece in self.pieces}))

    def long(self, pixels: int) -> tuple[int, ...]:
        """Those of them that last for so many pixels."""
        return tuple(sorted({piece.met for piece in self.pieces if piece.met and piece.pixels >= pixels}))


def part(array: Array, taps: Sequence[int] = ()) -> Part:
    return Part(array.ctypes.data, array.strides, tuple(taps))


def number(rank: int, window: Sequence[Axis]) -> Part:
    """The number of a tap: what lies nowhere."""
    return Part(0, (0,) * rank, by_tap(window, 1))


def by_tap(window: Sequence[Axis], one: int) -> tuple[int, ...]:
    """From tap to tap along each windowed axis, where neighbours are `one` apart."""
    return tuple(one * prod(w.kernel for w in window[i + 1 :]) for i in range(len(window)))


def framed(
    shape: Sequence[int],
    source: Sequence[int],
    axes: Sequence[int],
    window: Sequence[Axis],
    parts: Sequence[Part],
    *,
    look: Look = direct,
    whole: bool = False,
) -> Frame:
    """The result and what it reads; whole: pixels stay by themselves."""
    lines = [_line(i, shape[i], source[i], dict(zip(axes, window, strict=True)), list(axes), parts) for i in range(len(shape))]
    one = Line(1, 1, WHOLE, (0,) * len(parts), (0,) * len(parts))
    cells = lines.pop() if lines[-1].window == WHOLE else one
    lines = _joined(lines)
    n = lines.pop(0) if lines and lines[0].window == WHOLE else one
    lines = [one] * (SIDES - len(lines)) + lines
    sides = tuple(look(line.window, line.size, line.source) for line in lines)
    dense = not whole and all(along == cells.size * each.strides[-1] for each, along in zip(parts, lines[-1].strides, strict=True))
    return Frame(n, tuple(lines), sides, tuple(runs(sides[-1], cells.size, dense)))


def numbers(frame: Frame, parts: Sequence[Part]) -> tuple[list[int], tuple[Array, ...]]:
    """What walk.py reads, and the tables that the addresses among it lead to."""
    tables = tuple(np.array(rows, np.int64) for rows in (frame.sides[0].meetings, frame.sides[1].meetings, frame.pieces))
    sizes = [len(rows) for rows in tables]
    steps = [step for side in frame.sides for step in (side.tap_step, side.source_step)]
    arrays = [
        number
        for i, each in enumerate(parts)
        for number in (each.address, frame.n.strides[i], *(n for line in frame.lines for n in (line.strides[i], line.taps[i])))
    ]
    return [*sizes, *(table.ctypes.data for table in tables), *steps, *arrays], tables


def _line(i: int, size: int, source: int, windows: dict[int, Axis], axes: list[int], parts: Sequence[Part]) -> Line:
    window = windows.get(i, WHOLE)
    taps = tuple(each.taps[axes.index(i)] if i in axes and each.taps else 0 for each in parts)
    return Line(size, source, window, tuple(each.strides[i] for each in parts), taps)


def _joined(lines: Sequence[Line]) -> list[Line]:
    """Axes of one cell are left out; axes without a window become one with the axis inside them."""
    done: list[Line] = []
    for line in lines:
        if line.window == WHOLE and line.size == 1:
            continue
        if done and done[-1].window == line.window == WHOLE and _around(done[-1], line):
            line = line._replace(size=line.size * done[-1].size, source=line.source * done[-1].source)
            done.pop()
        done.append(line)
    return done


def _around(outer: Line, inner: Line) -> bool:
    return all(a == b * inner.size for a, b in zip(outer.strides, inner.strides, strict=True))

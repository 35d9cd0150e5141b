"""Which cells a window reaches, worked out when a step is bound: both ways, along each axis, so that kernels need no edges.

A kernel looks from the cells of its result. Directly, these are windows over the source; the adjoint way, the source's
windows cover them. Either way cell i of an axis meets `met` taps from `tap` on, the first at cell `source`.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from math import gcd
from typing import NamedTuple

from netcompiler.plan import Axis


class Meeting(NamedTuple):
    """What a cell of the result meets along an axis; nothing where `met` is 0."""

    cell: int
    tap: int
    met: int
    source: int


class Reach(NamedTuple):
    """An axis of the result: from one of a cell's taps to the next, taps and source cells lie so far apart; every `period`
    cells the same taps come again, `advance` source cells on."""

    meetings: tuple[Meeting, ...]
    tap_step: int
    source_step: int
    period: int
    advance: int


class Run(NamedTuple):
    """Cells `step` apart that meet the same taps, from `first` on; the first of them at `source`, the next `advance` on."""

    first: int
    pixels: int
    step: int
    met: int
    tap: int
    source: int
    advance: int
    cells: int


@lru_cache(1024)
def direct(window: Axis, size: int, source: int) -> Reach:
    """Tap t of window i is source cell i * stride - low + t * dilation."""
    meetings = []
    for i in range(size):
        first = i * window.stride - window.low
        begin = max(0, -(first // window.dilation))
        end = min(window.kernel, -((first - source) // window.dilation))
        meetings.append(Meeting(i, begin, end - begin, first + begin * window.dilation) if begin < end else Meeting(i, 0, 0, 0))
    return Reach(tuple(meetings), 1, window.dilation, 1, window.stride)


@lru_cache(1024)
def adjoint(window: Axis, size: int, source: int) -> Reach:
    """Cell i is tap t of source cell (i + low - t * dilation) / stride, where that is whole. The last tap comes first, so that
    source cells follow one another as they do directly: with stride 1 both ways are one kernel."""
    common = gcd(window.stride, window.dilation)
    meetings = []
    for i in range(size):
        offsets = ((t, i + window.low - t * window.dilation) for t in reversed(range(window.kernel)))
        met = [(t, at // window.stride) for t, at in offsets if at % window.stride == 0 and 0 <= at < source * window.stride]
        meetings.append(Meeting(i, met[0][0], len(met), met[0][1]) if met else Meeting(i, 0, 0, 0))
    return Reach(tuple(meetings), -window.stride // common, window.dilation // common, window.stride, 1)


@lru_cache(1024)
def apart(window: Axis, size: int, source: int) -> Reach:
    """Tap by tap: each tap of a window is a cell of its own, which meets one cell of the source or nothing."""
    meetings = []
    for tap in range(window.kernel):
        places = ((i, i * window.stride - window.low + tap * window.dilation) for i in range(size))
        meetings += [Meeting(i, tap, 1, at) if 0 <= at < source else Meeting(i, tap, 0, 0) for i, at in places]
    return Reach(tuple(meetings), 1, window.dilation, 1, window.stride)


def runs(reach: Reach, cells: int, dense: bool) -> list[Run]:
    """The last of the sides in pieces; a run of dense pixels of which all move on by one is one wide pixel."""
    pieces = [piece for phase in range(reach.period) for piece in _pieces(reach, phase, cells)]
    return [_widened(piece) if dense and piece.step == 1 and (piece.advance == 1 or not piece.met) else piece for piece in pieces]


def _pieces(reach: Reach, phase: int, cells: int) -> Iterator[Run]:
    current: Run | None = None
    for meeting in reach.meetings[phase :: reach.period]:
        if current and _continues(current, meeting):
            current = current._replace(pixels=current.pixels + 1)
            continue
        if current:
            yield current
        current = Run(meeting.cell, 1, reach.period, meeting.met, meeting.tap, meeting.source, reach.advance, cells)
    if current:
        yield current


def _continues(run: Run, meeting: Meeting) -> bool:
    behind = Meeting(run.first + run.pixels * run.step, run.tap, run.met, run.source + run.pixels * run.advance if run.met else 0)
    return meeting == behind


def _widened(run: Run) -> Run:
    return run._replace(pixels=1, cells=run.pixels * run.cells)

"""Steps of kernels that slide, and the simplest of them: sums."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

from netcompiler.plan import Axis
from runtime.arrays import Array
from runtime.kernels.cpu.code import LANES, Code
from runtime.kernels.cpu.driver import Step
from runtime.kernels.cpu.frame import Look, Part, framed, numbers
from runtime.kernels.cpu.layout import pieces
from runtime.kernels.cpu.reach import direct
from runtime.kernels.cpu.walk import SOURCE, WORD, Kind, Place, Walk


def slid(
    emit: Callable[..., None],
    y: Array,
    source: Sequence[int],
    axes: Sequence[int],
    window: Sequence[Axis],
    parts: Sequence[Part],
    *structure: str,
    look: Look = direct,
) -> Step:
    """Over the windows of a source of this shape; `parts` are what the kernel knows by number."""
    frame = framed(y.shape, source, axes, window, parts, look=look)
    args, tables = numbers(frame, parts)
    taps = prod(w.kernel for w in window)
    work = y.itemsize * (y.size + prod(source)) * (1 + taps / 8)
    return Step((emit, frame.counts, *structure, LANES), args, frame.rows, pieces(work, frame.rows), taps * len(parts) * WORD, tables)


def summed(code: Code, counts: Sequence[int], lanes: int) -> None:
    """Of single taps: a copy, and zeros where nothing is met."""

    def body(place: Place) -> None:
        with place.lines(place.zeros()) as line:
            line.next = line.values
            for tap in range(place.taps):
                read = (place.strip.load(code, place.tap(line.i, 1, tap, *spot)) for spot in place.spots)
                line.next = [code.fadd(old, new) for old, new in zip(line.next, read, strict=True)]
        place.write(0, line.result)

    Walk(code, (Kind("f32", tapped=True), SOURCE), counts, lanes, body).rows(code.lo, code.hi)

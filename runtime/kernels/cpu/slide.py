"""Steps of kernels that slide, and the simplest of them: sums."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

from llvmlite import ir

from netcompiler.plan import Axis
from runtime.arrays import Array
from runtime.kernels.cpu.code import LANES, Code, Number
from runtime.kernels.cpu.driver import Step
from runtime.kernels.cpu.frame import Look, Part, framed, numbers
from runtime.kernels.cpu.place import Place
from runtime.kernels.cpu.reach import direct
from runtime.kernels.cpu.walk import SOURCE, WORD, Kind, Walk
from runtime.kernels.layout import pieces

TAP = Kind("", tapped=True)
"""Its number, for kernels that ask for it."""


def slid(
    emit: Callable[..., None],
    y: Array,
    source: Sequence[int],
    axes: Sequence[int],
    window: Sequence[Axis],
    parts: Sequence[Part],
    *structure: str | int,
    look: Look = direct,
    whole: bool = False,
) -> Step:
    """Over the windows of a source of this shape; `parts` are what the kernel knows by number."""
    frame = framed(y.shape, source, axes, window, parts, look=look, whole=whole)
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


def larger(code: Code, cells: ir.Value, this: ir.Value, best: ir.Value, at: ir.Value) -> tuple[ir.Value, ir.Value]:
    """The first NaN is larger than all."""
    wins = code.b.and_(code.b.fcmp_unordered(">", cells, best), code.b.fcmp_ordered("ord", best, best))
    return code.b.select(wins, cells, best), code.b.select(wins, this, at)


def tap_number(code: Code, tap: Number, typ: ir.Type, lanes: int) -> ir.Value:
    return code.splat(narrowed(code, code.whole(tap), typ), lanes)


def narrowed(code: Code, value: ir.Value, typ: ir.Type) -> ir.Value:
    wanted = ir.VectorType(typ, value.type.count) if isinstance(value.type, ir.VectorType) else typ
    return code.b.trunc(value, wanted)

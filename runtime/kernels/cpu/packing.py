"""Weights as products read them: panels of channels side by side, tap by tap; what is missing in the last one is 0."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from llvmlite import ir

from netcompiler.plan import PANEL
from runtime.arrays import Array
from runtime.kernels.cpu.code import LANES, Code, Number
from runtime.kernels.cpu.driver import Step


def pack_rows(p: Array, w: Array, *, form: str, groups: int, elements: int) -> Iterator[Step]:
    """p[g, panel, t, c, j] = w[g, panel * PANEL + j, t, c]"""
    outer, length = w.shape[0] // groups, w[0].size
    panels = groups * -(-outer // PANEL)
    args = [w.ctypes.data, p.ctypes.data, outer, length, panels // groups]
    yield Step((turned,), args, panels, min(panels, 32))


def pack_rows_dx(p: Array, w: Array, *, form: str, groups: int, elements: int) -> Iterator[Step]:
    """p[g, panel, t, k, j] = w[g, k, taps - 1 - t, panel * PANEL + j]"""
    outer, taps, inner = w.shape[0] // groups, w[0, ..., 0].size, w.shape[-1]
    units = groups * -(-inner // PANEL) * taps
    args = [w.ctypes.data, p.ctypes.data, outer, taps, inner, -(-inner // PANEL)]
    yield Step((straight,), args, units, min(units, 32))


def turned(code: Code) -> None:
    """Rows become columns, LANES times LANES at a time."""
    w, p, outer, length, panels = map(code.arg, range(5))
    with code.loop(code.lo, code.hi) as unit:
        first = code.mul(code.rem(unit, panels), PANEL)
        rows = code.at(w, code.mul(code.add(code.mul(code.div(unit, panels), outer), first), length))
        target = code.at(p, code.mul(unit, code.mul(length, PANEL)))
        with code.loop(0, PANEL, LANES) as j:
            there = code.max(0, code.min(code.sub(code.sub(outer, first), j), LANES))
            with code.loop(0, length, LANES) as i:
                _turn(
                    code,
                    code.at(rows, code.add(code.mul(j, length), i)),
                    length,
                    there,
                    code.min(LANES, code.sub(length, i)),
                    code.at(target, code.add(code.mul(i, PANEL), j)),
                )


def _turn(code: Code, source: Number, length: Number, rows: Number, columns: Number, target: Number) -> None:
    """A tile; only so many rows and columns of it are there."""
    mask = code.mask(columns, LANES)
    none = ir.Constant(mask.type, [0] * LANES)
    tile = [
        code.load_masked(code.at(source, code.mul(r, length)), code.b.select(code.compare("<", r, rows), mask, none)) for r in range(LANES)
    ]
    for c, vector in enumerate(transposed(code, tile)):
        with code.when(code.compare("<", c, columns)):
            code.store(vector, code.at(target, c * PANEL))


def transposed(code: Code, rows: Sequence[ir.Value]) -> list[ir.Value]:
    """Columns of as many rows as a row is long: by turns halves are exchanged between rows that are n/2, n/4, ... apart."""
    n = len(rows)
    tile = list(rows)
    apart = n // 2
    while apart:
        for i in (i for i in range(n) if not i & apart):
            a, b = tile[i], tile[i + apart]
            low = [k if not k & apart else n + k - apart for k in range(n)]
            high = [k + apart if not k & apart else n + k for k in range(n)]
            tile[i], tile[i + apart] = code.shuffle(a, b, low), code.shuffle(a, b, high)
        apart //= 2
    return tile


def straight(code: Code) -> None:
    """Runs of channels side by side."""
    w, p, outer, taps, inner, panels = map(code.arg, range(6))
    with code.loop(code.lo, code.hi) as unit:
        tap, share = code.rem(unit, taps), code.div(unit, taps)
        first, group = code.mul(code.rem(share, panels), PANEL), code.div(share, panels)
        step = code.mul(taps, inner)
        turned_tap = code.sub(code.sub(taps, 1), tap)
        source = code.at(w, code.total(code.mul(group, code.mul(outer, step)), code.mul(turned_tap, inner), first))
        target = code.at(p, code.mul(unit, code.mul(outer, PANEL)))
        masks = [code.mask(code.sub(code.sub(inner, first), j), LANES) for j in range(0, PANEL, LANES)]
        with code.loop(0, outer) as k:
            for j, mask in enumerate(masks):
                vector = code.load_masked(code.at(source, code.add(code.mul(k, step), j * LANES)), mask)
                code.store(vector, code.at(target, code.add(code.mul(k, PANEL), j * LANES)))

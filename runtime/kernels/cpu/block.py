"""The register block, which all products are made of: rows of numbers times vectors of columns, summed in registers."""

from __future__ import annotations

from collections.abc import Sequence

from llvmlite import ir

from runtime.kernels.cpu.code import LANES, Code, Number
from runtime.kernels.cpu.machine import machine

Sums = list[ir.Value]
"""Row by row, a vector for each column of vectors."""


def fitting(outer: int) -> int:
    """Rows of a block: those that leave the least over. Besides its rows a block costs about two: a vector of columns, and the loop."""
    return min(range(machine().rows, machine().rows // 2, -1), key=lambda rows: -(-outer // rows) * (rows + 2))


def zeros(code: Code, rows: int, columns: int) -> Sums:
    return [code.real(0.0, LANES)] * (rows * columns)


def accumulate(
    code: Code,
    sums: Sums,
    rows: Sequence[Number],
    panel: Number,
    count: Number,
    *,
    step: Number = 1,
    pitch: Number | None = None,
    masks: Sequence[ir.Value] = (),
    ahead: tuple[Number, Number] | None = None,
) -> Sums:
    """sums[r, j] + the sum over i < count of rows[r][i * step] * panel[i * pitch + j * LANES ...]; rows and panel are addresses.

    Without a pitch the panel is packed: one block of columns behind the other. With `masks` only so much of it is there. `ahead` is
    an address, and the bytes to the next, of what is asked for meanwhile because it comes later."""
    columns = len(sums) // len(rows)
    pitch = columns * LANES if pitch is None else pitch
    begin, next_line = ahead or (0, 0)
    with code.reduce(0, count, 1, [code.whole(panel), code.whole(0), code.whole(begin), *sums]) as carried:
        at, along, line, *old = carried.values
        if ahead:
            code.prefetch(line, near=False)
        places = [code.at(at, j * LANES) for j in range(columns)]
        right = (
            [code.load_masked(place, mask) for place, mask in zip(places, masks, strict=True)]
            if masks
            else [code.load(place, lanes=LANES) for place in places]
        )
        new = []
        for r, row in enumerate(rows):
            left = code.splat(code.load(code.at(row, along)), LANES)
            new += [code.fma(left, right[j], old[r * columns + j]) for j in range(columns)]
        carried.next = [code.at(at, pitch), code.add(along, step), code.add(line, next_line), *new]
    return carried.result[3:]

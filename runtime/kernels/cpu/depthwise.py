"""Convolutions of each channel by itself: vectors of channels, several pixels at a time, so that weights are read once for all.

Over pictures whose channels give one each planes.py is faster, but for gradients of strided windows. Here are any sides, strides and
multipliers: with one of m, m cells of y belong to one of x, and vectors hold whole groups of m. The gradient of the weights is
summed in slices of rows, as many as the shapes say, and then over the slices.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod

from llvmlite import ir

from netcompiler.plan import Axis
from runtime.arrays import Array
from runtime.kernels.behind import Behind, plain
from runtime.kernels.cpu.code import I32, LANES, Code, Number
from runtime.kernels.cpu.driver import Step
from runtime.kernels.cpu.finish import Finish, Finishing, Writer
from runtime.kernels.cpu.frame import Frame, Look, Part, by_tap, framed, numbers, part
from runtime.kernels.cpu.place import Place
from runtime.kernels.cpu.reach import adjoint, direct
from runtime.kernels.cpu.strips import Strip, strips
from runtime.kernels.cpu.tiles import TILE, Tiles
from runtime.kernels.cpu.walk import RESULT, SOURCE, WORD, Kind, Walk

Window = Sequence[Axis]
BLOCKS = ((4, 2), (1, 4))
"""Pixels and vectors: what is in registers at a time; what is left, pixel by pixel."""
CHUNK = 1 << 19
"""Products in a chunk at least: about 20 microseconds."""
MOST_CHUNKS = 64
MOST_SLICES, SUMS = 32, 1 << 18
"""Slices of a weight's gradient, and bytes that they take at most where there are more than two."""
WEIGHTS = Kind("f32", tapped=True)


def conv_depthwise(y: Array, x: Array, w: Array, *, window: Window, groups: int, behind: Behind | None = None) -> Iterator[Step]:
    tiles = Tiles(w, len(w) // groups, lanes=LANES)
    yield tiles.packing(w)
    yield _convolution(Finishing(behind or plain(y)), y.shape, x, tiles, window, direct, (1, len(w) // groups))


def conv_dx_depthwise(
    x: Array, y: Array, w: Array, *, window: Window, groups: int, size: Sequence[int], behind: Behind | None = None
) -> Iterator[Step]:
    tiles = Tiles(w, len(w) // groups, lanes=LANES)
    yield tiles.packing(w)
    yield _convolution(Finishing(behind or plain(x)), (*x.shape[:-1], len(w)), y, tiles, window, adjoint, (len(w) // groups, 1))


def conv_dw_depthwise(w: Array, x: Array, y: Array, *, window: Window, groups: int) -> Iterator[Step]:
    m = len(w) // groups
    size = Tiles(w, m, lanes=LANES).array.nbytes
    tiles = Tiles(w, m, max(1, min(MOST_SLICES, prod(y.shape[:-2]), _work(y, w) // CHUNK, max(2, SUMS // size))), LANES)
    one, slices = tiles.array[0], len(tiles.array)
    parts = [part(y), part(x), _weights(one[0], y.ndim, window)]
    frame = framed(y.shape, x.shape, _sides(window), window, parts, whole=True)
    args, tables = numbers(frame, parts)
    kernel = (_conv_dw, frame.counts, frame.long(BLOCKS[0][0]), _ratio(frame), m, tiles.lanes)
    args = [*args, one[0].nbytes, one.size, slices, frame.rows]
    yield Step(kernel, args, slices, slices, one.shape[1] * 2 * WORD, (*tables, tiles.array))
    yield tiles.total(w)


def _sides(window: Window) -> range:
    return range(1, 1 + len(window))


def _work(y: Array, w: Array) -> int:
    return int(y.size * prod(w.shape[1:]))


def _weights(tile: Array, rank: int, window: Window) -> Part:
    return Part(tile.ctypes.data, (*(0 for _ in range(rank - 1)), tile.itemsize), by_tap(window, tile.strides[0]))


def _ratio(frame: Frame) -> int:
    """From one pixel to the next as many cells of the source as so many taps; 0 where that is not whole."""
    width = frame.sides[-1]
    return width.advance // width.source_step if width.advance % width.source_step == 0 else 0


def _convolution(
    finishing: Finishing, shape: Sequence[int], x: Array, tiles: Tiles, window: Window, look: Look, shares: tuple[int, int]
) -> Step:
    """The result has this shape before cells are summed up; so many are one cell of the result, and so many one of x."""
    packed = tiles.array[0]
    parts = [*map(part, finishing.cells), part(x), _weights(packed[0], x.ndim, window)]
    frame = framed(shape, x.shape, _sides(window), window, parts, look=look, whole=True)
    args, tables = numbers(frame, parts)
    kernel = (_conv, frame.counts, frame.long(BLOCKS[0][0]), _ratio(frame), *shares, finishing.structure, tiles.lanes)
    chunks = max(1, min(MOST_CHUNKS, prod(shape) * packed.shape[1] // CHUNK))
    scratch = packed.shape[1] * len(parts) * WORD
    return Step(kernel, [*args, packed[0].nbytes, *finishing.numbers], frame.rows, chunks, scratch, (*tables, packed))


def _conv(code: Code, counts: Sequence[int], long: Sequence[int], ratio: int, fold: int, spread: int, finish: Finish, lanes: int) -> None:
    """Both ways: y from x, and the gradient of x from that of y."""
    results = range(len(finish.cells))
    x_part, w_part = len(results), len(results) + 1

    def body(place: Place) -> None:
        with place.lines(place.zeros()) as line:
            line.next, x = line.values, _Cells(code, place, line.i, x_part, ratio, spread)
            for tap in range(place.taps):
                weights = [place.strip.load(code, place.tap(line.i, w_part, tap, 0, vector)) for vector in range(place.vectors)]
                line.next = [
                    code.fma(x.met(tap, pixel, vector), weights[vector], old)
                    for old, (pixel, vector) in zip(line.next, place.spots, strict=True)
                ]
        for value, (pixel, vector) in zip(line.result, place.spots, strict=True):
            channel = code.div(code.add(place.cell, vector * lanes), fold)
            at = [place.at(part, pixel, vector) for part in results]
            writer.write(_folded(code, value, fold), at, channel, _shared(code, place.strip, fold).mask)

    kinds = [*(Kind(dtype, share=fold) for dtype in finish.cells), SOURCE._replace(share=spread), WEIGHTS]
    walk = Walk(code, kinds, counts, lanes, body, BLOCKS, tile=TILE * lanes, long=long, together=True)
    walk.tiles[w_part] = code.arg(walk.arguments)
    writer = Writer(code, finish, walk.arguments + 1, lanes // fold)
    walk.rows(code.lo, code.hi)


def _conv_dw(code: Code, counts: Sequence[int], long: Sequence[int], ratio: int, spread: int, lanes: int) -> None:
    """A range of slices: the sums of each over its rows, added up in memory a few pixels at a time."""

    def body(place: Place) -> None:
        dy = [place.strip.load(code, place.at(0, *spot)) for spot in place.spots]
        with place.lines([]) as line:
            x = _Cells(code, place, line.i, 1, ratio, spread)
            for tap in range(place.taps):
                for vector in range(place.vectors):
                    at = place.tap(line.i, 2, tap, 0, vector)
                    total = place.strip.load(code, at)
                    for one, (pixel, which) in zip(dy, place.spots, strict=True):
                        if which == vector:
                            total = code.fma(x.met(tap, pixel, vector), one, total)
                    place.strip.store(code, total, at)

    kinds = (RESULT, SOURCE._replace(share=spread), WEIGHTS)
    walk = Walk(code, kinds, counts, lanes, body, BLOCKS, tile=TILE * lanes, long=long, together=spread > 1)
    walk.tiles[2], size, slices, rows = (code.arg(walk.arguments + i) for i in range(4))
    with code.loop(code.lo, code.hi) as number:
        walk.shifts[2] = code.mul(code.mul(number, size), 4)
        _cleared(code, code.add(code.arg(walk.address(2)), walk.shifts[2]), size, lanes)
        walk.rows(code.div(code.mul(number, rows), slices), code.div(code.mul(code.add(number, 1), rows), slices))


def _cleared(code: Code, address: Number, size: Number, lanes: int) -> None:
    for cell, _, strip in strips(code, size, lanes, 1, together=True):
        strip.store(code, code.real(0.0, lanes), code.at(address, cell))


class _Cells:
    """Cells of x in a line: pixels and taps that meet the same ones read them once."""

    def __init__(self, code: Code, place: Place, line: ir.Value, part: int, ratio: int, spread: int) -> None:
        self.code, self.place, self.line, self.part, self.ratio, self.spread = code, place, line, part, ratio, spread
        self.known: dict[tuple[int, int, int], ir.Value] = {}

    def met(self, tap: int, pixel: int, vector: int) -> ir.Value:
        key = (tap + pixel * self.ratio, 0, vector) if self.ratio else (tap, pixel, vector)
        if key not in self.known:
            self.known[key] = self._read(self.place.tap(self.line, self.part, *key))
        return self.known[key]

    def _read(self, address: Number) -> ir.Value:
        strip, lanes = _shared(self.code, self.place.strip, self.spread), self.place.strip.lanes
        value = strip.load(self.code, address)
        if self.spread == 1:
            return value
        return self.code.splat(value, lanes) if strip.lanes == 1 else _picked(self.code, value, [i // self.spread for i in range(lanes)])


def _shared(code: Code, strip: Strip, share: int) -> Strip:
    """The cells that those of the strip belong to, `share` to one."""
    lanes = strip.lanes // share
    if share == 1 or lanes == 1 or strip.mask is None:
        return strip if share == 1 else Strip(lanes)
    return Strip(lanes, _picked(code, strip.mask, [i * share for i in range(lanes)]))


def _folded(code: Code, value: ir.Value, share: int) -> ir.Value:
    """Sums of neighbours, `share` at a time."""
    if share == 1:
        return value
    lanes = value.type.count // share
    if lanes == 1:
        return code.across(value)
    total = _picked(code, value, [i * share for i in range(lanes)])
    for j in range(1, share):
        total = code.fadd(total, _picked(code, value, [i * share + j for i in range(lanes)]))
    return total


def _picked(code: Code, value: ir.Value, lanes: Sequence[int]) -> ir.Value:
    return code.b.shuffle_vector(value, ir.Constant(value.type, ir.Undefined), ir.Constant(ir.VectorType(I32, len(lanes)), list(lanes)))

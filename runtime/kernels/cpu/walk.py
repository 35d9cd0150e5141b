"""The loops of kernels that slide: rows of the result, runs of a row, pixels of a run, vectors of a pixel's cells, taps.

A row's taps along depth and height are listed first, so that what is inside knows one short list and the taps along the width.
Arguments are those of frame.numbers; positions are bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from llvmlite import ir

from netcompiler.plan import SIZES
from runtime.kernels.cpu.code import I64, Code, Number
from runtime.kernels.cpu.place import Place
from runtime.kernels.cpu.strips import Strip, strips

SIDES = 3
WORD = SIZES["i64"]
TABLES, STEPS, PARTS = SIDES, 2 * SIDES, 4 * SIDES
"""Where the arguments begin: sizes of depth and height and the number of runs, tables of these, steps by side, parts."""
PART = 2 + 2 * SIDES
MEETING, RUN = 4, 8
"""Numbers in a row of a table."""
MOST = 5
"""Taps along the width that are written out; of a window that is wider all taps are listed."""


class Kind(NamedTuple):
    """What kernels know of a part: its elements, or "" for a number without memory; whether it lies at cells of the source, or
    of the result; whether its place depends on the tap; and how many cells of a pixel one of its cells stands for."""

    dtype: str
    source: bool = False
    tapped: bool = False
    share: int = 1

    @property
    def bytes(self) -> int:
        return SIZES.get(self.dtype, 0)


RESULT, SOURCE = Kind("f32"), Kind("f32", source=True, tapped=True)


@dataclass
class Walk:
    """Writes `body` for all that a kernel's range of rows holds, in blocks: so many pixels, so many vectors of their cells.
    What is left of one block is for the next, and the last has one pixel."""

    code: Code
    kinds: Sequence[Kind]
    counts: Sequence[int]
    lanes: int
    body: Callable[[Place], None]
    blocks: Sequence[tuple[int, int]] = ((1, 4),)
    long: Sequence[int] | None = None
    """The counts of taps that are worth code for more than one pixel; None for all."""
    packed: bool = False
    """Whether the cells of a block of pixels fill one vector."""
    together: bool = False
    """Whether all vectors have all lanes, so that some are masked."""
    tile: int = 0
    """Cells of all pixels of a run that are done before the next ones; 0 for all of a pixel."""
    tiles: dict[int, Number] = field(default_factory=dict)
    """Bytes from tile to tile of a part that lies tile by tile."""
    shifts: dict[int, Number] = field(default_factory=dict)
    """Bytes by which parts lie further on than their addresses say."""

    def __post_init__(self) -> None:
        self.origin: Number = 0
        self.lines: Number = 0
        self.advances: list[Number] = []
        self.reached: dict[tuple[int, int], Number] = {}
        self.wide = max(self.counts) > MOST
        self.steps = [[self._step(part, side) for part in range(len(self.kinds))] for side in range(SIDES)]

    def rows(self, begin: Number, end: Number) -> None:
        with self.code.loop(begin, end) as row:
            self._row(row)

    @property
    def arguments(self) -> int:
        """How many numbers it reads: where a kernel's own begin."""
        return PARTS + len(self.kinds) * PART

    def address(self, part: int) -> int:
        return PARTS + part * PART

    def _row(self, row: Number) -> None:
        code = self.code
        depth, height = code.arg(0), code.arg(1)
        deep = code.div(row, height)
        meetings = [self._record(side, at, MEETING) for side, at in enumerate((code.rem(deep, depth), code.rem(row, height)))]
        bases = [self._base(part, code.div(deep, depth), meetings) for part in range(len(self.kinds))]
        counts = [count for _, _, count, _ in meetings]
        if not self.wide:
            self._list(counts)
        with code.loop(0, code.arg(SIDES - 1)) as number:
            self._run(self._record(SIDES - 1, number, RUN), bases, counts)

    def _run(self, record: Sequence[Number], bases: Sequence[Number], sides: Sequence[Number]) -> None:
        code = self.code
        first, pixels, step, count, tap, source, advance, cells = record
        here, self.advances = [], []
        for part, kind in enumerate(self.kinds):
            here.append(self._moved(bases[part], part, SIDES - 1, tap, source if kind.source else first))
            self.advances.append(code.mul(advance if kind.source else step, self._stride(part, SIDES - 1)))
        if self.wide:
            self._list([*sides, count])
        met = code.b.select(code.compare("!=", code.mul(*sides), 0), count, I64(0))
        for taps, truth in self._cases(met):
            with code.when(truth):
                self._tiles(here, pixels, cells, taps)

    def _cases(self, met: Number) -> Iterator[tuple[int, ir.Value]]:
        """Taps that are written out; listed taps are written out as one."""
        if self.wide:
            yield from ((0, self.code.compare("==", met, 0)), (1, self.code.compare("!=", met, 0)))
        else:
            yield from ((taps, self.code.compare("==", met, taps)) for taps in sorted({0, *self.counts}))

    def _tiles(self, bases: Sequence[Number], pixels: Number, cells: Number, taps: int) -> None:
        if not self.tile:
            return self._pixels(bases, pixels, cells, taps)
        code = self.code
        with code.loop(0, cells, self.tile) as cell:
            number = code.div(cell, self.tile)
            moves = (self.tiles.get(part, self.tile // kind.share * kind.bytes) for part, kind in enumerate(self.kinds))
            here = [code.add(base, code.mul(number, move)) for base, move in zip(bases, moves, strict=True)]
            self.origin = cell
            return self._pixels(here, pixels, code.min(code.sub(cells, cell), self.tile), taps)

    def _pixels(self, bases: Sequence[Number], pixels: Number, cells: Number, taps: int) -> None:
        code = self.code
        begin: Number = 0
        for block, vectors in self.blocks if self.long is None or taps in self.long or self.wide else self.blocks[-1:]:
            end = code.sub(pixels, code.rem(code.sub(pixels, begin), block)) if block > 1 else pixels
            with code.loop(begin, end, block) as pixel:
                here = [code.add(base, code.mul(pixel, advance)) for base, advance in zip(bases, self.advances, strict=True)]
                for cell, side, strip in self._strips(cells, block, vectors):
                    self.body(Place(self, here, cell, taps, block, side, strip))
            begin = end

    def _strips(self, cells: Number, pixels: int, vectors: int) -> Iterable[tuple[Number, int, Strip]]:
        """Of packed pixels a vector. Its mask is worked out: LLVM writes too much where it knows the mask of narrowed numbers."""
        if not self.packed:
            return strips(self.code, cells, self.lanes, vectors, self.together)
        return [(0, 1, Strip(self.lanes, self.code.mask(self.code.mul(cells, pixels), self.lanes)))]

    def _record(self, table: int, row: Number, width: int) -> list[Number]:
        at = self.code.add(self.code.arg(TABLES + table), self.code.mul(row, width * WORD))
        return [self.code.load(self.code.add(at, i * WORD), "i64") for i in range(width)]

    def _base(self, part: int, n: Number, meetings: Sequence[Sequence[Number]]) -> Number:
        """Where a part's row begins; n moves every part."""
        code, begin = self.code, PARTS + part * PART
        base = code.total(code.arg(begin), code.mul(n, code.arg(begin + 1)), self.shifts.get(part, 0))
        for side, (cell, tap, _, source) in enumerate(meetings):
            base = self._moved(base, part, side, tap, source if self.kinds[part].source else cell)
        return base

    def _moved(self, base: Number, part: int, side: int, tap: Number, cell: Number) -> Number:
        code = self.code
        base = code.add(base, code.mul(cell, self._stride(part, side)))
        return code.add(base, code.mul(tap, self._tap(part, side))) if self.kinds[part].tapped else base

    def _list(self, counts: Sequence[Number]) -> None:
        """For each tap of these sides where it lies from the first, part by part."""
        code = self.code
        self.lines = code.mul(counts[0], counts[1]) if len(counts) == 2 else code.mul(code.mul(counts[0], counts[1]), counts[2])
        with code.reduce(0, counts[0], 1, [code.scratch]) as deep:
            with code.reduce(0, counts[1], 1, deep.values) as high:
                last = counts[2] if len(counts) > 2 else 1
                with code.reduce(0, last, 1, high.values) as along:
                    for slot, part in enumerate(self._tapped()):
                        moved = (code.mul(each.i, self.steps[side][part]) for side, each in enumerate((deep, high, along)))
                        code.store(code.whole(code.total(*moved)), code.add(along.values[0], slot * WORD))
                    along.next = [code.add(along.values[0], self._tapped_bytes())]
                high.next = along.result
            deep.next = high.result

    def along(self, part: int, tap: int) -> Number:
        """From the first tap along the width to another."""
        if (part, tap) not in self.reached:
            with self.code.at_entry():
                self.reached[part, tap] = self.code.mul(tap, self.steps[-1][part])
        return self.reached[part, tap]

    def listed(self, line: Number, part: int) -> Number:
        if not self.kinds[part].tapped:
            return 0
        slot = self._tapped().index(part) * WORD
        return self.code.load(self.code.total(self.code.scratch, self.code.mul(line, self._tapped_bytes()), slot), "i64")

    def _tapped(self) -> list[int]:
        return [part for part, kind in enumerate(self.kinds) if kind.tapped]

    def _tapped_bytes(self) -> int:
        return len(self._tapped()) * WORD

    def _step(self, part: int, side: int) -> Number:
        """From one of a cell's taps to the next."""
        code = self.code
        tap, source = code.arg(STEPS + 2 * side), code.arg(STEPS + 2 * side + 1)
        by_source = code.mul(source, self._stride(part, side)) if self.kinds[part].source else 0
        return code.add(code.mul(tap, self._tap(part, side)), by_source)

    def _stride(self, part: int, side: int) -> Number:
        return self.code.arg(PARTS + part * PART + 2 + 2 * side)

    def _tap(self, part: int, side: int) -> Number:
        return self.code.arg(PARTS + part * PART + 3 + 2 * side)

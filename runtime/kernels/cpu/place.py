"""Where code that a walk writes stands: some pixels of a run, some of their cells, and the taps that they meet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from llvmlite import ir

from runtime.kernels.cpu.code import Carried, Number
from runtime.kernels.cpu.strips import Strip

if TYPE_CHECKING:
    from runtime.kernels.cpu.walk import Walk


class Place:
    """Some neighbouring pixels of a run at some of their cells, for code that knows how many."""

    def __init__(self, walk: Walk, bases: Sequence[Number], cell: Number, taps: int, pixels: int, vectors: int, strip: Strip) -> None:
        self.walk = walk
        self.cell = walk.code.add(walk.origin, cell)
        self.taps = taps
        self.pixels = pixels
        self.strip = strip
        self.vectors = vectors
        self.spots = [(pixel, vector) for pixel in range(pixels) for vector in range(vectors)]
        self.bases = [self._bases(part, base, cell, pixels) for part, base in enumerate(bases)]
        self.met: dict[tuple[ir.Value, int, int], Number] = {}

    def _bases(self, part: int, base: Number, cell: Number, pixels: int) -> list[Number]:
        """The first cells of each pixel."""
        code, kind = self.walk.code, self.walk.kinds[part]
        first = code.add(base, code.mul(cell if kind.share == 1 else code.div(cell, kind.share), kind.bytes))
        return [code.add(first, code.mul(pixel, self.walk.advances[part])) for pixel in range(pixels)]

    def at(self, part: int, pixel: int = 0, vector: int = 0) -> Number:
        """Where its cells lie, those of the first tap."""
        return self.walk.code.add(self.bases[part][pixel], self._cells(part, vector))

    def tap(self, line: ir.Value, part: int, tap: int, pixel: int = 0, vector: int = 0) -> Number:
        """Where they lie at a tap along the width, in a line of the list."""
        walk = self.walk
        if (line, part, pixel) not in self.met:
            self.met[line, part, pixel] = walk.code.add(self.bases[part][pixel], walk.listed(line, part))
        return walk.code.total(self.met[line, part, pixel], walk.along(part, tap), self._cells(part, vector))

    def zeros(self) -> list[ir.Value]:
        return [self.walk.code.real(0.0, self.strip.lanes)] * len(self.spots)

    def write(self, part: int, values: Sequence[ir.Value]) -> None:
        for spot, value in zip(self.spots, values, strict=True):
            self.strip.store(self.walk.code, value, self.at(part, *spot))

    def _cells(self, part: int, vector: int) -> int:
        kind = self.walk.kinds[part]
        return vector * self.strip.lanes // kind.share * kind.bytes

    @contextmanager
    def lines(self, start: Sequence[ir.Value]) -> Iterator[Carried]:
        """Once for each line of the list: these values go from round to round."""
        with self.walk.code.reduce(0, self.walk.lines, 1, start) as carried:
            yield carried

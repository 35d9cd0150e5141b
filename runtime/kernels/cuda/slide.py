"""Kernels in which each result meets cells of other arrays, tap by tap: what overlaps is gathered, so that no two threads write one cell.

Read next: frame.py, which cells those are; window.py and form.py, what is done with them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from runtime.arrays import Array
from runtime.kernels.cuda.code import TYPES, indented
from runtime.kernels.cuda.frame import Reach
from runtime.kernels.cuda.steps import Launch
from runtime.kernels.cuda.text import Kernel, blocks
from runtime.kernels.cuda.walk import FAR, striding, walk
from runtime.kernels.layout import collapsed

BLOCK = 256


class Source(NamedTuple):
    """What is met: an array, its steps along the axes of the result that have no reach, and for each reach its steps from cell to
    cell, and from tap to tap where it has an axis for taps."""

    array: Array
    steps: tuple[int, ...]
    cells: tuple[int, ...]
    taps: tuple[int, ...] = ()

    def lying(self, shape: Sequence[int]) -> Array:
        """Along the axes of the result; what has a reach is still at its first cell."""
        return np.lib.stride_tricks.as_strided(self.array, shape, self.steps)

    @property
    def far(self) -> bool:
        return bool(sum(step * (n - 1) for step, n in zip(self.array.strides, self.array.shape, strict=True)) >= FAR)


def source(x: Array, axes: Sequence[int]) -> Source:
    """Of an array with the axes of the result."""
    steps = tuple(0 if axis in axes else step for axis, step in enumerate(x.strides))
    return Source(x, steps, tuple(x.strides[axis] for axis in axes))


class Slide:
    """A kernel under construction: `reaches` by the axis of the results, whose positions they start from. Results are y0, y1, …;
    within `met` the packs of sources can be read as x<many>, x<many + 1>, …, counted on behind the `many` results."""

    def __init__(
        self,
        results: Sequence[Array],
        sources: Sequence[Source],
        reaches: Mapping[int, Reach],
        apart: Sequence[int] = (),
        beside: Sequence[Array] = (),
    ) -> None:
        """`apart` are more axes whose positions are asked for; `beside` is read where results are written."""
        self.kernel = Kernel()
        self.results, self.sources, self.reaches, self.beside = results, sources, reaches, beside
        shape = results[0].shape
        lying = [s.lying(shape) for s in sources]
        self.located = {*reaches, *apart}
        self.layout = collapsed(shape, (*results, *lying, *beside), {axis: axis for axis in self.located})
        self.way = walk(self.layout, (*results, *lying, *beside))
        while self.way.width > 1 and not self._wide(self.way.width):
            self.way = replace(self.way, width=self.way.width // 2)

    def _wide(self, width: int) -> bool:
        """Whether packs lie aligned in all cells; a pack along an axis with a reach would meet several."""
        own = [step % (width * s.array.itemsize) for s in self.sources for step in (*s.cells, *s.taps)]
        return not any(own) and not self.located & {*self.layout.members[-1]}

    @property
    def many(self) -> int:
        return len(self.results)

    def position(self, axis: int) -> str:
        place = self.layout.position(axis)
        return "0" if place is None else f"(int)p{-place}"

    def met(self, body: Sequence[str]) -> list[str]:
        """Lines that do this for all cells that are met."""
        opening: list[str] = []
        for j, (axis, reach) in enumerate(self.reaches.items()):
            tap = getattr(reach, "tap", None)
            opening += [f"const int t{j} = {self.position(tap)};"] if tap is not None else []
            opening += reach.opened(self.kernel, j, self.position(axis))
            opening += [self._moved(i, s, j) for i, s in enumerate(self.sources, self.many)]
        last = len(self.reaches) - 1
        reads = [self.way.load(i, f"at{i}_{last}") for i in range(self.many, self.many + len(self.sources))]
        return [*opening, *indented([*reads, *body]), "}" * sum(line.count("{") for line in opening)]

    def _moved(self, i: int, s: Source, j: int) -> str:
        """From one reach to the next."""
        of = "i64" if s.far else "int"
        before = f"at{i}_{j - 1}" if j else f"at{i}"
        tap = f" + ({of})t{j} * ({of}){self.kernel.number(s.taps[j])}" if s.taps else ""
        return f"const char* const at{i}_{j} = {before} + ({of})c{j} * ({of}){self.kernel.number(s.cells[j])}{tap};"

    def each(self, line: str) -> list[str]:
        """A line for each lane l of a pack."""
        return ["#pragma unroll", f"for (int l = 0; l < {self.way.width}; ++l) {{ {line} }}"]

    def written(self, *values: str) -> list[str]:
        """Lines that store results, given as expressions of lane l."""
        own = range(self.many)
        lines = self.each(" ".join(f"y{i}.at[l] = Stored<{TYPES[self.way.dtypes[i]]}>::of({value});" for i, value in enumerate(values)))
        return [*self.way.results(own), *lines, *self.way.stores(own)]

    def launch(self, before: Sequence[str], met: Sequence[str], after: Sequence[str], resident: int = 0) -> Launch:
        """`before` what is met and `after` it; `resident` as Kernel.launch has it."""
        way = self.way
        inside = [
            *way.positions(self.kernel, "i"),
            *way.addresses(self.kernel),
            *before,
            *self.met(met),
            *after,
        ]
        self.kernel.lines = striding(way.unsigned, self.kernel.number(way.packs), inside)
        reads = [*(s.array for s in self.sources), *self.beside]
        return self.kernel.launch(blocks(way.packs, BLOCK), (BLOCK, 1, 1), reads, self.results, resident)


def summed(slide: Slide) -> Launch:
    """All that is met is added in f32."""
    value = slide.way.loaded(slide.many, "l")
    return slide.launch(
        [f"float sums[{slide.way.width}] = {{}};"],
        slide.each(f"sums[l] += {value};"),
        slide.written("sums[l]"),
    )


def picked(slide: Slide) -> Launch:
    """The one cell that is met, as it is; 0 where there is none."""
    return slide.launch([f"{slide.way.pack(0)} y0 = {{}};"], [f"y0 = x{slide.many};"], slide.way.stores([0]))

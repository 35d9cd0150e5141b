"""Where windows reach: along each axis with a window, the cells of other arrays that a cell of the result meets.

A reach opens loops and conditions in which, for axis j, t<j> is the tap and c<j> the cell. Read next: slide.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Protocol

from netcompiler.plan import Axis
from runtime.arrays import Array
from runtime.kernels.cuda.text import Kernel

KNOWN = 5
"""Taps along an axis up to which their number stands in the text."""
UNROLLED = 27
"""Taps of a window that are written out one by one; where it has more, outer axes are loops."""


class Reach(Protocol):
    def opened(self, kernel: Kernel, j: int, position: str) -> list[str]:
        """Lines up to where the cell is known to be there; each opens one brace."""


@dataclass(frozen=True)
class Direct:
    """Windows over cells: tap t of the result at p meets cell p stride + t dilation - low, where there is one. With `tap` the
    result has a place for each tap, at that axis, and meets the cell of that tap only."""

    window: Axis
    cells: int
    tap: int | None = None
    unrolled: bool = True

    def opened(self, kernel: Kernel, j: int, position: str) -> list[str]:
        cell = _sum([_times(position, self.window.stride), _apart(kernel, j, self.window), f"- (int){kernel.number(self.window.low)}"])
        return [
            *([] if self.tap is not None else _taps(kernel, j, self.window, self.unrolled)),
            f"if (const int c{j} = {cell}; (u32)c{j} < (u32){kernel.number(self.cells)}) {{",
        ]


@dataclass(frozen=True)
class Adjoint:
    """The way back: cell q of the result is met by tap t of the window at (q + low - t dilation) / stride, where that is whole."""

    window: Axis
    cells: int
    unrolled: bool = True

    def opened(self, kernel: Kernel, j: int, position: str) -> list[str]:
        stride = self.window.stride
        far = _sum([position, f"(int){kernel.number(self.window.low)}", _apart(kernel, j, self.window, "-")])
        whole = f" && f{j} % {stride} == 0" * (stride > 1)
        inside = f"f{j} >= 0{whole} && f{j} / {stride} < (int){kernel.number(self.cells)}"
        return [
            *_taps(kernel, j, self.window, self.unrolled),
            f"if (const int f{j} = {far}; {inside}) {{ const int c{j} = f{j} / {stride};",
        ]


@dataclass(frozen=True)
class Listed:
    """Each cell of the result meets those of a list of its own."""

    lists: Sequence[Sequence[int]]

    def opened(self, kernel: Kernel, j: int, position: str) -> list[str]:
        begins = [sum(map(len, self.lists[:i])) for i in range(len(self.lists) + 1)]
        members = [cell for cells in self.lists for cell in cells]
        for name, numbers in (("begins", begins), ("members", members or [0])):
            kernel.functions.append(f"__device__ const int {name}[] = {{{', '.join(map(str, numbers))}}};")
        return [f"for (int k{j} = begins[{position}]; k{j} < begins[{position} + 1]; ++k{j}) {{ const int c{j} = members[k{j}];"]


@dataclass(frozen=True)
class Named:
    """The cell whose number is read from an array at run time; beyond the cells it is the nearest."""

    number: str
    cells: int

    def opened(self, kernel: Kernel, j: int, position: str) -> list[str]:
        most = f"(i64){kernel.number(self.cells - 1)}"
        return [f"{{ const i64 n{j} = {self.number}; const int c{j} = n{j} < 0 ? 0 : n{j} < {most} ? n{j} : {most};"]


def direct(x: Array, axes: Sequence[int], window: Sequence[Axis]) -> dict[int, Direct]:
    """Windows over axes of what they read."""
    each = zip(axes, window, _unrolled(window), strict=True)
    return {axis: Direct(w, x.shape[axis], unrolled=unrolled) for axis, w, unrolled in each}


def adjoint(y: Array, axes: Sequence[int], window: Sequence[Axis]) -> dict[int, Adjoint]:
    """The way back from what windows gave."""
    return {axis: Adjoint(w, y.shape[axis], unrolled) for axis, w, unrolled in zip(axes, window, _unrolled(window), strict=True)}


def count(kernel: Kernel, window: Axis) -> str:
    """The taps of an axis."""
    return str(window.kernel) if window.kernel <= KNOWN else f"(int){kernel.number(window.kernel)}"


def _unrolled(window: Sequence[Axis]) -> list[bool]:
    """For each axis; inner ones first."""
    return [w.kernel <= KNOWN and prod(inner.kernel for inner in window[j:]) <= UNROLLED for j, w in enumerate(window)]


def _taps(kernel: Kernel, j: int, window: Axis, unrolled: bool) -> list[str]:
    """The loop over the taps of an axis."""
    return [f"#pragma unroll{'' if unrolled else ' 1'}\nfor (int t{j} = 0; t{j} < {count(kernel, window)}; ++t{j}) {{"]


def _apart(kernel: Kernel, j: int, window: Axis, sign: str = "") -> str:
    """The way from the first tap to tap j."""
    if window.kernel == 1:
        return ""
    return f"{sign} t{j}" if window.dilation == 1 else f"{sign} t{j} * (int){kernel.number(window.dilation)}"


def _times(position: str, factor: int) -> str:
    return position if factor == 1 else f"{position} * {factor}"


def _sum(terms: Sequence[str]) -> str:
    """Terms that may bring their sign."""
    own = [term for term in terms if term]
    return own[0] + "".join(f" {term}" if term[0] == "-" else f" + {term}" for term in own[1:])

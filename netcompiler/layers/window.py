"""Windows that slide along a side: the output-size formulas, once for all layers that have a window."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

from netcompiler.diagnostics import Mistake
from netcompiler.layers.layer import Layer, Reach, Shape, show


class Window(NamedTuple):
    """One side: taps `kernel`, `dilation` apart, every `stride` cells, `low` and `high` zeros around the input."""

    kernel: int
    stride: int
    low: int
    high: int
    dilation: int = 1
    rounding: str = "floor"
    same: bool = False
    """The size is ceil(N / S), whatever the kernel."""

    @property
    def extent(self) -> int:
        return (self.kernel - 1) * self.dilation + 1

    def size(self, n: int) -> int:
        """M = (N + low + high - K) / S + 1, rounded."""
        return -(-n // self.stride) if self.same else self._whole(n) + self._cut(n)

    def _whole(self, n: int) -> int:
        return (n + self.low + self.high - self.extent) // self.stride + 1

    def _cut(self, n: int) -> bool:
        """Whether ceil adds a window for the remainder: not one that would begin past the input or its leading pad."""
        return self.rounding == "ceil" and self.remainder(n) > 0 and self._whole(n) * self.stride < n + self.low

    def remainder(self, n: int) -> int:
        """What the division in the size formula leaves."""
        return (n if self.same else n + self.low + self.high - self.extent) % self.stride

    def quotient(self, n: int) -> str:
        """The division in the size formula, with its numbers."""
        return f"{n} / {self.stride}" if self.same else f"({n} + {self.low + self.high} - {self.extent}) / {self.stride}"

    def formula(self, n: int) -> str:
        """The size formula with its numbers: floor((224 + 6 - 7) / 2) + 1 = 112."""
        if self.same:
            return f"ceil({self.quotient(n)}) = {self.size(n)}"
        rounding = "" if self.rounding == "exact" else self.rounding
        beyond = " - 1 behind the input" if rounding == "ceil" and self.remainder(n) and not self._cut(n) else ""
        return f"{rounding}({self.quotient(n)}) + 1{beyond} = {self.size(n)}"

    def taps(self, n: int) -> int:
        """How many taps of all windows meet a cell of the input."""
        size = self.size(n)
        count = 0
        for i in range(self.kernel):
            first = i * self.dilation - self.low  # the cell that tap i of window 0 reads
            begin = max(0, -(first // self.stride))
            end = min(size, (n - 1 - first) // self.stride + 1)
            count += max(0, end - begin)
        return count

    def counts(self, n: int, padding: bool) -> list[int]:
        """How many cells each window has: of the input, or with `padding` of the padding too. What ceil cuts off is none."""
        begin, end = (-self.low, n + self.high) if padding else (0, n)
        firsts = range(-self.low, self.size(n) * self.stride - self.low, self.stride)
        return [sum(begin <= first + tap * self.dilation < end for tap in range(self.kernel)) for first in firsts]

    def unread(self, n: int) -> int:
        """Cells at the end of the input that no window reaches, though it could have."""
        if self.extent < self.stride:
            return 0
        return max(0, n - self._end(n))

    def pads(self, n: int) -> bool:
        """Whether some window reads padding; what ceil cuts off is none."""
        return self.low > 0 or (self.high > 0 and self._end(n) > n)

    def misses(self, n: int) -> bool:
        """Whether the taps of some window all lie outside the input."""
        begins = range(-self.low, self._end(n) - self.extent + 1, self.stride)
        outside = [begins[0], begins[-1]] if self.dilation <= n else begins
        return any(self._cell(begin) >= min(n, begin + self.extent) for begin in outside)

    def _end(self, n: int) -> int:
        """The cell behind the last window."""
        return (self.size(n) - 1) * self.stride + self.extent - self.low

    def _cell(self, begin: int) -> int:
        """The first cell, 0 or later, on a tap of the window that begins there; if the window goes so far."""
        return begin if begin >= 0 else begin % self.dilation


class Windowed(Layer):  # no layer itself, so it has no docstring
    def sides(self, x: Shape) -> list[Window]:
        """The window of each side, with its padding worked out."""
        raise NotImplementedError

    def reach(self, x: Shape) -> Reach | None:
        sides = self.sides(x)
        return Reach(tuple(w.extent for w in sides), tuple(w.stride for w in sides))

    def notes(self, x: Shape) -> Iterable[Mistake]:
        sides = self.sides(x)
        lost = [w.unread(n) for n, w in zip(x[1:], sides, strict=True)]
        if any(lost):
            ends = " and ".join(f"{cells} of side {axis}" for axis, cells in enumerate(lost) if cells)
            message = f"cells at the end of the {show(x[1:])} input are never read: {ends}"
            help = "rounding: ceil reads them, rounding: exact makes this an error"
            if any(w.same for w in sides):
                help = "a larger kernel reads them"
            yield Mistake("remainder", message, help, [f"output: {show(self.shape(x)[1:])}"])

    def size_lines(self, x: Shape) -> Iterable[str]:
        for axis, (n, w) in enumerate(zip(x[1:], self.sides(x), strict=True)):
            yield f"side {axis}: {w.formula(n)}"

    def cells(self, x: Shape) -> int:
        """How many cells of one map all windows read together."""
        return math.prod(w.taps(n) for n, w in zip(x[1:], self.sides(x), strict=True))


SIDES = {0: "no sides", 1: "1 side", 2: "2 sides", 3: "3 sides"}


def per_side(value: Any, rank: int, option: str) -> list[Any]:
    """One value for each side, from a single value or a list that has one a side."""
    if not isinstance(value, list):
        return [value] * rank
    if len(value) != rank:
        message = f"{option} has {len(value)} entries, and the input has {SIDES[rank]}"
        raise Mistake("rank", message, f"write one number, or a list of {rank}", option=option)
    return value


def edges(value: Any, rank: int, option: str) -> list[tuple[int, int]]:
    """Before and after for each side, from n, or a list of n or [before, after]."""
    return [(edge[0], edge[1]) if isinstance(edge, list) else (edge, edge) for edge in per_side(value, rank, option)]


def windows(x: Shape, kernel: Any, stride: Any, padding: Any, dilation: Any = 1, rounding: str = "floor") -> list[Window]:
    """The window of each side of x, with its padding worked out."""
    rank = len(x) - 1
    kernels = per_side(kernel, rank, "kernel")
    strides = per_side(stride, rank, "stride")
    dilations = per_side(dilation, rank, "dilation")
    pads = per_side(padding, rank, "padding")
    same = padding == "same"
    return [
        Window(k, s, *_pads(p, n, (k - 1) * d + 1, s), d, rounding, same)
        for n, k, s, d, p in zip(x[1:], kernels, strides, dilations, pads, strict=True)
    ]


def _pads(padding: Any, n: int, extent: int, stride: int) -> tuple[int, int]:
    if padding == "valid":
        return 0, 0
    if padding == "full":
        return extent - 1, extent - 1
    if padding == "same":
        # windows begin at i*S - floor((K-1)/2); the rest, and the zeros that fill up the last stride, lie behind
        low = (extent - 1) // 2
        return low, extent - 1 - low + -n % stride
    low, high = padding if isinstance(padding, list) else (padding, padding)
    return low, high


def window_shape(x: Shape, channels: int, sides: list[Window]) -> Shape:
    """The shape behind windows over x; raises Mistake where one does not fit."""
    for axis, (n, w) in enumerate(zip(x[1:], sides, strict=True)):
        if w.extent > n + w.low + w.high:
            raise _too_small(x, axis, sides)
        if w.rounding == "exact" and w.remainder(n):
            raise Mistake(
                "not-exact",
                f"{w.quotient(n)} is not whole, and rounding is exact",
                "change kernel, stride or padding, or say rounding: floor or ceil",
                [f"input: {show(x)}, side {axis}"],
                option="rounding",
                guess=(channels, *(v.size(m) for m, v in zip(x[1:], sides, strict=True))),
            )
    return channels, *(w.size(n) for n, w in zip(x[1:], sides, strict=True))


def _too_small(x: Shape, axis: int, sides: list[Window]) -> Mistake:
    n, w = x[1 + axis], sides[axis]
    pads = w.low + w.high
    smallest = [max(m, v.extent - v.low - v.high, 1) for m, v in zip(x[1:], sides, strict=True)]
    return Mistake(
        "too-small",
        f"a window of {w.extent} does not fit into {n + pads} cells" + (f" ({n} and {pads} of padding)" if pads else ""),
        f"the smallest input that works here is {show((x[0], *smallest))}; use a smaller kernel or stride above, or padding",
        [f"input: {show(x)}, side {axis}: {n}, kernel {w.kernel}" + (f", dilation {w.dilation}" if w.dilation > 1 else "")],
        option="kernel",
    )

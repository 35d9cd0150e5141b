"""Windows that slide along a side: the output-size formulas, once for all layers that have a window."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from netcompiler.diagnostics import Mistake

if TYPE_CHECKING:
    from netcompiler.layers.layer import Shape


class Window(NamedTuple):
    """One side: taps `kernel`, `dilation` apart, every `stride` cells, `low` and `high` zeros around the input."""

    kernel: int
    stride: int
    low: int
    high: int
    dilation: int = 1

    @property
    def extent(self) -> int:
        return (self.kernel - 1) * self.dilation + 1

    def size(self, n: int, rounding: str = "floor") -> int:
        """M = (N + low + high - K) / S + 1, rounded; with ceil no window begins past the input or its leading pad."""
        room = n + self.low + self.high - self.extent
        if rounding != "ceil":
            return room // self.stride + 1
        size = -(-room // self.stride) + 1
        return size - 1 if (size - 1) * self.stride >= n + self.low else size

    def taps(self, n: int, size: int) -> int:
        """How many taps of all `size` windows meet a cell of the input."""
        count = 0
        for i in range(self.kernel):
            first = i * self.dilation - self.low  # cell that tap i of window 0 reads
            begin = max(0, -(-(0 - first) // self.stride))
            end = min(size, (n - 1 - first) // self.stride + 1)
            count += max(0, end - begin)
        return count

    def unread(self, n: int, size: int) -> int:
        """Cells at the end of the input that no window reaches, though it could have."""
        if self.extent < self.stride:
            return 0
        return max(0, n + self.low - ((size - 1) * self.stride + self.extent))


def per_side(value: Any, rank: int, option: str) -> list[Any]:
    """One value for each side, from a single value or a list that has one a side."""
    if not isinstance(value, list):
        return [value] * rank
    if len(value) != rank:
        sides = {1: "1 side", 2: "2 sides", 3: "3 sides"}[rank]
        raise Mistake(
            "rank", f"{option} has {len(value)} entries, and the input has {sides}", f"write one number, or a list of {rank}", option=option
        )
    return value


def windows(x: Shape, kernel: Any, stride: Any, padding: Any, dilation: Any = 1) -> list[Window]:
    """The window of each side of x, with its padding worked out."""
    rank = len(x) - 1
    kernels = per_side(kernel, rank, "kernel")
    strides = per_side(stride, rank, "stride")
    dilations = per_side(dilation, rank, "dilation")
    pads = per_side(padding, rank, "padding")
    return [Window(k, s, *_pads(p, n, k, s, d), d) for n, k, s, d, p in zip(x[1:], kernels, strides, dilations, pads, strict=True)]


def _pads(padding: Any, n: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    extent = (kernel - 1) * dilation + 1
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


def window_shape(x: Shape, channels: int, sides: list[Window], rounding: str) -> Shape:
    """The shape behind windows over x; raises Mistake where one does not fit."""
    for axis, (n, w) in enumerate(zip(x[1:], sides, strict=True)):
        have = n + w.low + w.high
        if w.extent > have:
            smallest = "x".join(str(max(m, v.extent - v.low - v.high, 1)) for m, v in zip(x[1:], sides, strict=True))
            raise Mistake(
                "too-small",
                f"a window of {w.extent} does not fit into {have} cells" + (f" ({n} and {w.low + w.high} of padding)" if have > n else ""),
                f"the smallest input that works here is {x[0]}x{smallest}; use a smaller kernel or stride above, or padding",
                [
                    f"input: {'x'.join(map(str, x))}, side {axis}: {n}, kernel {w.kernel}"
                    + (f", dilation {w.dilation}" if w.dilation > 1 else "")
                ],
                option="kernel",
            )
        if rounding == "exact" and (have - w.extent) % w.stride:
            raise Mistake(
                "not-exact",
                f"({n} + {w.low + w.high} - {w.extent}) / {w.stride} is not whole, and rounding is exact",
                "change kernel, stride or padding, or say rounding: floor or ceil",
                [f"input: {'x'.join(map(str, x))}, side {axis}"],
                option="rounding",
            )
    return channels, *(w.size(n, rounding) for n, w in zip(x[1:], sides, strict=True))


def size_formula(n: int, w: Window, rounding: str, size: int) -> str:
    """The size formula with its numbers: floor((224 + 6 - 7) / 2) + 1 = 112."""
    name = "" if rounding == "exact" else rounding
    return f"{name}(({n} + {w.low + w.high} - {w.extent}) / {w.stride}) + 1 = {size}"


def unread_note(x: Shape, y: Shape, sides: list[Window]) -> Mistake | None:
    lost = [w.unread(n, m) for n, m, w in zip(x[1:], y[1:], sides, strict=True)]
    if not any(lost):
        return None
    cells = "x".join(map(str, lost))
    return Mistake(
        "remainder",
        f"the last {cells} cells of the {'x'.join(map(str, x[1:]))} input are never read",
        "rounding: ceil reads them, rounding: exact makes this an error",
        [f"output: {'x'.join(map(str, y))}"],
    )

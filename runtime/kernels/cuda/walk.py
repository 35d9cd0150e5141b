"""How threads find their way in arrays of one shape: a thread's number as a position, and addresses there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

from runtime.arrays import Array, name_of
from runtime.kernels.cuda.code import TYPES, indented
from runtime.kernels.cuda.text import Kernel
from runtime.kernels.layout import Layout, address

WIDEST = 16
"""Bytes that a thread moves at once."""
FAR = 2**31
"""Bytes, or threads, from which on 32 bits do not hold their number."""


@dataclass(frozen=True)
class Walk:
    """Arrays along the axes of a layout, of which leading ones of size 1 are left out, `width` columns at a time."""

    sizes: tuple[int, ...]
    steps: tuple[tuple[int, ...], ...]
    arrays: tuple[Array, ...]
    width: int = 1

    @property
    def packs(self) -> int:
        return prod(self.sizes) // self.width

    @property
    def unsigned(self) -> str:
        """The type of positions and distances."""
        far = max((sum(step * (n - 1) for step, n in zip(own, self.sizes, strict=True)) for own in self.steps), default=0)
        return "u32" if max(far, self.packs) < FAR else "i64"

    @property
    def dtypes(self) -> tuple[str, ...]:
        return tuple(name_of(array) for array in self.arrays)

    def dense(self, i: int) -> bool:
        """Whether an array varies along a row."""
        return bool(self.steps[i][-1])

    def positions(self, kernel: Kernel, begin: str) -> list[str]:
        """Lines that take a number of a pack apart: p1 is the first of its columns, p2 the row, and so on."""
        of, count = self.unsigned, len(self.sizes)
        lines = [f"{of} rest = {begin};"]
        for place, size in enumerate(reversed(self.sizes), 1):
            many = kernel.number(size // self.width if place == 1 else size) if place < count else ""
            own = f"rest % ({of}){many}" if many else "rest"
            lines.append(f"const {of} p{place} = {f'{self.width} * ({own})' if place == 1 and self.width > 1 else own};")
            lines += [f"rest /= ({of}){many};"] if many else []
        return lines

    def addresses(self, kernel: Kernel) -> list[str]:
        """Lines that find where each array has what lies at the positions: at0, at1 and so on."""
        lines = []
        for i, (array, own) in enumerate(zip(self.arrays, self.steps, strict=True)):
            terms = [f"p1 * {array.itemsize}"] if own[-1] else []
            terms += [f"p{place} * ({self.unsigned}){kernel.number(step)}" for place, step in enumerate(reversed(own[:-1]), 2)]
            lines.append(f"char* const at{i} = {' + '.join([kernel.address(array), *terms])};")
        return lines

    def loads(self, some: Sequence[int]) -> list[str]:
        """Lines that read packs x0, x1, …; of what does not vary along a row one number."""
        return [self.load(i, f"at{i}") for i in some]

    def load(self, i: int, place: str) -> str:
        """A line that reads pack x0, x1, … from an address."""
        return f"const {self.pack(i)} x{i} = *(const {self.pack(i)}*){place};"

    def loaded(self, i: int, lane: str) -> str:
        """A number of what was read, as it is in registers."""
        return f"widened(x{i}.at[{lane if self.dense(i) else 0}])"

    def stores(self, some: Sequence[int]) -> list[str]:
        """Lines that write the packs y0, y1, …"""
        return [f"*({self.pack(i)}*)at{i} = y{i};" for i in some]

    def results(self, some: Sequence[int]) -> list[str]:
        return [f"{self.pack(i)} y{i};" for i in some]

    def pack(self, i: int) -> str:
        return f"Pack<{TYPES[self.dtypes[i]]}, {self.width if self.dense(i) else 1}>"


def walk(layout: Layout, arrays: Sequence[Array], indexed: bool = False) -> Walk:
    """With packs as wide as columns and addresses allow. `indexed` keeps axes of size 1, whose positions may be asked for."""
    first = 0 if indexed else next((i for i, n in enumerate(layout.sizes[:-1]) if n > 1), len(layout.sizes) - 1)
    whole = Walk(layout.sizes[first:], tuple(own[first:] for own in layout.steps), tuple(arrays))
    return replace(whole, width=_width(whole))


def _width(whole: Walk) -> int:
    dense = [i for i in range(len(whole.arrays)) if whole.dense(i)]
    width = WIDEST // max((whole.arrays[i].itemsize for i in dense), default=WIDEST)
    while width > 1 and not (whole.sizes[-1] % width == 0 and all(_aligned(whole, i, width) for i in dense)):
        width //= 2
    return max(1, width)


def _aligned(whole: Walk, i: int, width: int) -> bool:
    array = whole.arrays[i]
    return all(distance % (width * array.itemsize) == 0 for distance in (address(array), *whole.steps[i][:-1]))


def striding(of: str, packs: str, body: Sequence[str]) -> list[str]:
    """Every thread takes each so-manieth pack i."""
    begin, step = f"({of})blockIdx.x * blockDim.x + threadIdx.x", f"({of})gridDim.x * blockDim.x"
    return [f"for ({of} i = {begin}; i < ({of}){packs}; i += {step}) {{", *indented(body), "}"]

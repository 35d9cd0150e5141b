"""How threads find their way in arrays of one shape: a thread's number as a position, and addresses there.

Places count the axes of a layout from its last, which is 1.
"""

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
    """Arrays along the axes of a layout, of which leading ones of size 1 are left out, `width` columns at a time.

    `name` is what a text calls the width, where it does not write the number."""

    sizes: tuple[int, ...]
    steps: tuple[tuple[int, ...], ...]
    arrays: tuple[Array, ...]
    width: int = 1
    name: str = ""

    @property
    def places(self) -> range:
        return range(1, len(self.sizes) + 1)

    @property
    def packs(self) -> int:
        """Whole ones."""
        return prod(self.sizes) // self.width

    @property
    def rest(self) -> int:
        """Columns of a single line behind its last whole pack."""
        return prod(self.sizes) % self.width

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

    def varies(self, i: int, places: Sequence[int]) -> bool:
        """Whether it does along any of some axes."""
        return any(self.steps[i][-place] and self.sizes[-place] > 1 for place in places)

    def count(self, places: Sequence[int]) -> int:
        """Packs along some axes."""
        return prod(self._along(place) for place in places)

    def positions(self, kernel: Kernel, begin: str, places: Sequence[int] | None = None) -> list[str]:
        """Lines that take a number of a pack apart along all axes, or some: p1 is the first of its columns, p2 the row, and so on."""
        lines, of, number = [], self.unsigned, begin
        some = self.places if places is None else places
        for place in some[:-1]:
            many, left = f"({of}){kernel.number(self._along(place))}", f"left{place}"
            lines += [f"const {of} {left} = {number};", self._position(place, f"{left} % {many}")]
            number = f"{left} / {many}"
        return [*lines, *(self._position(place, number) for place in some[-1:])]

    def addresses(self, kernel: Kernel, places: Sequence[int] | None = None) -> list[str]:
        """Lines that find where each array has what lies at the positions: at0, at1 and so on."""
        some = self.places if places is None else places
        bases = [kernel.address(array) for array in self.arrays]
        return [f"char* const at{i} = {' + '.join([base, *self.moves(kernel, i, some)])};" for i, base in enumerate(bases)]

    def moves(self, kernel: Kernel, i: int, places: Sequence[int]) -> list[str]:
        """Bytes to go along some axes."""
        columns = [f"p1 * {self.arrays[i].itemsize}"] if 1 in places and self.dense(i) else []
        rows = (f"p{place} * ({self.unsigned}){kernel.number(self.steps[i][-place])}" for place in places if place > 1)
        return [*columns, *rows]

    def loads(self, some: Sequence[int]) -> list[str]:
        """Lines that read packs x0, x1, …; of what does not vary along a row one number."""
        return [self.load(i, f"at{i}") for i in some]

    def load(self, i: int, place: str) -> str:
        """A line that reads pack x0, x1, … from an address."""
        return f"const {self.pack(i)} x{i} = *(const {self.pack(i)}*)({place});"

    def loaded(self, i: int, lane: str) -> str:
        """A number of what was read, as it is in registers."""
        return f"widened(x{i}.at[{lane if self.dense(i) else 0}])"

    def stores(self, some: Sequence[int]) -> list[str]:
        """Lines that write the packs y0, y1, …"""
        return [f"*({self.pack(i)}*)at{i} = y{i};" for i in some]

    def results(self, some: Sequence[int]) -> list[str]:
        return [f"{self.pack(i)} y{i};" for i in some]

    def pack(self, i: int) -> str:
        return f"Pack<{TYPES[self.dtypes[i]]}, {self._wide if self.dense(i) else 1}>"

    @property
    def _wide(self) -> str:
        return self.name or str(self.width)

    def _position(self, place: int, number: str) -> str:
        first = f"{self._wide} * ({number})" if place == 1 and self._wide != "1" else number
        return f"const {self.unsigned} p{place} = {first};"

    def _along(self, place: int) -> int:
        return self.sizes[-place] // (self.width if place == 1 else 1)


def walk(layout: Layout, arrays: Sequence[Array], most: int = WIDEST, rest: bool = False) -> Walk:
    """With packs as wide as columns and addresses allow, and not wider than `most`; with `rest` those of a single line may not fill it."""
    first = next((i for i, n in enumerate(layout.sizes[:-1]) if n > 1), len(layout.sizes) - 1)
    whole = Walk(layout.sizes[first:], tuple(own[first:] for own in layout.steps), tuple(arrays))
    return replace(whole, width=_width(whole, most, not rest or len(whole.sizes) > 1))


def _width(whole: Walk, most: int, divides: bool) -> int:
    """Arrays of the whole shape are moved 16 bytes at a time, others as it comes."""
    dense = [i for i in range(len(whole.arrays)) if whole.dense(i)]
    full = [i for i in dense if all(step for step, n in zip(whole.steps[i], whole.sizes, strict=True) if n > 1)] or dense
    width = min(most, WIDEST // max((whole.arrays[i].itemsize for i in full), default=WIDEST))
    while width > 1 and not (_fills(whole, width, divides) and all(_aligned(whole, i, width) for i in dense)):
        width //= 2
    return max(1, width)


def _fills(whole: Walk, width: int, divides: bool) -> bool:
    return whole.sizes[-1] % width == 0 if divides else whole.sizes[-1] >= width


def _aligned(whole: Walk, i: int, width: int) -> bool:
    """A pack begins at a multiple of its size, a large one of 16 bytes."""
    array = whole.arrays[i]
    wanted = min(WIDEST, width * array.itemsize)
    return all(distance % wanted == 0 for distance in (address(array), *whole.steps[i][:-1]))


def striding(of: str, packs: str, body: Sequence[str]) -> list[str]:
    """Every thread takes each so-manieth pack i."""
    begin, step = f"({of})blockIdx.x * blockDim.x + threadIdx.x", f"({of})gridDim.x * blockDim.x"
    return [f"for ({of} i = {begin}; i < ({of}){packs}; i += {step}) {{", *indented(body), "}"]

"""Where arrays have what belongs to places in spaces: a space is a row of digits, the last the fastest, counted as one number.

An array takes a step for each digit; along the sides of a window its cell depends on digits of two spaces, so that the shares of
both are added before it is known whether there is one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from runtime.arrays import Array, name_of
from runtime.kernels.cuda.code import TYPES, indented
from runtime.kernels.cuda.text import Kernel

Spaces = Mapping[str, Sequence[int]]


class Cell(NamedTuple):
    """Along a side of a window: bytes from cell to cell, how many cells there are, and by space the digit that leads to one and its
    factor, counted from `first`. Where `every` is more than 1, only each so-manieth place has a cell."""

    step: int
    cells: int
    digits: Mapping[str, tuple[int, int]]
    first: int
    every: int = 1


class Part(NamedTuple):
    """An array, its steps for the digits of spaces, and its cells along windows."""

    array: Array
    steps: Mapping[str, Sequence[int]]
    cells: Sequence[Cell] = ()

    def along(self, space: str) -> bool:
        """Whether neighbours in a space lie side by side."""
        return self.steps[space][-1] == self.array.itemsize


def digits(kernel: Kernel, sizes: Sequence[int], index: str) -> tuple[list[str], list[str]]:
    """Lines that take a number apart, and the texts of its digits: of a size of 1 it is 0."""
    lines, texts = [f"u32 rest = {index};"], ["0"] * len(sizes)
    places = [place for place, size in enumerate(sizes) if size > 1]
    for place in reversed(places):
        texts[place] = f"d{place}"
        size = f"(u32){kernel.number(sizes[place])}" if place != places[0] else ""
        lines.append(f"const u32 d{place} = rest{' % ' * bool(size)}{size};")
        lines += [f"rest /= {size};"] if size else []
    return lines, texts


def offset(kernel: Kernel, steps: Sequence[int], texts: Sequence[str]) -> str:
    """The bytes that digits lead to."""
    terms = [f"(i64){text} * {kernel.number(step)}" for step, text in zip(steps, texts, strict=True) if text != "0" and step]
    return " + ".join(terms) or "0"


class Found:
    """The functions that find what a part holds; `name` sets them apart from those of others."""

    def __init__(self, kernel: Kernel, spaces: Spaces, part: Part, name: str) -> None:
        self.kernel, self.spaces, self.part, self.name = kernel, spaces, part, name
        self.type = TYPES[name_of(part.array)]
        self.base = kernel.address(part.array)
        self.inside = [next(space for space in part.steps if space not in ("batch", "inner")), "inner"]
        for space in self.inside:
            kernel.functions.append(self._share(space))
        kernel.functions.append(self._load())

    def batch(self, texts: Sequence[str]) -> str:
        """The address where one of a batch begins."""
        return f"{self.base} + {offset(self.kernel, self.part.steps['batch'], texts)}"

    def _share(self, space: str) -> str:
        """What a place in one space has to do with it."""
        kind = f"{self.name}_{space}"
        lines, texts = digits(self.kernel, self.spaces[space], "i")
        members = [f"int c{j};" for j in range(len(self.part.cells))]
        lines += [f"{kind} s;", f"s.at = {offset(self.kernel, self.part.steps[space], texts)};"]
        for j, cell in enumerate(self.part.cells):
            digit, factor = cell.digits.get(space, (0, 0))
            text = f"(int){texts[digit]} * (int){self.kernel.number(factor)}" if factor and texts[digit] != "0" else "0"
            first = f" + (int){self.kernel.number(cell.first)}" if space == self.inside[0] else ""
            lines.append(f"s.c{j} = {text}{first};")
        body = "\n".join([f"__device__ inline {kind} {kind}_at(const Table& t, u32 i) {{", *indented([*lines, "return s;"]), "}"])
        return f"struct {kind} {{ {' '.join(['i64 at;', *members])} }};\n{body}"

    def _load(self) -> str:
        one, other = (f"{self.name}_{space}" for space in self.inside)
        lines = ["i64 at = a.at + b.at;"]
        for j, cell in enumerate(self.part.cells):
            share = f"f{j} % {cell.every} || " * (cell.every > 1)
            lines.append(f"const int f{j} = a.c{j} + b.c{j};")
            lines.append(f"if (f{j} < 0 || {share}f{j} / {cell.every} >= (int){self.kernel.number(cell.cells)}) return 0;")
            lines.append(f"at += (i64)(f{j} / {cell.every}) * {self.kernel.number(cell.step)};")
        body = "\n".join(indented([*lines, f"return widened(*(const {self.type}*)(base + at));"]))
        return f"__device__ inline float {self.name}(const Table& t, const char* base, const {one}& a, const {other}& b) {{\n{body}\n}}"

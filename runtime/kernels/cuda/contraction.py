"""Products of any kind, tile by tile in shared memory: sums over an inner space of what two arrays hold, for rows and columns of a
result, and a batch of such products. Read next: places.py; products.py, which spaces convolutions and matrix products have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

from runtime.arrays import Array
from runtime.kernels.behind import Behind
from runtime.kernels.cuda.code import indented
from runtime.kernels.cuda.finish import Finish
from runtime.kernels.cuda.places import Found, Part, Spaces, digits, offset
from runtime.kernels.cuda.steps import Launch
from runtime.kernels.cuda.text import Kernel

SIDE, DEEP = 16, 16
"""A block's threads stand in a square; so many places of the inner space are in shared memory at a time."""
THREADS = SIDE * SIDE
FEW = 32
"""Rows or columns up to which a thread has one of them; else it has four."""

Lying = Mapping[str, Sequence[tuple[int, int]]]
"""By space and digit the axis of the result along which it runs, and by how many cells."""


def contracted(spaces: Spaces, left: Part, right: Part, behind: Behind, lying: Lying, parts: Array | None = None) -> Launch:
    """With parts, of which the first is the result, the inner space is cut into as many slices."""
    kernel, finish = Kernel(), Finish(behind)
    slices, apart = (1, 0) if parts is None else (len(parts), parts.strides[0])
    rows, columns = _Tile(kernel, spaces, left, "left", "rows"), _Tile(kernel, spaces, right, "right", "columns")
    many, inner = prod(spaces["batch"]), prod(spaces["inner"])
    share = kernel.number(-(-inner // slices))
    batch, texts = digits(kernel, spaces["batch"], f"block % (u32){kernel.number(many)}")
    kernel.lines = [
        "u32 block = blockIdx.x;",
        f"const u32 x = threadIdx.x % {SIDE}, y = threadIdx.x / {SIDE};",
        *columns.begun(kernel),
        *rows.begun(kernel),
        f"const u32 slice = block / (u32){kernel.number(many)}, begin = slice * (u32){share};",
        *batch,
        f"const u32 inner = {kernel.number(inner)}, far = begin + (u32){share}, end = far < inner ? far : inner;",
        f"float sums[{rows.each}][{columns.each}] = {{}};",
        *rows.before(kernel, texts),
        *columns.before(kernel, texts),
        f"for (u32 k0 = begin; k0 < end; k0 += {DEEP}) {{",
        *indented([*rows.filled(), *columns.filled(), "__syncthreads();", *_multiplied(rows.each, columns.each), "__syncthreads();"]),
        "}",
        *_written(kernel, finish, spaces, rows, columns, lying, texts, apart),
    ]
    grid = rows.count * columns.count * many * slices
    return kernel.launch(
        (grid, 1, 1), (THREADS, 1, 1), [left.array, right.array, *finish.read], finish.results if parts is None else [parts]
    )


class _Tile:
    """The rows or the columns of a block, and how what is read for them gets into shared memory: threads side by side read what
    lies side by side."""

    def __init__(self, kernel: Kernel, spaces: Spaces, part: Part, name: str, space: str) -> None:
        self.name, self.space = name, space
        size = prod(spaces[space])
        self.each = 1 if size <= FEW else 4
        self.width = SIDE * self.each
        self.count = -(-size // self.width)
        self.size = f"(u32){kernel.number(size)}"
        self.found = Found(kernel, spaces, part, name)
        self.deep = part.along("inner")

    def begun(self, kernel: Kernel) -> list[str]:
        """Lines that take the tile's place from the number of the block."""
        many = f"(u32){kernel.number(self.count)}"
        return [
            f"__shared__ float {self.name}_tile[{DEEP}][{self.width + 1}];",
            f"const u32 {self.space}0 = block % {many} * {self.width};",
            f"block /= {many};",
        ]

    def before(self, kernel: Kernel, batch: Sequence[str]) -> list[str]:
        """Lines that find once what stays the same along the inner space."""
        name, found = self.name, f"{self.name}_{self.space}"
        own = [f"const {found} {name}{j} = {found}_at(t, {place});" for j, place in enumerate(self._places())]
        return [f"const char* const {name}_from = {self.found.batch(batch)};", *own]

    def filled(self) -> list[str]:
        name = self.name
        if self.deep:
            reads = [self._read(f"y + {SIDE * j}", j, "x", place, f"{name}_k") for j, place in enumerate(self._places())]
            return [f"const {name}_inner {name}_k = {name}_inner_at(t, k0 + x);", *reads]
        [place] = self._places()
        return [
            "#pragma unroll",
            f"for (u32 k = threadIdx.x / {self.width}; k < {DEEP}; k += {THREADS // self.width})",
            f"    {self._read(f'threadIdx.x % {self.width}', 0, 'k', place, f'{name}_inner_at(t, k0 + k)')}",
        ]

    def _places(self) -> list[str]:
        """The rows or columns that a thread reads."""
        if self.deep:
            return [f"{self.space}0 + y + {SIDE * j}" for j in range(self.each)]
        return [f"{self.space}0 + threadIdx.x % {self.width}"]

    def _read(self, to: str, j: int, k: str, place: str, inner: str) -> str:
        value = f"{self.name}(t, {self.name}_from, {self.name}{j}, {inner})"
        return f"{self.name}_tile[{k}][{to}] = k0 + {k} < end && {place} < {self.size} ? {value} : 0;"


def _multiplied(rows: int, columns: int) -> list[str]:
    return [
        "#pragma unroll",
        f"for (int k = 0; k < {DEEP}; ++k) {{",
        f"    float r[{rows}], c[{columns}];",
        f"    for (int i = 0; i < {rows}; ++i) r[i] = left_tile[k][y + {SIDE} * i];",
        f"    for (int j = 0; j < {columns}; ++j) c[j] = right_tile[k][x + {SIDE} * j];",
        f"    for (int i = 0; i < {rows}; ++i)",
        f"        for (int j = 0; j < {columns}; ++j) sums[i][j] += r[i] * c[j];",
        "}",
    ]


def _written(
    kernel: Kernel, finish: Finish, spaces: Spaces, rows: _Tile, columns: _Tile, lying: Lying, batch: Sequence[str], apart: int
) -> list[str]:
    """Row by row and column by column, addresses in all that is written and read beside it, and the map behind the sums."""
    steps = [{space: [array.strides[axis] * by for axis, by in lying[space]] for space in lying} for array in finish.arrays]
    first = [f"{kernel.address(array)} + {offset(kernel, own['batch'], batch)}" for array, own in zip(finish.arrays, steps, strict=True)]
    in_row, row = digits(kernel, spaces["rows"], "row")
    in_column, column = digits(kernel, spaces["columns"], "column")
    places = [f"r{q} + {offset(kernel, own['columns'], column)}" for q, own in enumerate(steps)]
    each = [
        f"const u32 column = columns0 + x + {SIDE} * j;",
        f"if (column >= {columns.size}) continue;",
        *in_column,
        *finish.lines(kernel, "sums[i][j]", places),
    ]
    return [
        *(f"char* const y{q} = {place} + slice * {kernel.number(apart)};" for q, place in enumerate(first)),
        "#pragma unroll",
        f"for (int i = 0; i < {rows.each}; ++i) {{",
        f"    const u32 row = rows0 + y + {SIDE} * i;",
        f"    if (row >= {rows.size}) continue;",
        *indented(in_row),
        *(f"    char* const r{q} = y{q} + {offset(kernel, own['rows'], row)};" for q, own in enumerate(steps)),
        "    #pragma unroll",
        f"    for (int j = 0; j < {columns.each}; ++j) {{",
        *indented([*indented(each)]),
        "    }",
        "}",
    ]

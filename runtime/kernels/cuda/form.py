"""Values in another form: moved as the bytes that they are, whatever those mean. Read next: copies.py."""

from __future__ import annotations

import builtins
from collections.abc import Iterator, Sequence
from dataclasses import replace

from netcompiler.plan import Axis
from netcompiler.scalar import literal
from runtime.arrays import Array, name_of
from runtime.kernels.cuda import pointwise
from runtime.kernels.cuda.code import TYPES, indented, written
from runtime.kernels.cuda.copies import bits, copied
from runtime.kernels.cuda.frame import Adjoint, Listed, Named
from runtime.kernels.cuda.slide import BLOCK, Slide, Source, picked, source, summed
from runtime.kernels.cuda.steps import Launch, Step
from runtime.kernels.cuda.text import Kernel, blocks
from runtime.kernels.cuda.walk import striding, walk
from runtime.kernels.expressions import FLOATS
from runtime.kernels.layout import collapsed


def reshape(y: Array, x: Array, *, shape: Sequence[int]) -> Iterator[Step]:
    if (shown := _shown(x, shape)) is not None:
        yield from copied(y, shown)
    elif (shown := _shown(y, x.shape)) is not None:
        yield from copied(shown, x)
    else:
        yield _by_number(bits(y), bits(x))


def transpose(y: Array, x: Array, *, order: Sequence[int]) -> Iterator[Step]:
    yield from copied(y, x.transpose(order))


def slice(y: Array, x: Array, *, begin: Sequence[int], end: Sequence[int], step: Sequence[int]) -> Iterator[Step]:
    yield from copied(y, x[tuple(builtins.slice(*piece) for piece in zip(begin, end, step, strict=True))])


def concat(y: Array, *xs: Array, axis: int) -> Iterator[Step]:
    """What was computed in its place already stays there."""
    begin = 0
    for x in xs:
        part = y[(builtins.slice(None),) * axis + (builtins.slice(begin, begin + x.shape[axis]),)]
        begin += x.shape[axis]
        if part.__array_interface__ != x.__array_interface__:
            yield from copied(part, x)


def pad(y: Array, x: Array, *, low: Sequence[int], high: Sequence[int], interior: Sequence[int]) -> Iterator[Step]:
    """Each cell of x is a window of one cell in y, the next one so many cells on; low and high may leave cells out."""
    axes = [axis for axis, ends in enumerate(zip(low, high, interior, strict=True)) if any(ends)]
    if not axes:
        yield from copied(y, x)
        return
    reaches = {axis: Adjoint(Axis(1, interior[axis] + 1, -low[axis]), x.shape[axis]) for axis in axes}
    yield picked(Slide([bits(y)], [source(bits(x), axes)], reaches))


def gather(y: Array, x: Array, *, table: Sequence[int], axis: int) -> Iterator[Launch]:
    lists = [[place] if place >= 0 else [] for place in table]
    yield picked(Slide([bits(y)], [source(bits(x), [axis])], {axis: Listed(lists)}))


def scatter(y: Array, x: Array, *, table: Sequence[int], axis: int, size: int) -> Iterator[Launch]:
    """By the table the other way round each cell asks for what belongs to it."""
    met: list[list[int]] = [[] for _ in range(size)]
    for cell, place in enumerate(table):
        if place >= 0:
            met[place].append(cell)
    yield summed(Slide([y], [source(x, [axis])], {axis: Listed(met)}))


def take(y: Array, x: Array, i: Array) -> Iterator[Launch]:
    rows = i.reshape(-1, copy=False)
    own = Source(rows, (rows.strides[0], *(0 for _ in y.shape[1:])), (0,))
    number = f"*(const {TYPES[name_of(rows)]}*)at2"
    yield picked(Slide([bits(y)], [source(bits(x), [0]), own], {0: Named(number, len(x))}))


def constant(y: Array, *, shape: Sequence[int], dtype: str, value: float = 0, table: Sequence[float] | None = None) -> Iterator[Launch]:
    if table is None:
        yield from pointwise.map(y, exprs=(literal(value),), shape=shape, dtype=dtype)
    else:
        yield _tabled(y, table)


def _shown(x: Array, shape: Sequence[int]) -> Array | None:
    """The same bytes in another shape, where their steps allow that."""
    try:
        return x.reshape(shape, copy=False)
    except ValueError:
        return None


def _by_number(y: Array, x: Array) -> Launch:
    """The i-th number of one is the i-th of the other, wherever those are."""
    kernel = Kernel()
    found = [*_place(kernel, y, "to"), *_place(kernel, x, "from")]
    moved = f"*({TYPES[name_of(y)]}*)to = *(const {TYPES[name_of(x)]}*)from;"
    kernel.lines = striding("i64", kernel.number(y.size), [*found, moved])
    return kernel.launch(blocks(y.size, BLOCK), (BLOCK, 1, 1), [x], [y])


def _tabled(y: Array, table: Sequence[float]) -> Launch:
    kernel, dtype = Kernel(), name_of(y)
    of = dtype if dtype in FLOATS else "f32" if dtype in ("f16", "bf16") else "i64"
    members = ", ".join(written(float(number), of) if of in FLOATS else str(int(number)) for number in table)
    kernel.functions.append(f"__device__ const {TYPES[of]} numbers[] = {{{members}}};")
    stored = f"*({TYPES[dtype]}*)to = Stored<{TYPES[dtype]}>::of(numbers[i]);"
    kernel.lines = striding("i64", kernel.number(y.size), [*_place(kernel, y, "to"), stored])
    return kernel.launch(blocks(y.size, BLOCK), (BLOCK, 1, 1), [], [y])


def _place(kernel: Kernel, array: Array, name: str) -> list[str]:
    """Lines that find number i of an array."""
    way = replace(walk(collapsed(array.shape, [array], {}), [array]), width=1)
    return [f"char* {name};", "{", *indented([*way.positions(kernel, "i"), *way.addresses(kernel), f"{name} = at0;"]), "}"]

"""Maps: expressions at every position, in one pass over memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from netcompiler.scalar import Expr
from runtime.arrays import Array
from runtime.kernels.cuda.code import function, indented
from runtime.kernels.cuda.steps import Launch
from runtime.kernels.cuda.text import Kernel, blocks
from runtime.kernels.cuda.walk import Walk, striding, walk
from runtime.kernels.expressions import canonical, indexes, number_of, with_positions
from runtime.kernels.layout import collapsed

BLOCK = 256


def map(*arrays: Array, exprs: Sequence[Expr], shape: Sequence[int], dtype: str) -> Iterator[Launch]:
    exprs, order, literals = canonical(exprs)
    results, read = arrays[: len(exprs)], [arrays[len(exprs) + i] for i in order]
    layout = collapsed(shape, (*results, *read), indexes(exprs))
    way = walk(layout, (*results, *read), bool(indexes(exprs)))
    yield _launch(with_positions(exprs, layout), way, len(results), literals)


def _launch(exprs: Sequence[Expr], way: Walk, many: int, literals: Sequence[float]) -> Launch:
    """A thread takes `width` neighbours of a row at a time."""
    kernel, number = Kernel(), number_of(way.dtypes)
    results, operands = range(many), range(many, len(way.arrays))
    types = [*way.dtypes[many:], *[number] * len(literals)]
    kernel.functions.append(function("computed", exprs, way.dtypes[:many], types, len(way.sizes), number))
    table = [kernel.real(value, number) for value in literals]
    values = [*(f"y{i}.at[l]" for i in results), *(way.loaded(i, "l") for i in operands), *table]
    places = [f"p{place}{' + l' * (place == 1)}" for place in range(1, len(way.sizes) + 1)]
    body = [
        *way.positions(kernel, "i"),
        *way.addresses(kernel),
        *way.loads(operands),
        *way.results(results),
        *["#pragma unroll", f"for (int l = 0; l < {way.width}; ++l)", *indented([f"computed({', '.join([*values, *places])});"])],
        *way.stores(results),
    ]
    kernel.lines = striding(way.unsigned, kernel.number(way.packs), body)
    return kernel.launch(blocks(way.packs, BLOCK), (BLOCK, 1, 1), way.arrays[many:], way.arrays[:many])

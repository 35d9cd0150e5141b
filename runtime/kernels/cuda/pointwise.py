"""Maps: expressions at every position, in one pass over memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

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
    yield _launch(with_positions(exprs, layout), walk(layout, (*results, *read), rest=True), len(results), literals)


def _launch(exprs: Sequence[Expr], way: Walk, many: int, literals: Sequence[float]) -> Launch:
    """A thread takes a pack of a row at a time; what is left of a single line is taken one by one."""
    kernel, number, of = Kernel(), number_of(way.dtypes), way.unsigned
    types = [*way.dtypes[many:], *[number] * len(literals)]
    kernel.functions.append(function("computed", exprs, way.dtypes[:many], types, len(way.sizes), number))
    body = list(indented(_pack(kernel, replace(way, name="W"), many, [kernel.real(value, number) for value in literals])))
    kernel.functions.append("\n".join([f"template <int W> __device__ inline void pack(const Table& t, const {of} i) {{", *body, "}"]))
    packs = kernel.number(way.packs)
    kernel.lines = striding(of, packs, [f"pack<{way.width}>(t, i);"])
    if len(way.sizes) == 1 and way.width > 1:
        kernel.lines += striding(of, kernel.number(way.rest), [f"pack<1>(t, {way.width} * ({of}){packs} + i);"])
    return kernel.launch(blocks(way.packs, BLOCK), (BLOCK, 1, 1), way.arrays[many:], way.arrays[:many])


def _pack(kernel: Kernel, way: Walk, many: int, literals: Sequence[str]) -> list[str]:
    results, operands = range(many), range(many, len(way.arrays))
    values = [*(f"y{i}.at[l]" for i in results), *(way.loaded(i, "l") for i in operands), *literals]
    places = [f"p{place}{' + l' * (place == 1)}" for place in way.places]
    return [
        *way.positions(kernel, "i"),
        *way.addresses(kernel),
        *way.loads(operands),
        *way.results(results),
        *["#pragma unroll", "for (int l = 0; l < W; ++l)", *indented([f"computed({', '.join([*values, *places])});"])],
        *way.stores(results),
    ]

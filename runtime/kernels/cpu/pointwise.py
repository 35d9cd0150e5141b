"""Maps: expressions at every position, in one pass over memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import lcm, prod

from llvmlite import ir

from netcompiler.plan import SIZES
from netcompiler.scalar import Expr
from runtime.arrays import Array
from runtime.kernels.cpu.caches import go_past
from runtime.kernels.cpu.code import LANES, Code, Number
from runtime.kernels.cpu.driver import Step
from runtime.kernels.cpu.interpreted import interpreted
from runtime.kernels.cpu.streams import parted
from runtime.kernels.cpu.sweep import Place, Structure, Sweep, numbers, rows_ahead, structured
from runtime.kernels.expressions import canonical, indexes, weight
from runtime.kernels.layout import Layout, collapsed, cost, pieces

FLAT = 4096
"""How wide rows are made where there is only one."""
REPEAT = 1024
"""About how wide rows are made out of narrow ones."""
NARROW = 8
"""Vectors: rows that are less wide, and do not end with a whole one, are laid one behind the other."""
UNROLL = 2
HEAVY = 60
"""Expressions of more operations than these are computed one vector at a time."""


def map(*arrays: Array, exprs: Sequence[Expr], shape: Sequence[int], dtype: str) -> Iterator[Step]:
    results, read = arrays[: len(exprs)], arrays[len(exprs) :]
    few = interpreted(results, read, exprs, shape)
    if few:
        yield few
        return
    parts = [((part,), into) for part, into in parted(results[0], read, exprs[0])] if len(exprs) == 1 else [(tuple(exprs), read)]
    for part, into in parts:
        yield _step(results, into, part, shape)


def _step(results: Sequence[Array], read: Sequence[Array], exprs: tuple[Expr, ...], shape: Sequence[int]) -> Step:
    exprs, order, literals = canonical(exprs)
    arrays = (*results, *(read[i] for i in order))
    indexed = indexes(exprs)
    layout = collapsed(shape, arrays, indexed)
    work = weight(exprs)
    period = layout.columns if _is_narrow(layout, indexed) else 0
    if period:
        layout = layout.folded(_repeat(period))
    elif layout.is_line and indexed.keys().isdisjoint(layout.members[-1]):
        layout = layout.folded(FLAT)
    structure = structured(exprs, arrays, layout, len(results), len(literals))
    rows = prod(layout.sizes[:-1])
    return Step(
        (_map, structure, UNROLL if work < HEAVY else 1, bool(period)),
        [*numbers(arrays, layout, literals), period, int(go_past(results, read)), rows_ahead(arrays[len(results) :], layout)],
        rows,
        pieces(cost(arrays, layout, work), rows),
        scratch=_scratch(layout, structure) if period else 0,
        keep=arrays,
    )


def _repeat(period: int) -> int:
    """A width of whole vectors and whole periods."""
    least = lcm(period, LANES)
    return least * max(1, REPEAT // least)


def _is_narrow(layout: Layout, indexed: Mapping[int, int]) -> bool:
    width = layout.columns
    if (
        layout.rows == 1
        or width >= NARROW * LANES
        or width % LANES == 0
        or not indexed.keys().isdisjoint(layout.members[-2] + layout.members[-1])
    ):
        return False
    return all(row in (0, width * column) for *_, row, column in layout.steps)


def _map(code: Code, structure: Structure, unroll: int, periodic: bool) -> None:
    sweep = Sweep(code, structure)
    period, past, ahead = sweep.take(), sweep.take(), sweep.take()
    with sweep.runs(code.lo, code.hi) as (run, begin, end):
        run = _repeated(sweep, run, period) if periodic else run
        with sweep.each_row(run, begin, end) as (place, width):
            sweep.expect(place, 0, width, ahead)
            for columns, mask in sweep.along(0, width, unroll):
                _written(sweep, place, columns, mask, past)


def _written(sweep: Sweep, place: Place, columns: Sequence[Number], mask: ir.Value | None, past: Number) -> None:
    """All is computed before anything is written: a result may lie where an operand does."""
    exprs, kinds = sweep.structure.exprs, sweep.kinds
    computations = [sweep.computation(place, c, mask) for c in columns]
    values = [[own.stored(expr, kind.dtype) for expr, kind in zip(exprs, kinds, strict=False)] for own in computations]
    for c, stored in zip(columns, values, strict=True):
        for result, value in enumerate(stored):
            sweep.write(value, place, result, c, mask, past)


def _repeating(structure: Structure) -> list[int]:
    """The operands that have the same columns in all rows."""
    return [i for i, kind in enumerate(structure.kinds) if i >= structure.results and kind.dense and not kind.rows]


def _scratch(layout: Layout, structure: Structure) -> int:
    return sum(layout.columns * SIZES[structure.kinds[i].dtype] for i in _repeating(structure))


def _repeated(sweep: Sweep, run: Place, period: Number) -> Place:
    """Operands with the same columns in all rows, repeated in scratch until they fill a row."""
    code, origins, to = sweep.code, list(run.origins), sweep.code.scratch
    for i in _repeating(sweep.structure):
        dtype = sweep.kinds[i].dtype
        with code.loop(0, sweep.columns, period) as begin, code.loop(0, period) as c:
            code.store(code.load(code.at(run.origins[i], c, dtype), dtype), code.at(to, code.add(begin, c), dtype))
        origins[i], to = to, code.at(to, sweep.columns, dtype)
    return run._replace(origins=origins)

"""What a reduction does with numbers: where its accumulators begin, how they take more, what comes out of them.

Moments are merged as Chan, Golub & LeVeque (1979) do: nothing cancels, whatever the mean.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import NamedTuple

from llvmlite import ir

from runtime.kernels.cpu.code import Code
from runtime.kernels.cpu.elementary import INF, NAN, like
from runtime.kernels.cpu.expression import maximum

Values = list[ir.Value]


class Rows(NamedTuple):
    """Rows that are taken together: how many elements were counted before the first, and how many each of them stands for."""

    before: ir.Value
    counts: Values


class Reducer(NamedTuple):
    """`absorb` takes accumulators, for each row the values of so many expressions, and the rows; `finish` takes accumulators and
    how many elements were counted, which is None while there is more to come."""

    expressions: int
    starts: tuple[float, ...]
    absorb: Callable[[Code, Values, Sequence[Values], Rows], Values]
    finish: Callable[[Code, Values, ir.Value | None], Values]


def _same(code: Code, sums: Values, count: ir.Value | None) -> Values:
    return sums


def _added(code: Code, sums: Values, values: Sequence[Values], rows: Rows) -> Values:
    return [code.fadd(sums[0], reduce(code.fadd, (value for [value] in values)))]


def _largest(code: Code, best: Values, values: Sequence[Values], rows: Rows) -> Values:
    return [reduce(lambda a, b: maximum(code, a, b), [best[0], *(value for [value] in values)])]


def _gathered(code: Code, old: Values, values: Sequence[Values], rows: Rows) -> Values:
    """Mean and sum of squares around it of these rows, merged with those of the rows before."""
    b = code.b
    numbers = [value for [value] in values]
    if len(numbers) == 1:
        return _merged(code, old, [[numbers[0], like(numbers[0], 0.0)]], rows)
    mean = b.fmul(reduce(b.fadd, numbers), like(numbers[0], 1 / len(numbers)))
    apart = [b.fsub(number, mean) for number in numbers]
    squares = reduce(b.fadd, (b.fmul(each, each) for each in apart))
    return _merged(code, old, [[mean, squares]], Rows(rows.before, [reduce(b.fadd, rows.counts)]))


def _merged(code: Code, old: Values, values: Sequence[Values], rows: Rows) -> Values:
    b, (mean, squares), before = code.b, old, rows.before
    for (other, more), count in zip(values, rows.counts, strict=True):
        both = b.fadd(before, count)
        share = b.select(b.fcmp_ordered(">", count, like(count, 0.0)), b.fdiv(count, both), like(count, 0.0))
        apart = b.fsub(other, mean)
        mean = code.fma(apart, share, mean)
        squares = code.fma(b.fmul(apart, apart), b.fmul(before, share), b.fadd(squares, more))
        before = both
    return [mean, squares]


def _divided(code: Code, moments: Values, count: ir.Value | None) -> Values:
    mean, squares = moments
    if count is None:
        return moments
    some = code.b.fcmp_ordered(">", count, like(count, 0.0))
    return [code.b.select(some, mean, like(mean, NAN)), code.b.fdiv(squares, count)]


REDUCERS = {
    "sum": Reducer(1, (0.0,), _added, _same),
    "max": Reducer(1, (-INF,), _largest, _same),
    "moments": Reducer(1, (0.0, 0.0), _gathered, _divided),
    "merge": Reducer(2, (0.0, 0.0), _merged, _divided),
}

"""What a reduction does with numbers: where its accumulators begin, how they take more, what comes out of them.

Moments are gathered as Welford (1962) has it and merged as Chan, Golub & LeVeque (1979) do: nothing cancels, whatever the mean.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from llvmlite import ir

from runtime.kernels.cpu.code import Code
from runtime.kernels.cpu.elementary import INF, NAN, like
from runtime.kernels.cpu.expression import maximum

Values = list[ir.Value]


class Counts(NamedTuple):
    """How many elements were counted before a row, and how many it stands for."""

    before: ir.Value
    own: ir.Value


Take = Callable[[Code, Values, Values, Counts], Values]
"""New accumulators out of old ones and values."""


class Reducer(NamedTuple):
    """`absorb` takes the values of so many expressions, `join` other accumulators; `finish` gives results, of accumulators and of how
    many elements were counted, which is None while there is more to come."""

    expressions: int
    starts: tuple[float, ...]
    absorb: Take
    join: Take
    finish: Callable[[Code, Values, ir.Value | None], Values]


def _same(code: Code, sums: Values, count: ir.Value | None) -> Values:
    return sums


def _added(code: Code, sums: Values, values: Values, counts: Counts) -> Values:
    return [code.fadd(sums[0], values[0])]


def _largest(code: Code, best: Values, values: Values, counts: Counts) -> Values:
    return [maximum(code, best[0], values[0])]


def _gathered(code: Code, moments: Values, values: Values, counts: Counts) -> Values:
    """One more element."""
    b, (mean, squares), [x] = code.b, moments, values
    apart = b.fsub(x, mean)
    mean = code.fma(apart, b.fdiv(counts.own, b.fadd(counts.before, counts.own)), mean)
    return [mean, code.fma(apart, b.fsub(x, mean), squares)]


def _merged(code: Code, moments: Values, values: Values, counts: Counts) -> Values:
    b, (mean, squares), (other, more) = code.b, moments, values
    some = b.fcmp_ordered(">", counts.own, like(counts.own, 0.0))
    share = b.select(some, b.fdiv(counts.own, b.fadd(counts.before, counts.own)), like(counts.own, 0.0))
    apart = b.fsub(other, mean)
    squares = code.fma(b.fmul(apart, apart), b.fmul(counts.before, share), b.fadd(squares, more))
    return [code.fma(apart, share, mean), squares]


def _divided(code: Code, moments: Values, count: ir.Value | None) -> Values:
    mean, squares = moments
    if count is None:
        return moments
    some = code.b.fcmp_ordered(">", count, like(count, 0.0))
    return [code.b.select(some, mean, like(mean, NAN)), code.b.fdiv(squares, count)]


REDUCERS = {
    "sum": Reducer(1, (0.0,), _added, _added, _same),
    "max": Reducer(1, (-INF,), _largest, _largest, _same),
    "moments": Reducer(1, (0.0, 0.0), _gathered, _merged, _divided),
    "merge": Reducer(2, (0.0, 0.0), _merged, _merged, _divided),
}

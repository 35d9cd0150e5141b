"""Reductions along columns: each row becomes a number. Accumulators are in registers, lane by lane, and put together at the end.

What needs the mean or the largest goes over the row a second time, while it is near.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial, reduce
from typing import NamedTuple

from llvmlite import ir

from netcompiler.scalar import index
from runtime.kernels.cpu import elementary
from runtime.kernels.cpu.code import F32, I32, I64, Code, Number
from runtime.kernels.cpu.elementary import INF, like, of
from runtime.kernels.cpu.expression import maximum, minimum
from runtime.kernels.cpu.sweep import Place, Structure, Sweep

UNROLL = 2


class Round(NamedTuple):
    """One time over the row: what each position gives, of the expressions' values, its place along the row, what the round
    before came to and what each element stands for; and how two of those are put together."""

    start: float
    value: Callable[[Code, Sequence[ir.Value], ir.Value, ir.Value | None, ir.Value], ir.Value]
    join: Callable[[Code, ir.Value, ir.Value], ir.Value]
    settle: Callable[[Code, ir.Value, ir.Value], ir.Value]
    """What a round comes to, of what was put together and how many elements there were."""


class Line(NamedTuple):
    """Rounds over so many expressions, and what is written of what they came to."""

    expressions: int
    rounds: tuple[Round, ...]
    finish: Callable[[Code, Sequence[ir.Value], ir.Value | None], list[ir.Value]]


def _first(code: Code, values: Sequence[ir.Value], place: ir.Value, before: ir.Value | None, piece: ir.Value) -> ir.Value:
    return values[0]


def _as_it_is(code: Code, total: ir.Value, count: ir.Value) -> ir.Value:
    return total


def _mean(code: Code, total: ir.Value, count: ir.Value) -> ir.Value:
    return code.b.fdiv(total, count)


def _square(code: Code, values: Sequence[ir.Value], place: ir.Value, mean: ir.Value | None, piece: ir.Value) -> ir.Value:
    """With a second value: of as many numbers as an element stands for, whose mean and sum of squares they are."""
    apart = code.b.fsub(values[0], mean)
    square = code.b.fmul(apart, apart)
    return square if len(values) == 1 else code.fma(square, piece, values[1])


def _exponential(code: Code, values: Sequence[ir.Value], place: ir.Value, largest: ir.Value | None, piece: ir.Value) -> ir.Value:
    return elementary.exp(code, code.b.fsub(values[0], largest))


def _finite(code: Code, largest: ir.Value, count: ir.Value) -> ir.Value:
    inside = code.b.fcmp_ordered("<", code.intrinsic("fabs", largest, fast=()), like(largest, INF))
    return code.b.select(inside, largest, like(largest, 0.0))


def _where_equal(code: Code, values: Sequence[ir.Value], place: ir.Value, largest: ir.Value | None, piece: ir.Value) -> ir.Value:
    b = code.b
    found = b.or_(b.fcmp_ordered("==", values[0], largest), b.fcmp_unordered("uno", values[0], values[0]))
    return b.select(found, place, like(place, INF))


SUM = Round(0.0, _first, Code.fadd, _as_it_is)
MAX = Round(-INF, _first, maximum, _as_it_is)
MEAN = Round(0.0, _first, Code.fadd, _mean)
SQUARES = Round(0.0, _square, Code.fadd, _as_it_is)
SHIFT = Round(-INF, _first, maximum, _finite)
EXPONENTIALS = Round(0.0, _exponential, Code.fadd, _as_it_is)
PLACE = Round(INF, _where_equal, minimum, _as_it_is)


def _moments(code: Code, found: Sequence[ir.Value], count: ir.Value | None) -> list[ir.Value]:
    mean, squares = found
    return [mean, squares if count is None else code.b.fdiv(squares, count)]


def _logarithm(code: Code, found: Sequence[ir.Value], count: ir.Value | None) -> list[ir.Value]:
    return [code.b.fadd(found[0], elementary.log(code, found[1]))]


LINES = {
    "sum": Line(1, (SUM,), lambda code, found, count: [found[0]]),
    "max": Line(1, (MAX,), lambda code, found, count: [found[0]]),
    "moments": Line(1, (MEAN, SQUARES), _moments),
    "merge": Line(2, (MEAN, SQUARES), _moments),
    "logsumexp": Line(1, (SHIFT, EXPONENTIALS), _logarithm),
    "argmax": Line(1, (MAX, PLACE), lambda code, found, count: [code.b.fptosi(found[1], of(I32, found[1].type))]),
}


def lines(code: Code, structure: Structure, kinds: tuple[str, ...], bound: str, final: bool) -> None:
    """`bound` is the dtype of a number in memory of columns that count, if there is one; `final` tells that nothing is to come."""
    _Lines(code, structure, kinds, bound, final).write()


class _Lines:
    def __init__(self, code: Code, structure: Structure, kinds: tuple[str, ...], bound: str, final: bool) -> None:
        self.code = code
        self.sweep = Sweep(code, structure)
        self.kinds = [LINES[kind] for kind in kinds]
        self.final = final
        take = self.sweep.take
        self.lines, self.length, self.whole, piece = (take() for _ in range(4))
        self.piece = self._real(piece)
        if bound:
            self.whole = code.mul(self.whole, code.b.sext(code.load(take(), bound), I64))
        self.steps = [take() for _ in range(structure.results)]

    def write(self) -> None:
        code, sweep = self.code, self.sweep
        with code.loop(code.div(code.lo, self.lines), code.div(code.add(code.hi, code.sub(self.lines, 1)), self.lines)) as part:
            before = code.mul(part, self.lines)
            lo, hi = code.max(code.sub(code.lo, before), 0), code.min(code.sub(code.hi, before), self.lines)
            begin = code.mul(part, self.length)
            end = code.max(begin, code.min(code.min(code.add(begin, self.length), sweep.columns), self.whole))
            with sweep.runs(lo, hi) as (run, first, last), code.loop(first, last) as row:
                place = sweep.place(run, row)
                for result, value in enumerate(self._line(place, begin, end)):
                    code.store(value, code.add(place.origins[result], code.mul(part, self.steps[result])))

    def _line(self, place: Place, begin: Number, end: Number) -> list[ir.Value]:
        code = self.code
        count = self._real(code.sub(end, begin))
        found: list[list[ir.Value]] = [[] for _ in self.kinds]
        for turn in range(max(len(kind.rounds) for kind in self.kinds)):
            now = [(own, kind.rounds[turn]) for own, kind in zip(found, self.kinds, strict=True) if turn < len(kind.rounds)]
            totals = self._over(place, begin, end, turn, [own[-1] if own else None for own in found])
            for (own, round_), total in zip(now, totals, strict=True):
                own.append(round_.settle(code, self._together(total, round_), count))
        counts = code.b.fmul(count, self.piece) if self.final else None
        written = [value for kind, own in zip(self.kinds, found, strict=True) for value in kind.finish(code, own, counts)]
        return [code.b.extract_element(value, I32(0)) for value in written]

    def _over(self, place: Place, begin: Number, end: Number, turn: int, before: Sequence[ir.Value | None]) -> list[ir.Value]:
        """One round over a part of a row, for all kinds that have it: vectors."""
        code, lanes = self.code, self.sweep.lanes
        rounds = [kind.rounds[turn] for kind in self.kinds if turn < len(kind.rounds)]
        sums = [code.real(round_.start, lanes) for round_ in rounds] * UNROLL
        for together in (UNROLL, 1):
            step = together * lanes
            middle = code.add(begin, code.mul(code.div(code.sub(end, begin), step), step))
            with code.reduce(begin, middle, step, sums) as carried:
                columns = [code.add(carried.i, u * lanes) for u in range(together)]
                carried.next = self._taken(place, columns, None, turn, before, carried.values)
            sums, begin = carried.result, middle
        sums = self._taken(place, [begin], code.mask(code.sub(end, begin), lanes), turn, before, sums)
        joined = [sums[i :: len(rounds)] for i in range(len(rounds))]
        return [reduce(partial(round_.join, code), own) for own, round_ in zip(joined, rounds, strict=True)]

    def _taken(
        self,
        place: Place,
        columns: Sequence[Number],
        mask: ir.Value | None,
        turn: int,
        before: Sequence[ir.Value | None],
        sums: Sequence[ir.Value],
    ) -> list[ir.Value]:
        """Accumulators with what stands at these columns; those of the columns that are not there stay."""
        code = self.code
        new: list[ir.Value] = []
        for c in columns:
            computation, taken = self.sweep.computation(place, c, mask), 0
            for kind, own in zip(self.kinds, before, strict=True):
                exprs = self.sweep.structure.exprs[taken : taken + kind.expressions]
                taken += kind.expressions
                if turn < len(kind.rounds):
                    round_ = kind.rounds[turn]
                    values = [computation.number(expr) for expr in exprs]
                    value = round_.value(code, values, computation.number(index(-1)), own, self.piece)
                    value = value if mask is None else code.b.select(mask, value, like(value, round_.start))
                    new.append(round_.join(code, sums[len(new)], value))
        return [*new, *sums[len(new) :]]

    def _together(self, vector: ir.Value, round_: Round) -> ir.Value:
        """All lanes put together, in every lane."""
        code, width = self.code, self.sweep.lanes
        while width > 1:
            width //= 2
            turned = [(lane + width) % self.sweep.lanes for lane in range(self.sweep.lanes)]
            other = code.b.shuffle_vector(vector, vector, ir.Constant(ir.VectorType(I32, len(turned)), turned))
            vector = round_.join(code, vector, other)
        return vector

    def _real(self, number: Number) -> ir.Value:
        return self.code.splat(self.code.b.sitofp(self.code.whole(number), F32), self.sweep.lanes)

"""Philox4x32-10: a vector of counters at a time, each of which gives four words of 32 bits."""

from __future__ import annotations

from collections.abc import Iterator

from llvmlite import ir

from runtime.arrays import Array
from runtime.kernels.cpu.code import I64, LANES, Code, Number
from runtime.kernels.cpu.driver import Step
from runtime.kernels.layout import address, pieces
from runtime.kernels.numpy.philox import KEY_STEPS, MASK, MULTIPLIERS, ROUNDS

WORDS = 4
PIECE = 2048
"""Words of a row that one item draws; whole vectors of counters."""
COST = 8
"""Bytes that could be moved while a word is drawn."""


def random(y: Array, row: Array, tick: Array, *, key: tuple[int, int], rows: int, columns: int) -> Iterator[Step]:
    parts = -(-columns // PIECE)
    step = row.strides[0] if row.ndim else 0
    args = [address(y), y.strides[0], address(row), step, address(tick), *key, columns, parts]
    units = rows * parts
    yield Step((_random, bool(row.ndim), LANES), args, units, pieces(COST * y.size, units), WORDS * LANES * 4)


def _random(code: Code, numbered: bool, lanes: int) -> None:
    """Counters are as wide as a product of theirs: half as many as a vector has lanes."""
    y, pitch, row, step, tick, low, high, columns, parts = (code.arg(i) for i in range(9))
    wide = lanes // 2
    keys = _keys(code, low, high, wide)
    last = code.splat(code.b.and_(code.load(tick, "i64"), I64(MASK)), wide)
    ahead = ir.Constant(ir.VectorType(I64, wide), list(range(wide)))
    with code.loop(code.lo, code.hi) as unit:
        number, part = code.div(unit, parts), code.rem(unit, parts)
        place = code.load(code.add(row, code.mul(number, step)), "i64") if numbered else code.add(code.load(row, "i64"), number)
        halves = [code.b.and_(place, I64(MASK)), code.b.lshr(place, I64(32))]
        begin = code.mul(part, PIECE)
        end = code.min(columns, code.add(begin, PIECE))
        line = code.add(y, code.mul(number, pitch))
        with code.loop(begin, end, WORDS * wide) as column:
            block = code.b.add(code.splat(code.div(column, WORDS), wide), ahead)
            words = _philox(code, [block, *(code.splat(half, wide) for half in halves), last], keys)
            _store(code, words, code.at(line, column), code.sub(end, column))


def _keys(code: Code, low: Number, high: Number, lanes: int) -> list[tuple[ir.Value, ir.Value]]:
    """Those of each round."""
    rounds = []
    for turn in range(ROUNDS):
        pair = (code.b.and_(code.add(start, turn * step), I64(MASK)) for start, step in zip((low, high), KEY_STEPS, strict=True))
        k, m = (code.splat(one, lanes) for one in pair)
        rounds.append((k, m))
    return rounds


def _philox(code: Code, counter: list[ir.Value], keys: list[tuple[ir.Value, ir.Value]]) -> list[ir.Value]:
    """Words below 2**32 in lanes of 64 bits."""
    a, b, c, d = counter
    mask, half = (ir.Constant(a.type, [number] * a.type.count) for number in (MASK, 32))
    factors = [ir.Constant(a.type, [number] * a.type.count) for number in MULTIPLIERS]
    for k, m in keys:
        first, second = code.b.mul(a, factors[0]), code.b.mul(c, factors[1])
        upper = [code.b.lshr(product, half) for product in (second, first)]
        a, b, c, d = (
            code.b.xor(code.b.xor(upper[0], b), k),
            code.b.and_(second, mask),
            code.b.xor(code.b.xor(upper[1], d), m),
            code.b.and_(first, mask),
        )
    return [a, b, c, d]


def _store(code: Code, words: list[ir.Value], address: Number, left: Number) -> None:
    """Side by side, the four of a counter after those of the one before; the last ones through scratch."""
    lanes = words[0].type.count
    half = ir.Constant(words[0].type, [32] * lanes)
    one, other = (code.b.or_(words[i], code.b.shl(words[i + 1], half)) for i in (0, 2))
    vectors = [
        code.shuffle(one, other, [n * lanes + i for i in range(first, first + lanes // 2) for n in (0, 1)]) for first in (0, lanes // 2)
    ]
    whole = code.compare(">=", left, WORDS * lanes)
    to = code.b.select(whole, address, code.scratch)
    for i, vector in enumerate(vectors):
        code.store(vector, code.at(to, i * lanes, "i64"))
    with code.when(code.b.not_(whole)), code.loop(0, left) as i:
        code.store(code.load(code.at(code.scratch, i)), code.at(address, i))

"""Pictures between their slot and the first layer: bytes become numbers from 0 to 1, training augments, all are normalized.

What each augmentation does with them: recipe/motion.py, colour.py, mixing.py. Read next: passes/lower.py, which calls this.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import reduce
from typing import NamedTuple

from netcompiler.graph import Node
from netcompiler.instructions.op import Shape
from netcompiler.lowering import Lowering, key_of
from netcompiler.plan import Value
from netcompiler.recipe import Augmentation, Recipe
from netcompiler.scalar import Expr, add, cast, compare, index, maximum, mul, operand, operands, select, unary, uniform, wrap

Rows = tuple[tuple[Expr, ...], ...]


class Sampling(NamedTuple):
    """y(p) = x(A p + b), p counted from the centre: the rows of A, each with its part of b behind. `mirrors`: A does nothing else."""

    kind: str
    rows: Rows
    size: Shape
    filter: str = "nearest"
    border: str = "zero"
    mirrors: bool = False

    def then(self, other: Sampling) -> Sampling | None:
        """Both in one, where one of them mirrors: what the first leaves out the second could not have read."""
        if not (self.mirrors or other.mirrors):
            return None
        main = other if self.mirrors else self
        kind, mirrors = f"{self.kind}, {other.kind}", self.mirrors and other.mirrors
        return main._replace(kind=kind, rows=chained(self.rows, other.rows), mirrors=mirrors)


def chained(outer: Rows, inner: Rows) -> Rows:
    """A (A' p + b') + b"""
    *columns, behind = zip(*inner, strict=True)
    return tuple((*(_dot(row, column) for column in columns), _dot(row, behind) + row[-1]) for row in outer)


def _dot(row: Sequence[Expr], column: Sequence[Expr]) -> Expr:
    return reduce(add, map(mul, row, column))


class Pictures:
    """The pictures of a batch while they are changed, and the numbers that were drawn for it: expressions over `drawn`.

    `net` are the sides that the first layer reads, `slot` those of what is fed."""

    def __init__(self, at: Lowering, recipe: Recipe, node: Node, slot: Shape, bytes: bool) -> None:
        self.at, self.recipe, self.net = at, recipe, node.shape[1:]
        self._bytes = bytes
        dtype = "u8" if bytes else at.b.dtype
        self._values = at.state(f"in.{node.name}", "inputs", dtype, (at.batch, *slot, node.shape[0])).value
        self.scale = self._scale(node) if recipe.normalize else []
        self.drawn: list[Value] = []
        self.mixes: list[Value] = []
        self._waiting: Sampling | None = None
        self._choice: list[Expr] = []
        self._turns: Counter[str] = Counter()

    def _scale(self, node: Node) -> list[Value]:
        """Mean and deviation of each channel: state, for `auto` measures them on the pictures to train on."""
        assert self.recipe.normalize
        self.at.b.origin = "normalize"
        pairs = zip(("mean", "std"), self.recipe.normalize.starts(), strict=True)
        channels, dtype = node.shape[:1], self.at.b.dtype
        return [self.at.state(f"{name}.{node.name}", "normalization", dtype, channels, start=start).value for name, start in pairs]

    # what they are

    @property
    def sides(self) -> Shape:
        return self._waiting.size if self._waiting else self._values.shape[1:-1]

    @property
    def values(self) -> Value:
        """The pictures as they are by now."""
        if self._waiting:
            self._sample(self._waiting)
        return self._values

    def numbers(self) -> Value:
        """The pictures as numbers from 0 to 1."""
        x = self.values
        if self._bytes:
            self._bytes, self._values = False, self.at.map(operand(0) / 255, x)
        return self._values

    def normalized(self) -> Value:
        """Each channel less its mean, over its deviation."""
        if self.scale:
            self.change((operand(0) - operand(1)) / operand(2), *self.scale)
        return self.numbers()

    def centre(self) -> None:
        """The window of the net's size in the middle; the odd one out is behind."""
        x = self.values
        begin = [(have - want) // 2 for have, want in zip(self.sides, self.net, strict=True)]
        end = [low + want for low, want in zip(begin, self.net, strict=True)]
        self._values = self.at.b.slice(x, (0, *begin, 0), (x.shape[0], *end, x.shape[-1]))

    # numbers by chance

    def draw(self, kind: str, count: int) -> list[Expr]:
        """Numbers in [0, 1) for each picture: a function of its place in the data and the epoch."""
        places = self.at.state("places", "inputs", "i64", (self.at.batch, 1), start=tuple(range(self.at.batch))).value
        return self._uniform(kind, places, self.at.control("epoch", "i64"), self.at.batch, count)

    def draw_once(self, kind: str, count: int) -> list[Expr]:
        """Numbers in [0, 1) for the batch: a function of the step, the same for all parts of its batch."""
        return self._uniform(f"batch {kind}", self.at.b.constant(0, dtype="i64"), self.at.control("tick", "i64"), 1, count)

    def _uniform(self, kind: str, row: Value, tick: Value, rows: int, count: int) -> list[Expr]:
        """Columns of one stream of bits; no layer has the empty name."""
        self._turns[kind] += 1
        bits = self.at.b.emit("random", row, tick, key=key_of("", f"{kind} {self._turns[kind]}"), rows=rows, columns=count)
        first = len(self.drawn)
        self.drawn += [self.at.b.slice(bits, (0, column), (rows, column + 1)) for column in range(count)]
        return [uniform(operand(first + column)) for column in range(count)]

    def chosen(self, mixture: Augmentation) -> Expr:
        """Whether a batch has this one, of all mixtures that the recipe names."""
        mixtures = [augmentation for augmentation in self.recipe.augment if augmentation.mixes]
        if len(mixtures) == 1:
            return wrap(1)
        self._choice = self._choice or self.draw_once("mixture", 1)
        own = next(place for place, other in enumerate(mixtures) if other is mixture)
        return compare("eq", unary("floor", self._choice[0] * len(mixtures)), wrap(own))

    def known(self, expr: Expr) -> Expr:
        """The same number, computed once for all that read it."""
        self.drawn.append(self._number(expr))
        return operand(len(self.drawn) - 1)

    def number(self, expr: Expr) -> Value:
        """An expression over what was drawn: one for each picture or for all, with as many axes as the pictures have."""
        found = self._number(expr)
        return self.at.b.reshape(found, (found.shape[0], *(1,) * (len(self.sides) + 1)))

    def _number(self, expr: Expr) -> Value:
        rows = max((self.drawn[i].shape[0] for i in operands(expr)), default=1)
        return self.at.map(expr, *self.drawn, shape=(rows, 1))

    # changes

    def change(self, expr: Expr, *values: Value) -> None:
        """Operand 0 of the expression is the pictures, the values are the others."""
        x = self.numbers()
        self._values = self.at.map(expr, x, *values, shape=x.shape)

    def sample(self, kind: str, rows: Rows, size: Shape, filter: str = "nearest", border: str = "zero", mirrors: bool = False) -> None:
        """Motions wait for what comes behind them: a mirror is part of the sampling beside it."""
        sampling = Sampling(kind, rows, size, filter, border, mirrors)
        joined = self._waiting.then(sampling) if self._waiting else None
        if self._waiting and not joined:
            self._sample(self._waiting)
        self._waiting = joined or sampling

    def _sample(self, sampling: Sampling) -> None:
        """Bytes are sampled as they are: those that only change their place stay bytes, and between them lie numbers up to 255."""
        self._waiting = None
        b, batch = self.at.b, self.at.batch
        b.origin, behind = f"augment {sampling.kind}", b.origin
        entries = [b.map(entry, *self.drawn, shape=(batch, 1)) for row in sampling.rows for entry in row]
        affine = b.reshape(b.emit("concat", *entries, axis=1), (batch, len(sampling.rows), len(sampling.rows[0])))
        self._values = b.emit("resample", self._values, affine, size=sampling.size, filter=sampling.filter, border=sampling.border)
        b.origin = behind

    # mixtures

    def mix(self, share: Value) -> None:
        """From now on a target is so much its own, and the rest that of the other picture."""
        self.mixes.append(self.at.b.reshape(share, (1, 1)))

    def mixed(self, target: Value) -> Value:
        """Targets after all mixtures."""
        for share in self.mixes:
            share = self.at.b.reshape(share, (1,) * len(target.shape))
            target = self.at.map(operand(2) * operand(0) + (1 - operand(2)) * operand(1), target, self.other(target), share)
        return target

    def other(self, rows: Value) -> Value:
        """For each row the one that it is mixed with: pairs of neighbours change places; a last one without takes the row before it."""
        i, valid = index(0), operand(0)
        neighbour = i + 1 - 2 * (i - 2 * unary("floor", i / 2))
        there = select(compare("lt", neighbour, valid), neighbour, maximum(i - 1, wrap(0)))
        return self.at.b.emit("take", rows, self.at.map(cast(there, "i32"), self.at.valid, shape=(self.at.batch,)))


def slot_sides(recipe: Recipe, node: Node, mode: str) -> Shape:
    """The net's own; where training cuts windows out of larger pictures, theirs."""
    own = node.shape[1:]
    given = recipe.data.sides() if recipe.data else None
    if mode == "infer" or given is None or len(given) != len(own) or not any(augmentation.cuts for augmentation in recipe.augment):
        return own
    return tuple(map(max, own, given))

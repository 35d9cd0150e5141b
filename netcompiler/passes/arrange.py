"""Offsets for runs of bytes that live for a while, in as little room as can be found: several orders of placing are tried."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

MANY, LARGEST = 3000, 1200
"""Up to so many lives, and so many large ones, all orders are tried; past it the quickest one stands."""

TURNS, PAIRS = 100, 2_000_000
"""How often an order is improved at most, and how many pairs of lives are looked at for it."""

LARGE = 2000
"""A life is large that takes this part of the room or more; the others fill what gaps are left."""

SPAN = 64
"""Lives are looked up by the stretch of so many instructions in which they are."""


@dataclass(eq=False)
class Life:
    """A run of bytes: from the instruction that writes it to the last that reads it."""

    root: str
    size: int
    begin: int
    end: int
    offset: int = 0


Order = Callable[[Life], tuple[int, int]]

ORDERS: tuple[Order, ...] = (
    lambda life: (-life.size, life.begin),
    lambda life: (-life.size * (life.end - life.begin + 1), life.begin),
    lambda life: (life.begin - life.end, -life.size),
)
"""Largest first; what takes most over time first; longest first."""


def arrange(lives: Sequence[Life], enough: int = 0) -> int:
    """Gives all lives their offsets; the bytes that they take together. What is not more than `enough` is not improved."""
    least, size = bound(lives), _in_order(lives)
    best = [life.offset for life in lives]
    for order in _orders(lives, least):
        if size <= max(least, enough):
            break
        found = _packed(order)
        if found < size:
            size, best = found, [life.offset for life in lives]
    for life, offset in zip(lives, best, strict=True):
        life.offset = offset
    return size


def _orders(lives: Sequence[Life], least: int) -> Iterator[list[Life]]:
    """Orders to place in; whoever came to lie highest is placed first the next time."""
    large = [life for life in lives if LARGE * life.size >= least]
    small = sorted((life for life in lives if LARGE * life.size < least), key=ORDERS[0])
    for key in ORDERS if len(lives) <= MANY and len(large) <= LARGEST else ():
        order = [*sorted(large, key=key), *small]
        for _ in range(1 + min(TURNS, PAIRS // max(1, len(lives)) ** 2)):
            yield order
            highest = max(range(len(order)), key=lambda at: order[at].offset + order[at].size)
            order.insert(0, order.pop(highest))


def bound(lives: Sequence[Life]) -> int:
    """The bytes that live at once at the fullest moment: no arena can be smaller."""
    change: dict[int, int] = {}
    for life in lives:
        change[life.begin] = change.get(life.begin, 0) + life.size
        change[life.end + 1] = change.get(life.end + 1, 0) - life.size
    now = most = 0
    for moment in sorted(change):
        now += change[moment]
        most = max(most, now)
    return most


def _packed(lives: Sequence[Life]) -> int:
    """One after another, each at the lowest place that is free while it lives."""
    stretches: dict[int, list[Life]] = {}
    top = 0
    for life in lives:
        own = [stretches.setdefault(at, []) for at in range(life.begin // SPAN, life.end // SPAN + 1)]
        life.offset = 0
        for other in own[0] if len(own) == 1 else sorted(set(chain.from_iterable(own)), key=_offset):
            if other.begin <= life.end and life.begin <= other.end:
                if life.offset + life.size <= other.offset:
                    break
                life.offset = max(life.offset, other.offset + other.size)
        top = max(top, life.offset + life.size)
        for stretch in own:
            insort(stretch, life, key=_offset)
    return top


def _offset(life: Life) -> int:
    return life.offset


def _in_order(lives: Sequence[Life]) -> int:
    """As an allocator would while the program runs: the smallest gap that fits, else the end."""
    gaps = _Gaps()
    top = 0
    dying = sorted(lives, key=lambda life: life.end)
    dead = 0
    for life in sorted(lives, key=lambda life: life.begin):
        while dying[dead].end < life.begin:
            gaps.add(dying[dead].offset, dying[dead].size)
            dead += 1
        offset = gaps.take(life.size)
        if offset is None:
            offset = gaps.tail(top)
            top = offset + life.size
        life.offset = offset
    return top


class _Gaps:
    """Free runs of bytes, joined with their neighbours."""

    def __init__(self) -> None:
        self.ends: dict[int, int] = {}
        self.begins: dict[int, int] = {}
        self.by_size: list[tuple[int, int]] = []

    def add(self, begin: int, size: int) -> None:
        end = begin + size
        if begin in self.begins:
            begin = self._remove(self.begins[begin])
        if end in self.ends:
            after = self.ends[end]
            self._remove(end)
            end = after
        self.ends[begin], self.begins[end] = end, begin
        insort(self.by_size, (end - begin, begin))

    def take(self, size: int) -> int | None:
        """The begin of the smallest gap that fits, which is then less by so much."""
        at = bisect_left(self.by_size, (size, 0))
        if at == len(self.by_size):
            return None
        begin = self.by_size[at][1]
        end = self.ends[begin]
        self._remove(begin)
        if begin + size < end:
            self.add(begin + size, end - begin - size)
        return begin

    def tail(self, top: int) -> int:
        """Where the last gap begins, if it reaches to the top: what comes next may begin there."""
        return self._remove(self.begins[top]) if top in self.begins else top

    def _remove(self, begin: int) -> int:
        end = self.ends.pop(begin)
        del self.begins[end]
        del self.by_size[bisect_left(self.by_size, (end - begin, begin))]
        return begin

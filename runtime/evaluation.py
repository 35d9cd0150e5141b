"""The loss and the metrics of a net over all rows that there are."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import TypeVar

from runtime.data.feeder import Feeder
from runtime.interruption import Interruption
from runtime.metrics import Figures, Means
from runtime.session import Session

T = TypeVar("T")


def evaluate(session: Session, feeder: Feeder, interruption: Interruption | None = None) -> Figures:
    """The loss and the metrics over all rows; nothing where it was interrupted."""
    means = Means()
    begun = (
        (session.begin_evaluation(inputs, targets), len(places))
        for places, (inputs, targets) in feeder.batches(session.plan.batch)
        if len(places)
    )
    for figures, rows in late(begun, session.device.behind):
        if interruption and interruption.asked:
            return {}
        means.add(figures(), rows)
    return means.figures()


def late(items: Iterable[T], many: int) -> Iterator[T]:
    """Each item when so many more have been taken, or there are no more."""
    waiting: deque[T] = deque()
    for item in items:
        waiting.append(item)
        if len(waiting) > many:
            yield waiting.popleft()
    yield from waiting

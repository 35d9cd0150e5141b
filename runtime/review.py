"""What weights do beyond figures: who is taken for whom, the worst mistakes, the filters of the first layer."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

import numpy as np

from runtime.arrays import Array
from runtime.data.feeder import Feeder
from runtime.panel import answers
from runtime.png import png, shown, tiled
from runtime.session import Session
from runtime.tally import CHOICE, Choices

MOST = 10_000
"""Pictures that are looked at."""
WORST = 24
FILTERS = 144


@dataclass(frozen=True, order=True)
class Mistake:
    """A picture by its place, its class, what it was taken for, and the probability that the net gave to its class."""

    right: float
    place: int
    label: int
    called: int
    probability: float
    picture: bytes = field(compare=False)


@dataclass(frozen=True)
class Review:
    """`confusion[label][called]` are numbers of pictures; empty where the net does not choose among classes."""

    pictures: int
    confusion: list[list[int]]
    worst: list[Mistake]
    filters: bytes
    """A picture of them; nothing where they are no pictures."""


def review(session: Session, test: Feeder) -> Review:
    count = min(MOST, len(test))
    output, classes = _choosing(session)
    if not output:
        return Review(0, [], [], filters(session))
    counted = Choices(classes)
    worst: list[tuple[float, int, Mistake]] = []
    for places, (inputs, targets) in test.batches(session.plan.batch, np.arange(count)):
        if not len(places):  # all of its rows are bad
            continue
        shares = answers(session, {output: CHOICE}, inputs)[output]
        labels, called = targets[output], shares.argmax(axis=1)
        counted.add(shares, labels)
        for row in np.flatnonzero(labels != called):
            label, other = int(labels[row]), int(called[row])
            right = float(shares[row, label])
            if len(worst) == WORST and -right < worst[0][0]:
                continue
            picture = _picture(next(iter(inputs.values()))[row])
            mistake = Mistake(right, int(places[row]), label, other, float(shares[row, other]), picture)
            (heapq.heappush if len(worst) < WORST else heapq.heappushpop)(worst, (-right, -mistake.place, mistake))
    return Review(count, counted.confusion.tolist(), sorted(mistake for *_, mistake in worst), filters(session))


def filters(session: Session) -> bytes:
    """Those of the first layer that has some with one channel or three, each by itself from its darkest to its lightest."""
    for weights in session.parameters(average=True).values():
        if weights.ndim == 4 and max(weights.shape[2:]) > 1:
            pictures = [picture for each in weights[:FILTERS] if (picture := shown(each)) is not None]
            return png(tiled(pictures, between=255)) if pictures else b""
    return b""


def _choosing(session: Session) -> tuple[str, int]:
    """The first output that chooses one class for the whole picture, and among how many."""
    for name, classes in session.plan.classes.items():
        value = session.plan.states[name].value
        if value.dtype == "i32" and value.elements == value.shape[0]:
            return name.partition(".")[2], classes
    return "", 0


def _picture(values: Array) -> bytes:
    picture = shown(np.asarray(values, np.float32))
    return b"" if picture is None else png(picture)

"""Nets that answer together: each is shown the same pictures in its own way, in one view or several, and the probabilities are averaged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from runtime.arrays import Array
from runtime.data.faults import DataError
from runtime.data.feeder import Feeder
from runtime.session import Session
from runtime.tally import CHOICE, Tally, prediction, tally
from runtime.views import VIEWS


class Member(NamedTuple):
    """A net with its weights, and what it is measured on. `kinds` say of each output what its scores are."""

    name: str
    session: Session
    test: Feeder
    kinds: Mapping[str, str]

    def answers(self, inputs: Mapping[str, Array], view: str) -> dict[str, Array]:
        """By output, the mean over the views of the first input."""
        first, *others = inputs
        sides = self.session.plan.states[f"in.{first}"].value.shape[1:-1]
        shown = [
            answers(self.session, self.kinds, {first: seen, **{name: inputs[name] for name in others}})
            for seen in VIEWS[view](inputs[first], sides)
        ]
        return averaged(shown)


def answers(session: Session, kinds: Mapping[str, str], inputs: Any) -> dict[str, Array]:
    """The predictions of a batch by output."""
    found = session.run(inputs)
    scores = found if isinstance(found, dict) else dict.fromkeys(kinds, found)
    return {name: prediction(scores[name], kind) for name, kind in kinds.items()}


def averaged(several: Sequence[dict[str, Array]]) -> dict[str, Array]:
    return {name: np.mean([each[name] for each in several], axis=0) for name in several[0]}


def measured(members: Sequence[Member], view: str = "") -> dict[str, Tally]:
    """Each output that is compared with something, over all pictures."""
    check(members, view)
    first = members[0]
    classes = first.session.plan.classes
    found = {name: tally(kind, classes.get(f"target.{name}", 0)) for name, kind in first.kinds.items()}
    for batches in _together(members):
        shown = [member.answers(inputs, view) for member, (inputs, _) in zip(members, batches, strict=True)]
        for name, predictions in averaged(shown).items():
            if name in batches[0][1]:
                found[name].add(predictions, batches[0][1][name])
    return {name: each for name, each in found.items() if f"target.{name}" in first.session.plan.states}


def _together(members: Sequence[Member]) -> Iterator[list[Any]]:
    """The same pictures for each, batch by batch."""
    size = min(member.session.plan.batch for member in members)
    for parts in zip(*(member.test.batches(size) for member in members), strict=True):
        places, (_, targets) = parts[0]
        for member, (others, (_, theirs)) in zip(members, parts, strict=True):
            if not np.array_equal(places, others) or any(not np.array_equal(targets[name], theirs[name]) for name in targets):
                raise DataError(_apart(members[0], member))
        if len(places):
            yield [batch for _, batch in parts]


def check(members: Sequence[Member], view: str) -> None:
    """DataError where nets cannot vote, or not in this view."""
    first = members[0]
    for other in members[1:]:
        if dict(other.kinds) != dict(first.kinds) or other.session.plan.classes != first.session.plan.classes:
            raise DataError(f"{first.name} and {other.name} have outputs that differ: nets vote where they answer the same question")
        if not np.array_equal(first.test.rows.picked, other.test.rows.picked):
            raise DataError(_apart(first, other))
    for name in first.kinds if view else ():
        if first.kinds[name] != CHOICE or len(first.session.plan.states[f"target.{name}"].value.shape) > 2:
            raise DataError(f"views change where things are, and {name} says where: only classes of whole pictures are voted on")
    for member in members if view else ():
        if len(next(iter(member.test.wants.values())).shape) != 3:
            raise DataError(f"{member.name} reads no pictures, and views are of pictures")


def _apart(one: Member, other: Member) -> str:
    return (
        f"{one.name} and {other.name} hold out other pictures, for their data or seeds differ: "
        "name what to measure on, that neither was trained on, with --data"
    )

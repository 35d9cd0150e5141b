"""A recipe's data made ready for a plan: read, split, fitted, measured; all that does not fit is refused here, before anything runs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from netcompiler.plan import Plan
from runtime.data import resident
from runtime.data.faults import BadRow, DataError, Faults
from runtime.data.feeder import Feeder, fitted
from runtime.data.fields import Field
from runtime.data.order import held_out
from runtime.data.resident import Fitted
from runtime.data.rows import Rows, Sets
from runtime.data.scale import Scale, scale
from runtime.data.source import read
from runtime.data.wanted import INPUT, wanted

if TYPE_CHECKING:
    from netcompiler.recipe import Recipe


class Material(NamedTuple):
    """`shape` is that of a picture before it was fitted; `classes` are names, where the data has some."""

    train: Feeder
    test: Feeder
    shape: tuple[int, ...]
    classes: tuple[str, ...]
    faults: Faults


def prepare(plan: Plan, recipe: Recipe, fields: Mapping[str, str], threads: int | None = None) -> Material:
    """`fields` are the data's for each input and target of the plan, the first input before all."""
    faults = Faults(recipe.on_bad_data)
    sets = _read(plan, recipe, fields, faults)
    train, test = _split(sets, _share(recipe), recipe.seed)
    readers = [_fitted(plan, recipe, rows, fields) for rows in (train, test)]
    first = _first(fields)
    found = scale(recipe.normalize, readers[0][first], train.picked)
    scales, room = {first: found} if found else {}, resident.room() // 2
    feeders = [
        Feeder(rows, reader, scales, faults, cores() if threads is None else threads, room)
        for rows, reader in zip((train, test), readers, strict=True)
    ]
    return Material(feeders[0], feeders[1], _shape(train.fields[fields[first]]), sets.classes, faults)


class Tested(NamedTuple):
    test: Feeder
    classes: tuple[str, ...]


def to_test(
    plan: Plan, recipe: Recipe, fields: Mapping[str, str], scales: Mapping[str, Scale], other: bool = False, sides: Sequence[int] = ()
) -> Tested:
    """What training validates on; of `other` data than training's the part that is for testing, or all of it.

    With `sides` the first input is read larger than the net takes it."""
    faults = Faults(recipe.on_bad_data)
    sets = _read(plan, recipe, fields, faults)
    share = 0 if other else _share(recipe)
    test = _split(sets, share, recipe.seed)[1] if share or sets.test else sets.train
    return Tested(Feeder(test, _fitted(plan, recipe, test, fields, sides), scales, faults, cores()), sets.classes)


def cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _share(recipe: Recipe) -> float:
    return recipe.validation.share if recipe.validation else 0


def _fitted(plan: Plan, recipe: Recipe, rows: Rows, fields: Mapping[str, str], sides: Sequence[int] = ()) -> dict[str, Fitted]:
    wants = wanted(plan)
    first = _first(fields)
    if sides:
        wants[first] = wants[first]._replace(shape=(*wants[first].shape[:1], *sides))
    return fitted(rows, fields, wants, getattr(recipe.data, "resize", None))


def _first(fields: Mapping[str, str]) -> str:
    """The input that augmentation and normalization are about."""
    return next(name for name in fields if name.startswith(INPUT))


def _read(plan: Plan, recipe: Recipe, fields: Mapping[str, str], faults: Faults) -> Sets:
    assert recipe.data
    wants = wanted(plan)
    sets = read(recipe.data, {field: wants[name] for name, field in fields.items()}, recipe.seed, faults)
    most = max((want.classes or 0 for want in wants.values()), default=0)
    if most and len(sets.classes) > most:
        some = ", ".join(sets.classes[:5]) + (", …" if len(sets.classes) > 5 else "")
        raise DataError(f"the data has {len(sets.classes):,} classes ({some}), and the net's output {most:,}: give it one for each class")
    return sets


def _split(sets: Sets, share: float, seed: int) -> tuple[Rows, Rows]:
    if not share:
        if sets.test is None:
            raise DataError("the data sets nothing apart for the validation: write validation: {share: 0.1}")
        return sets.train, sets.test
    if len(sets.train) < 2:
        raise DataError("one picture cannot be split into a part to train on and one to validate on")
    kept, apart = held_out(len(sets.train), share, seed)
    return sets.train.at(kept), sets.train.at(apart)


def _shape(field: Field) -> tuple[int, ...]:
    """Of the first row that can be read."""
    for place in range(len(field)):
        try:
            return tuple(field.raw(place).shape)
        except BadRow:
            continue
    raise DataError(f"no row of {field.name} can be read")

"""A recipe's data made ready for a plan: read, split, fitted, normalized; all that does not fit is refused here, before anything runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from netcompiler.plan import Plan
from runtime.data.feeder import Feeder, fitted
from runtime.data.order import held_out
from runtime.data.rows import DataError, Rows, Sets
from runtime.data.scale import Scale, scale
from runtime.data.source import read
from runtime.data.wanted import INPUT, wanted

if TYPE_CHECKING:
    from netcompiler.recipe import Recipe


class Material(NamedTuple):
    """`shape` is that of a picture before it was fitted."""

    train: Feeder
    test: Feeder
    shape: tuple[int, ...]


def prepare(plan: Plan, recipe: Recipe, fields: Mapping[str, str]) -> Material:
    """`fields` are the data's for each input and target of the plan, the first input before all."""
    sets = _read(plan, recipe, fields)
    share = recipe.validation.share if recipe.validation else 0
    train, test = _split(sets, share, recipe.seed)
    wants, resize = wanted(plan), getattr(recipe.data, "resize", None)
    fit = fitted(train, fields, wants, resize)
    first = next(name for name in fields if name.startswith(INPUT))
    found = scale(recipe.normalize, fit.fields[first])
    scales = {first: found} if found else {}
    return Material(
        Feeder(fit, wants, scales), Feeder(fitted(test, fields, wants, resize), wants, scales), train.fields[fields[first]].shape[1:]
    )


def to_test(plan: Plan, recipe: Recipe, fields: Mapping[str, str], scales: Mapping[str, Scale]) -> Feeder:
    """What training validates on; of data that sets nothing apart, all of it."""
    sets = _read(plan, recipe, fields)
    share = recipe.validation.share if recipe.validation else 0
    test = _split(sets, share, recipe.seed)[1] if share or sets.test else sets.train
    wants = wanted(plan)
    return Feeder(fitted(test, fields, wants, getattr(recipe.data, "resize", None)), wants, scales)


def _read(plan: Plan, recipe: Recipe, fields: Mapping[str, str]) -> Sets:
    assert recipe.data
    wants = wanted(plan)
    return read(recipe.data, {field: wants[name] for name, field in fields.items()}, recipe.seed)


def _split(sets: Sets, share: float, seed: int) -> tuple[Rows, Rows]:
    if not share:
        if sets.test is None:
            raise DataError("the data sets nothing apart for the validation: write validation: {share: 0.1}")
        return sets.train, sets.test
    if len(sets.train) < 2:
        raise DataError("one picture cannot be split into a part to train on and one to validate on")
    kept, apart = held_out(len(sets.train), share, seed)
    return sets.train.at(kept), sets.train.at(apart)

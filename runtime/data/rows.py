"""What a source gives: rows of named fields, some to train on and some to test on. Read next: fields.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from runtime.data.faults import DataError
from runtime.data.fields import Field
from runtime.data.fit import Array


@dataclass(frozen=True)
class Rows:
    """Fields of one length by name, and which of their rows are meant, in order; without `picked` all of them."""

    fields: Mapping[str, Field]
    picked: Array = field(default_factory=lambda: np.zeros(0, np.int64))

    def __post_init__(self) -> None:
        lengths = {name: len(field) for name, field in self.fields.items()}
        if len(set(lengths.values())) > 1:
            raise DataError(f"fields have different lengths: {', '.join(f'{name} {n:,}' for name, n in lengths.items())}")
        if not self.picked.size:
            object.__setattr__(self, "picked", np.arange(next(iter(lengths.values()), 0)))
        if not len(self):
            raise DataError(f"there are no rows in {next(iter(self.fields.values())).name if self.fields else 'it'}")

    def __len__(self) -> int:
        return len(self.picked)

    def at(self, places: Array) -> Rows:
        if not len(places):
            raise DataError("no row is left: all of them are bad")
        return Rows(self.fields, self.picked[places])


@dataclass(frozen=True)
class Sets:
    """`test` is what the publisher set apart; where nothing was, None. `classes` are their names, where there are some."""

    train: Rows
    test: Rows | None
    classes: tuple[str, ...] = ()

"""What a source gives: rows of named fields, some to train on and some to test on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


class DataError(Exception):
    """Data that cannot be read, or that does not fit the net."""


@dataclass(frozen=True)
class Rows:
    """Fields of one length by name. Pictures are channels first; uint8 is 0 to 255 for 0 to 1."""

    fields: Mapping[str, Array]

    def __post_init__(self) -> None:
        lengths = {name: len(field) for name, field in self.fields.items()}
        if len(set(lengths.values())) > 1:
            raise DataError(f"fields have different lengths: {', '.join(f'{name} {n:,}' for name, n in lengths.items())}")
        if not len(self):
            raise DataError("there are no rows in it")

    def __len__(self) -> int:
        return len(next(iter(self.fields.values())))

    def at(self, places: Array) -> Rows:
        return Rows({name: field[places] for name, field in self.fields.items()})


@dataclass(frozen=True)
class Sets:
    """`test` is what the publisher set apart; where nothing was, None."""

    train: Rows
    test: Rows | None
    classes: tuple[str, ...] = ()

"""What is in a source of data: every row is read once, and what cannot be is named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from runtime.data.ahead import ahead
from runtime.data.faults import BadRow, Fault, Faults
from runtime.data.fields import Field, Table
from runtime.data.fit import Array
from runtime.data.rows import Rows, Sets
from runtime.data.scale import Moments, merged, moments

CHUNK = 256
FEW = 1000
"""Whole numbers are counted one by one where there are no more of them than this: then they are classes."""

Shape = tuple[int, ...]


@dataclass
class Look:
    """A field over all its rows. Moments are of each channel, and of pictures with the most frequent number of channels."""

    dtype: str = ""
    shapes: Counter[Shape] = field(default_factory=Counter)
    values: Counter[int] = field(default_factory=Counter)
    moments: dict[int, Moments] = field(default_factory=dict)

    def add(self, rows: Array) -> None:
        """Rows of one shape."""
        self.dtype = str(rows.dtype)
        self.shapes[rows.shape[1:]] += len(rows)
        if rows.ndim == 1 and rows.dtype.kind in "iu":
            numbers, counts = np.unique(rows, return_counts=True)
            self.values.update(dict(zip(numbers.tolist(), counts.tolist(), strict=True)))
        found = moments(rows if rows.ndim > 1 else rows[:, None])
        known = self.moments.get(len(found[1]))
        self.moments[len(found[1])] = merged(known, found) if known else found

    @property
    def classes(self) -> Mapping[int, int] | None:
        """How many rows have each number, those without a row among them."""
        if not self.values or min(self.values) < 0 or max(self.values) >= FEW:
            return None
        return {number: self.values[number] for number in range(max(self.values) + 1)}

    def as_json(self) -> dict[str, Any]:
        if not self.shapes:
            return {"rows": 0}
        count, mean, squares = max(self.moments.values(), key=lambda found: found[0])
        sides = np.array([shape for shape in self.shapes if len(shape) == len(self.usual)])
        return {
            "rows": self.shapes.total(),
            "type": self.dtype,
            "shape": list(self.usual),
            "smallest": sides.min(axis=0).tolist(),
            "largest": sides.max(axis=0).tolist(),
            "mean": mean.tolist(),
            "deviation": np.sqrt(squares / count).tolist(),
        }

    @property
    def usual(self) -> Shape:
        """The most frequent shape."""
        return self.shapes.most_common(1)[0][0]


@dataclass
class Part:
    """Rows to train on, or to test on."""

    rows: int
    fields: dict[str, Look]


def inspect(sets: Sets, faults: Faults, threads: int) -> dict[str, Part]:
    parts = {"train": sets.train, **({"test": sets.test} if sets.test else {})}
    return {name: _part(rows, faults, threads) for name, rows in parts.items()}


def _part(rows: Rows, faults: Faults, threads: int) -> Part:
    return Part(len(rows), {name: _look(field, rows.picked, faults, threads) for name, field in rows.fields.items()})


def _look(field: Field, picked: Array, faults: Faults, threads: int) -> Look:
    look = Look()
    chunks = (picked[at : at + CHUNK] for at in range(0, len(picked), CHUNK))
    for found in ahead(lambda places: list(_read(field, places)), chunks, 0 if isinstance(field, Table) else threads):
        for rows in found:
            if isinstance(rows, Fault):
                faults.add(rows)
            else:
                look.add(rows)
    return look


def _read(field: Field, places: Array) -> Iterator[Array | Fault]:
    """All rows at once where they have one shape and are good, else one by one."""
    if isinstance(field, Table):
        rows = field.rows(places)
        if rows.dtype.kind != "f" or np.isfinite(rows).all():
            yield rows
            return
    for place in places.tolist():
        try:
            yield field.raw(place)[None]
        except BadRow as bad:
            yield Fault(field.where(place), str(bad))

"""Fitted rows -> batches as a session takes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from runtime.data.fit import Resize, fit
from runtime.data.rows import Array, DataError, Rows
from runtime.data.scale import Scale
from runtime.data.wanted import INPUT, TARGET, Wanted

Batch = tuple[dict[str, Array], dict[str, Array]]


def fitted(rows: Rows, fields: Mapping[str, str], wants: Mapping[str, Wanted], resize: Resize) -> Rows:
    """Rows whose fields are called like the plan's states, each of the shape that the plan reads; `fields` says which goes where."""
    for name, source in fields.items():
        if source not in rows.fields:
            raise DataError(f"the data has no field `{source}` for {name}; it has {', '.join(rows.fields)}")
    return Rows({name: fit(rows.fields[source], wants[name], resize, source) for name, source in fields.items()})


@dataclass(frozen=True)
class Feeder:
    """Batches of inputs and targets by name, normalized."""

    rows: Rows
    wants: Mapping[str, Wanted]
    scales: Mapping[str, Scale] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.rows)

    def batch(self, places: Array) -> Batch:
        values = {name: self._value(name, array[places]) for name, array in self.rows.fields.items()}
        return _named(values, INPUT), _named(values, TARGET)

    def batches(self, size: int, order: Array | None = None) -> Iterator[tuple[Array, Batch]]:
        """The places of the rows in each batch, and the batch; the last one may be smaller."""
        order = np.arange(len(self)) if order is None else order
        for first in range(0, len(order), size):
            places = order[first : first + size]
            yield places, self.batch(places)

    def _value(self, name: str, x: Array) -> Array:
        if self.wants[name].classes:
            return x
        scale = self.scales.get(name)
        return (scale(x) if scale else x).reshape(len(x), *self.wants[name].shape)


def _named(values: Mapping[str, Array], prefix: str) -> dict[str, Array]:
    return {name.removeprefix(prefix): value for name, value in values.items() if name.startswith(prefix)}

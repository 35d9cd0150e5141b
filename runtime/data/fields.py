"""A field of the data: a value for each row. Arrays lie in memory or in a mapped file; what is packed is read when it is wanted.

Fields know nothing of order, batches and threads; a reading is a function of its places.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from runtime.data.faults import BadRow, DataError, Fault
from runtime.data.fit import Array, Form, fit

Shape = tuple[int, ...]
TRIED = 10


class Reading(NamedTuple):
    """A value for each place, zeros where there is a fault; faults by their position among the places."""

    values: Array
    faults: Mapping[int, Fault]


class Field(Protocol):
    name: str
    """What messages call it: a file, or a folder."""

    def __len__(self) -> int: ...

    def where(self, place: int) -> str:
        """What messages call a row."""

    def raw(self, place: int) -> Array:
        """A row as it is, channels first; BadRow."""

    def read(self, places: Array, form: Form) -> Reading:
        """Rows as the net reads them."""

    def check(self, form: Form) -> None:
        """DataError where the field as a whole, judged by its first row, cannot be read so."""


class Table:
    """An array with a row for each place, in memory or mapped. uint8 is 0 to 255 for 0 to 1; pictures are channels first."""

    def __init__(self, name: str, array: Array, *more: Array, where: Callable[[int], str] | None = None) -> None:
        self.name = name
        self._where = where
        self.parts = (array, *more)
        self.begins = np.cumsum([0, *map(len, self.parts)])
        if any(part.shape[1:] != array.shape[1:] or part.dtype != array.dtype for part in more):
            found = sorted({f"{part.dtype} {list(part.shape[1:])}" for part in self.parts})
            raise DataError(f"{name}: parts differ: {', '.join(found)}")

    def __len__(self) -> int:
        return int(self.begins[-1])

    @property
    def shape(self) -> Shape:
        return tuple(self.parts[0].shape[1:])

    def where(self, place: int) -> str:
        return self._where(place) if self._where else f"{self.name}: row {place}"

    def raw(self, place: int) -> Array:
        row: Array = self.rows(np.array([place]))[0]
        if row.dtype.kind == "f" and not np.isfinite(row).all():
            raise BadRow("it holds a value that is not finite")
        return row

    def rows(self, places: Array) -> Array:
        if len(self.parts) == 1:
            return self.parts[0][places]
        part = np.searchsorted(self.begins, places, side="right") - 1
        found = np.empty((len(places), *self.shape), self.parts[0].dtype)
        for index in np.unique(part):
            found[part == index] = self.parts[index][places[part == index] - self.begins[index]]
        return found

    def read(self, places: Array, form: Form) -> Reading:
        x = self.rows(places)
        faults = {at: Fault(self.where(int(places[at])), why) for at, why in _bad(x, form).items()}
        return Reading(fit(x, form), faults)

    def check(self, form: Form) -> None:
        fit(self.rows(np.arange(1)), form)


def _bad(x: Array, form: Form) -> dict[int, str]:
    """Rows that no net can learn from: numbers that are not finite, classes that are not there."""
    if x.dtype.kind == "f":
        wrong = ~np.isfinite(x)
    elif form.want.classes and x.dtype.kind in "iu":
        wrong = (x < 0) | (x >= form.want.classes)
    else:
        return {}
    rows = wrong.reshape(len(x), -1).any(axis=1)
    return {int(at): _complaint(x[at][wrong[at]].flat[0], form) for at in np.flatnonzero(rows)}


def _complaint(value: Any, form: Form) -> str:
    classes = form.want.classes
    if classes is None or not float(value).is_integer():
        return f"{form.field} holds a value that is not finite"
    return (
        f"{form.field} is {int(value)}, and the net's {classes} classes are 0 to {classes - 1}: give its output one channel for each class"
    )


class Codec(Protocol):
    """How the bytes of a row become an array."""

    def raw(self, content: bytes) -> Array:
        """All of it, channels first; BadRow."""

    def fitted(self, content: bytes, form: Form) -> Array:
        """As the net reads it, channels first; BadRow."""


class Packed(Protocol):
    """Where the bytes of rows are."""

    def __len__(self) -> int: ...

    def where(self, place: int) -> str: ...

    def content(self, place: int) -> bytes:
        """BadRow."""


class Coded:
    """Rows that lie in files, each in its own code."""

    def __init__(self, name: str, packed: Packed, codec: Codec) -> None:
        self.name = name
        self.packed = packed
        self.codec = codec

    def __len__(self) -> int:
        return len(self.packed)

    def where(self, place: int) -> str:
        return self.packed.where(place)

    def raw(self, place: int) -> Array:
        return self.codec.raw(self.packed.content(place))

    def read(self, places: Array, form: Form) -> Reading:
        rows: dict[int, Array] = {}
        faults: dict[int, Fault] = {}
        for at, place in enumerate(places.tolist()):
            try:
                rows[at] = self.codec.fitted(self.packed.content(place), form)
            except BadRow as bad:
                faults[at] = Fault(self.where(place), str(bad))
        return Reading(_stacked(rows, len(places), form.want.shape), faults)

    def check(self, form: Form) -> None:
        """Single rows may be damaged: that none of the first can be read says that none fits."""
        first = self.read(np.arange(min(len(self), TRIED)), form)
        if len(first.faults) == min(len(self), TRIED):
            raise DataError(str(next(iter(first.faults.values()))))


def _stacked(rows: Mapping[int, Array], count: int, shape: Sequence[int]) -> Array:
    """Channels first to look at and last in memory, as pictures are unpacked and as plans read them."""
    if not rows:
        return np.zeros((count, *shape), np.uint8)
    some = np.moveaxis(next(iter(rows.values())), 0, -1) if shape else next(iter(rows.values()))
    stack = np.zeros((count, *some.shape), some.dtype)
    for at, row in rows.items():
        stack[at] = np.moveaxis(row, 0, -1) if shape else row
    return np.moveaxis(stack, -1, 1) if shape else stack

"""Rows -> batches as a session takes them, read ahead by threads. A batch is a function of its places, and of nothing else."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import NamedTuple

import numpy as np

from runtime.data.ahead import ahead
from runtime.data.faults import DataError, Fault, Faults
from runtime.data.fit import Array, Form, Resize
from runtime.data.resident import Fitted, Resident, kept
from runtime.data.rows import Rows
from runtime.data.scale import Scale
from runtime.data.wanted import INPUT, TARGET, Wanted

Batch = tuple[dict[str, Array], dict[str, Array]]


class Read(NamedTuple):
    """The places that could be read, with their values by state; and what was wrong with the others."""

    places: Array
    values: dict[str, Array]
    faults: list[Fault]


def fitted(rows: Rows, fields: Mapping[str, str], wants: Mapping[str, Wanted], resize: Resize) -> dict[str, Fitted]:
    """By the name of the plan's state; `fields` says which field goes where. States that are the same share one reading."""
    found: dict[str, Fitted] = {}
    for name, source in fields.items():
        if source not in rows.fields:
            raise DataError(f"the data has no field `{source}` for {name}; it has {', '.join(rows.fields)}")
        form = Form(wants[name], resize, source)
        twin = next((other for other in found.values() if other.form == form), None)
        found[name] = twin or Fitted(rows.fields[source], form)
        found[name].field.check(form)
    return found


class Feeder:
    """Batches of inputs and targets by name; places count the rows that are there, from 0.

    `scales` are what the plan is to normalize inputs by."""

    def __init__(
        self,
        rows: Rows,
        readers: Mapping[str, Fitted],
        scales: Mapping[str, Scale] | None = None,
        faults: Faults | None = None,
        threads: int = 0,
        room: int = 0,
    ) -> None:
        self.faults = Faults() if faults is None else faults
        self.rows = _sound(rows, readers, self.faults)
        self.scales = scales or {}
        self.wants = {name: reader.form.want for name, reader in readers.items()}
        each = {id(reader): kept(reader, room) for reader in readers.values()}
        self.readers: dict[str, Fitted | Resident] = {name: each[id(reader)] for name, reader in readers.items()}
        self.threads = 0 if all(reader.quick for reader in each.values()) else threads
        self.waited = 0.0
        """Seconds in which a batch was asked for, and not yet there."""

    def __len__(self) -> int:
        return len(self.rows)

    def batch(self, places: Array) -> Batch:
        return self._delivered(self.read(places))[1]

    def batches(self, size: int, order: Array | None = None) -> Iterator[tuple[Array, Batch]]:
        """The places of the rows in each batch, and the batch; the last one may be smaller, and where bad rows are skipped any.

        A batch of which nothing is left has no places, and comes all the same: batches have numbers."""
        order = np.arange(len(self)) if order is None else order
        jobs = (order[first : first + size] for first in range(0, len(order), size))
        with closing(ahead(self.read, jobs, self.threads)) as found:
            while read := self._awaited(found):
                yield self._delivered(read)

    def _awaited(self, found: Iterator[Read]) -> Read | None:
        begin = time.perf_counter()
        read = next(found, None)
        self.waited += time.perf_counter() - begin
        return read

    def read(self, places: Array) -> Read:
        """What a thread does."""
        raw = {id(reader): reader.read(self.rows.picked[places]) for reader in self.readers.values()}
        bad = {at: fault for reading in reversed(raw.values()) for at, fault in reading.faults.items()}
        good = np.array([at for at in range(len(places)) if at not in bad], np.int64)
        values = {name: self._value(name, raw[id(reader)].values, good if bad else None) for name, reader in self.readers.items()}
        return Read(places[good] if bad else places, values, [bad[at] for at in sorted(bad)])

    def _delivered(self, read: Read) -> tuple[Array, Batch]:
        for fault in read.faults:
            self.faults.add(fault)
        return read.places, (_named(read.values, INPUT), _named(read.values, TARGET))

    def _value(self, name: str, x: Array, good: Array | None) -> Array:
        x = x if good is None else x[good]
        return x if self.wants[name].classes else x.reshape(len(x), *self.wants[name].shape)


def _named(values: Mapping[str, Array], prefix: str) -> dict[str, Array]:
    return {name.removeprefix(prefix): value for name, value in values.items() if name.startswith(prefix)}


def _sound(rows: Rows, readers: Mapping[str, Fitted], faults: Faults) -> Rows:
    """Without rows whose class is none of the net's: labels are small, and looked at before anything begins."""
    for reader in readers.values():
        if reader.quick and reader.form.want.classes and not reader.form.want.shape:
            bad = reader.read(rows.picked).faults
            for fault in bad.values():
                faults.add(fault)
            rows = rows.at(np.array([at for at in range(len(rows)) if at not in bad], np.int64)) if bad else rows
    return rows

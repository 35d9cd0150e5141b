"""Rows that were read once and stay in memory, where all of them have room."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from runtime.data.faults import Fault
from runtime.data.fields import Field, Reading, Table
from runtime.data.fit import Array, Form

SHARE = 4
"""At most one part in so many of the memory that is free."""


class Fitted:
    """A field as the net reads it."""

    def __init__(self, field: Field, form: Form) -> None:
        self.field = field
        self.form = form

    def read(self, places: Array) -> Reading:
        return self.field.read(places, self.form)

    @property
    def quick(self) -> bool:
        """A row is only copied."""
        return isinstance(self.field, Table) and (self.form.resize is None or len(self.field.shape) != 3)


class Resident:
    """The same, each row read once. Threads may read a row at the same time: they write the same into its place."""

    def __init__(self, fitted: Fitted, some: Array) -> None:
        self.fitted = fitted
        count, shape = len(fitted.field), some.shape[1:]
        self.values = np.moveaxis(np.empty((count, *shape[1:], *shape[:1]), some.dtype), -1, 1) if shape else np.empty(count, some.dtype)
        self.known = np.zeros(count, np.bool_)
        self.faults: dict[int, Fault] = {}

    @property
    def quick(self) -> bool:
        return False

    def read(self, places: Array) -> Reading:
        new = places[~self.known[places]]
        if len(new):
            values, faults = self.fitted.read(new)
            self.faults |= {int(new[at]): fault for at, fault in faults.items()}
            self.values[new] = values
            self.known[new] = True
        return Reading(self.values[places], {at: self.faults[p] for at, p in enumerate(places.tolist()) if p in self.faults})


def kept(fitted: Fitted, room: int) -> Fitted | Resident:
    """Resident, where reading takes long and its rows have room in so many bytes."""
    if fitted.quick:
        return fitted
    some = fitted.read(np.arange(1)).values
    return Resident(fitted, some) if some.nbytes * len(fitted.field) <= room else fitted


def room() -> int:
    """Bytes that rows may take."""
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():
        lines = dict(line.split(":", 1) for line in meminfo.read_text().splitlines())
        if "MemAvailable" in lines:
            return int(lines["MemAvailable"].split()[0]) * 1024 // SHARE
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // SHARE

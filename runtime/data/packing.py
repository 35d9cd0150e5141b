"""A source of data -> files of arrays: pictures unpacked, scaled and of one size, so that training only has to map them."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from netcompiler.recipe import Column
from runtime import atomic
from runtime.data.ahead import ahead
from runtime.data.faults import BadRow, DataError, Fault, Faults
from runtime.data.fields import Coded, Field, Table
from runtime.data.fit import Array, Form, Resize, shown
from runtime.data.npz import CLASSES
from runtime.data.picture import Pictures
from runtime.data.rows import Rows, Sets
from runtime.data.wanted import Wanted

CHUNK = 64


class Packed(NamedTuple):
    """The files of each part, and the names of their arrays."""

    parts: dict[str, list[Path]]
    names: dict[str, str]
    rows: int


def pack(sets: Sets, columns: Mapping[str, Column], to: Path, resize: Resize, size: int, faults: Faults, threads: int) -> Packed:
    """Files of about so many bytes. One input and one target are called x and y, as arrays usually are; more keep their names."""
    names = _names(columns)
    sources = {"train": sets.train, **({"test": sets.test} if sets.test else {})}
    try:
        to.mkdir(parents=True)
    except FileExistsError:
        raise DataError(f"{to} is there already, and stays as it is: name another folder") from None
    parts: dict[str, list[Path]] = {}
    count = 0
    for part, rows in sources.items():
        found = _filled(_chunks(rows, names, _readers(rows, names, resize), faults, threads), size)
        parts[part] = []
        for number, arrays in enumerate(found):
            parts[part].append(to / f"{part}-{number:03}.npz")
            atomic.write(parts[part][-1], _npz({**arrays, **({CLASSES: np.array(sets.classes)} if sets.classes else {})}))
            count += len(next(iter(arrays.values())))
    return Packed(parts, names, count)


def _names(columns: Mapping[str, Column]) -> dict[str, str]:
    targets = [name for name, column in columns.items() if column.target]
    inputs = [name for name, column in columns.items() if not column.target]
    return {inputs[0]: "x", targets[0]: "y"} if len(inputs) == len(targets) == 1 else {name: name for name in columns}


class Reader:
    """Rows of one shape: the first one's, or what `resize` asks for; a single side of pictures stands for a square."""

    def __init__(self, field: Field, resize: Resize) -> None:
        self.field = field
        first = _first(field)
        self.shape = first.shape
        self.form: Form | None = None
        if resize is not None and isinstance(field, Coded) and isinstance(field.codec, Pictures):
            sides = resize if isinstance(resize, list) else [resize, resize]
            self.form = Form(Wanted((first.shape[0], *sides)), resize, field.name)

    def row(self, place: int) -> Array:
        if self.form:
            reading = self.field.read(np.array([place]), self.form)
            if reading.faults:
                raise BadRow(reading.faults[0].why)
            return np.asarray(reading.values[0])
        row = self.field.raw(place)
        if row.shape != self.shape:
            raise BadRow(f"it is {shown(row.shape)}, and the first row {shown(self.shape)}: give --resize, where these are pictures")
        return row


Arrays = dict[str, Array]
Readers = Mapping[str, Reader]


def _readers(rows: Rows, names: Mapping[str, str], resize: Resize) -> Readers:
    return {name: Reader(rows.fields[name], resize) for name in names}


def _first(field: Field) -> Array:
    for place in range(len(field)):
        try:
            return field.raw(place)
        except BadRow:
            continue
    raise DataError(f"no row of {field.name} can be read")


def _chunks(rows: Rows, names: Mapping[str, str], readers: Readers, faults: Faults, threads: int) -> Iterator[Arrays]:
    """A few rows at a time, without those that are bad."""
    places = (rows.picked[at : at + CHUNK] for at in range(0, len(rows), CHUNK))
    inline = all(isinstance(reader.field, Table) for reader in readers.values())
    for read in ahead(lambda some: [_row(readers, place) for place in some.tolist()], places, 0 if inline else threads):
        for fault in read:
            if isinstance(fault, Fault):
                faults.add(fault)
        good = [row for row in read if not isinstance(row, Fault)]
        if good:
            yield {names[name]: np.stack([row[name] for row in good]) for name in readers}


def _row(readers: Readers, place: int) -> Arrays | Fault:
    found = {}
    for name, reader in readers.items():
        try:
            found[name] = reader.row(place)
        except BadRow as bad:
            return Fault(reader.field.where(place), str(bad))
    return found


def _filled(chunks: Iterator[Arrays], size: int) -> Iterator[Arrays]:
    """Chunks joined to about so many bytes."""
    waiting: list[Arrays] = []
    for chunk in chunks:
        waiting.append(chunk)
        if sum(array.nbytes for some in waiting for array in some.values()) >= size:
            yield _joined(waiting)
            waiting = []
    if waiting:
        yield _joined(waiting)


def _joined(chunks: list[Arrays]) -> Arrays:
    return {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]}


def _npz(arrays: Mapping[str, Array]) -> bytes:
    content = io.BytesIO()
    np.savez(content, allow_pickle=False, **arrays)
    return content.getvalue()

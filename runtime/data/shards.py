"""Tar files in WebDataset's form: files of one name are one record, and their endings its fields."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from runtime.data import lists, tar
from runtime.data.faults import BadRow, DataError, Faults
from runtime.data.lists import Line
from runtime.data.packed import Member, content
from runtime.data.rows import Sets
from runtime.data.values import FILES

Record = dict[str, Member]
RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")
MOST = 100_000
"""Files that one name may stand for."""


def named(path: str) -> list[Path]:
    """All files that a name with {first..last} in it stands for."""
    found = RANGE.search(path)
    if not found:
        return [Path(path)]
    first, last = map(int, found.groups())
    if last < first or last - first >= MOST:
        raise DataError(f"{path} stands for {max(0, last - first + 1):,} files: write {{first..last}}, such as {{000..146}}")
    width = len(found[1])
    return [more for n in range(first, last + 1) for more in named(f"{path[: found.start()]}{n:0{width}}{path[found.end() :]}")]


def read_shards(train: str, test: str | None, names: Sequence[str], masks: set[str], count: int | None, faults: Faults) -> Sets:
    """What is small, numbers and classes, is read at once; pictures and signals when they are wanted."""
    found = lists.read(train, test, lambda path: _lines(path, names), names, masks, faults)
    if count is not None and count != len(found.train):
        raise DataError(f"{train} holds {len(found.train):,} whole records, and `count` says {count:,}")
    return found


def _lines(path: str, names: Sequence[str]) -> Iterator[Line]:
    for shard in named(path):
        for key, record in _grouped(tar.members(shard)):
            yield Line(f"{shard}: {key}", _read(record, names))


def _read(record: Record, names: Sequence[str]) -> dict[str, Any] | BadRow:
    try:
        return {name: _value(name, content(x)) if name in names and name not in FILES else x for name, x in record.items()}
    except BadRow as bad:
        return bad


def _value(name: str, content: bytes) -> Any:
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise BadRow(f"its .{name} is no UTF-8 text") from None
    return lists.parse_json(text) if name == "json" else lists.cell(text)


def _grouped(members: Sequence[Member]) -> Iterator[tuple[str, Record]]:
    """Files that follow one another and have the same name up to its first dot."""
    last, record = "", Record()
    for member in members:
        folder, _, base = member.name.rpartition("/")
        stem, _, ending = base.partition(".")
        key = f"{folder}/{stem}" if folder else stem
        if not stem or not ending:
            continue  # hidden files, and what has no ending, are no fields
        if key != last and record:
            yield last, record
            record = {}
        if ending.lower() in record:
            raise DataError(f"{member.archive}: {key} has two files .{ending.lower()}")
        last = key
        record[ending.lower()] = member
    if record:
        yield last, record

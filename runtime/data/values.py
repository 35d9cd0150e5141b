"""Values as people write them in tables -> fields: numbers, lists of numbers, names of classes, names of files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from runtime.data import picture, signal
from runtime.data.faults import BadRow, DataError
from runtime.data.fields import Codec, Coded, Field, Table
from runtime.data.fit import Array, shown
from runtime.data.folder import ending
from runtime.data.packed import Files, Member, Members
from runtime.data.picture import Masks, Pictures

FILES = picture.ENDINGS | signal.ENDINGS | {"npy"}
EXACT = 2**53


class Column(NamedTuple):
    """How the values of a field are meant, judged by the first of them."""

    name: str
    kind: str
    """number, list, class or file"""
    shape: tuple[int, ...] = ()


def column(name: str, value: Any) -> Column:
    if isinstance(value, Member):
        return Column(name, "file")
    if isinstance(value, str):
        return Column(name, "file" if ending(value) in FILES else "class")
    if isinstance(value, list):
        return Column(name, "list", array(value).shape)
    array(value)
    return Column(name, "number")


def checked(value: Any, column: Column) -> Any:
    """The value, of the kind of its column; BadRow."""
    if column.kind in ("class", "file"):
        if not isinstance(value, str | Member) or not value:
            raise BadRow(f"{column.name} is {_brief(value)}, and elsewhere the name of a {column.kind}")
        return value
    found = array(value)
    if found.shape != column.shape:
        raise BadRow(f"{column.name} is {shown(found.shape)}, and elsewhere {shown(column.shape)}")
    return found


def array(value: Any) -> Array:
    """A number, or lists of numbers in lists; BadRow."""
    try:
        found = np.array(value)
    except (ValueError, OverflowError, RecursionError):
        raise BadRow(f"{_brief(value)} is no list of numbers of one length") from None
    if found.dtype.kind not in "iuf" or not found.size:
        raise BadRow(f"{_brief(value)} is no number, and no list of numbers")
    if not np.isfinite(found).all():
        raise BadRow(f"{_brief(value)} is not finite")
    return found


def number(text: str) -> int | float | None:
    """None where it is a text; BadRow where it is a number that is none."""
    try:
        found = float(text)
    except ValueError:
        return None
    if not np.isfinite(found):
        raise BadRow(f"`{text}` is not finite")
    return int(found) if text.lstrip("+-").isdecimal() and abs(found) < EXACT else found


def field(path: str, column: Column, values: Sequence[Any], where: Sequence[str], mask: bool, classes: Sequence[str]) -> Field:
    """All values of a column; `mask` where pictures are maps of classes, `classes` where names stand for numbers."""
    label = f"{column.name} in {path}"
    if column.kind == "file" and isinstance(values[0], Member):
        return Coded(label, Members(values), codec(ending(values[0].name), mask))
    if column.kind == "file":
        return Coded(label, Files(Path(path).parent, values), codec(ending(values[0]), mask))
    if column.kind == "class":
        numbers = {name: at for at, name in enumerate(classes)}
        return Table(label, np.array([numbers[value] for value in values], np.int32), where=where.__getitem__)
    found = np.array(values)
    return Table(label, found.astype(np.float32) if found.dtype.kind == "f" else found, where=where.__getitem__)


def codec(ending: str, mask: bool) -> Codec:
    if ending in signal.ENDINGS:
        return signal.Waves()
    if ending == "npy":
        return signal.Arrays()
    if ending not in picture.ENDINGS:
        raise DataError(f"netc reads no .{ending} files; it reads {', '.join(sorted(FILES))}")
    return Masks() if mask else Pictures()


def _brief(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."

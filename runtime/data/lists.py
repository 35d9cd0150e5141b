"""Tables of records: CSV with a line of names on top, or a JSON object on each line."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from runtime.data import values
from runtime.data.faults import BadRow, DataError, Fault, Faults
from runtime.data.fields import Field
from runtime.data.rows import Rows, Sets
from runtime.data.values import Column

Record = Mapping[str, Any]
csv.field_size_limit(2**24)


class Line(NamedTuple):
    where: str
    record: Record | BadRow


Lines = Callable[[str], Iterator[Line]]


def read_csv(
    train: str, test: str | None, inputs: Sequence[str] | None, targets: Sequence[str], delimiter: str, masks: set[str], faults: Faults
) -> Sets:
    """Without `inputs` all columns but the targets are one field `x`."""

    def lines(path: str) -> Iterator[Line]:
        joined = [name for name in _head(path, delimiter) if name not in targets] if inputs is None else []
        return (_joined(line, joined) for line in _csv_lines(path, delimiter))

    return read(train, test, lines, [*(["x"] if inputs is None else inputs), *targets], masks, faults)


def read_jsonl(train: str, test: str | None, names: Sequence[str], masks: set[str], faults: Faults) -> Sets:
    return read(train, test, _json_lines, names, masks, faults)


class Records(NamedTuple):
    """Values by field, all of the kinds that the columns say; `where` names each of them."""

    path: str
    columns: Mapping[str, Column]
    values: Mapping[str, list[Any]]
    where: list[str]

    def at(self, places: Sequence[int]) -> Records:
        found = {name: [column[at] for at in places] for name, column in self.values.items()}
        return Records(self.path, self.columns, found, [self.where[at] for at in places])


def read(train: str, test: str | None, lines: Lines, names: Sequence[str], masks: set[str], faults: Faults) -> Sets:
    """Names of classes are numbered in their order, over the rows to train on. `masks` are fields whose pictures are maps of classes."""
    first = _records(train, lines(train), names, faults)
    named = [name for name, column in first.columns.items() if column.kind == "class"]
    classes = {name: tuple(sorted(set(first.values[name]))) for name in named}
    more = _known(_records(test, lines(test), names, faults, first.columns), classes, faults) if test else None
    rows, *tests = (_rows(found, masks, classes) for found in (first, more) if found)
    return Sets(rows, tests[0] if tests else None, classes[named[0]] if len(named) == 1 else ())


def _records(
    path: str, lines: Iterator[Line], names: Sequence[str], faults: Faults, columns: Mapping[str, Column] | None = None
) -> Records:
    """The first record says of what kind each column is, unless another set has said it."""
    found: dict[str, list[Any]] = {name: [] for name in names}
    where: list[str] = []
    first = ""
    for line in lines:
        try:
            record = _whole(line.record, names)
            columns = columns or {name: values.column(name, record[name]) for name in names}
            row = {name: values.checked(record[name], columns[name]) for name in names}
        except BadRow as bad:
            fault = Fault(line.where, str(bad))
            faults.add(fault)
            first = first or str(fault)
            continue
        for name, value in row.items():
            found[name].append(value)
        where.append(line.where)
    if not where or columns is None:
        raise DataError(f"no row of {path} can be read: {first}" if first else f"there are no rows in {path}")
    return Records(path, columns, found, where)


def _rows(records: Records, masks: set[str], classes: Mapping[str, Sequence[str]]) -> Rows:
    return Rows({name: _field(records, name, name in masks, classes.get(name, ())) for name in records.columns})


def _field(records: Records, name: str, mask: bool, classes: Sequence[str]) -> Field:
    return values.field(records.path, records.columns[name], records.values[name], records.where, mask, classes)


def _known(records: Records, classes: Mapping[str, Sequence[str]], faults: Faults) -> Records:
    """Without rows of classes that are not there to train on."""
    strange = [next((name for name in classes if records.values[name][at] not in classes[name]), "") for at in range(len(records.where))]
    for at, name in enumerate(strange):
        if name:
            faults.add(Fault(records.where[at], f"{name} is `{records.values[name][at]}`, which is no class of the rows to train on"))
    kept = [at for at, name in enumerate(strange) if not name]
    if not kept:
        raise DataError(f"there are no rows in {records.path}")
    return records.at(kept)


def _whole(record: Record | BadRow, names: Sequence[str]) -> Record:
    if isinstance(record, BadRow):
        raise record
    for name in names:
        if name not in record:
            raise BadRow(f"there is no field `{name}`; there is {', '.join(record) or 'none'}")
    return record


# lines


def _text(path: str) -> str:
    try:
        return Path(path).read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is no UTF-8 text: byte {error.start:,} is {error.object[error.start]:#04x}") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None


def _csv_rows(path: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(_text(path), newline=""), delimiter=delimiter, strict=True)
    try:
        yield from ((reader.line_num, row) for row in reader if row)
    except csv.Error as error:
        raise DataError(f"{path}: line {reader.line_num}: {error}") from None


def _head(path: str, delimiter: str) -> list[str]:
    names = next((row for _, row in _csv_rows(path, delimiter)), [])
    if not names or len(set(names)) < len(names) or not all(names):
        raise DataError(f"{path}: the first line names the columns, each once; it is `{delimiter.join(names)[:80]}`")
    return names


def _csv_lines(path: str, delimiter: str) -> Iterator[Line]:
    names = _head(path, delimiter)
    rows = _csv_rows(path, delimiter)
    next(rows)
    return (Line(f"{path}: line {number}", _record(names, cells)) for number, cells in rows)


def _record(names: Sequence[str], cells: Sequence[str]) -> Record | BadRow:
    if len(cells) != len(names):
        return BadRow(f"it has {len(cells)} cells, and the first line {len(names)}")
    try:
        return dict(zip(names, map(cell, cells), strict=True))
    except BadRow as bad:
        return bad


def cell(text: str) -> Any:
    """A number, several with blanks between them, or a text; BadRow."""
    found = [values.number(part) for part in text.split()]
    if not found or None in found:
        return text.strip()
    return found[0] if len(found) == 1 else found


def _joined(line: Line, names: Sequence[str]) -> Line:
    """The columns of `x` as one list."""
    if not names or isinstance(line.record, BadRow):
        return line
    if len(names) == 1 and isinstance(line.record[names[0]], str):
        return Line(line.where, {**line.record, "x": line.record[names[0]]})
    return Line(line.where, {**line.record, "x": [line.record[name] for name in names]})


def _json_lines(path: str) -> Iterator[Line]:
    for number, line in enumerate(_text(path).split("\n"), 1):
        if line.strip():
            yield Line(f"{path}: line {number}", _object(line))


def _object(line: str) -> Record | BadRow:
    try:
        found = parse_json(line)
    except BadRow as bad:
        return bad
    return found if isinstance(found, dict) else BadRow(f"a line is an object, {{...}}, and this one is {line.strip()[:40]}")


def parse_json(text: str) -> Any:
    """BadRow."""
    try:
        return json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise BadRow(f"it is no JSON: {error}") from None


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number in JSON")

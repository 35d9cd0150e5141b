"""Which bytes a value has, and when each byte of a segment was written last."""

from __future__ import annotations

from bisect import bisect_right
from typing import NamedTuple, TypeAlias

from netcompiler.plan import SIZES, Home, Value


class Region(NamedTuple):
    """The bytes of a value: all from begin to end, or with a pitch the first `width` of every `pitch`."""

    segment: str
    begin: int
    end: int
    pitch: int = 0
    width: int = 0

    def overlaps(self, other: Region) -> bool:
        if self.segment != other.segment or self.begin >= other.end or other.begin >= self.end:
            return False
        if not self.pitch or self.pitch != other.pitch:
            return True
        distance = (other.begin - self.begin) % self.pitch
        return distance < self.width or self.pitch - distance < other.width

    def channels(self, first: int, count: int, size: int) -> Region:
        """Some of the channels of these bytes, of which a row has `width`."""
        begin = self.begin + first * size
        return Region(self.segment, begin, self.end - self.width + (first + count) * size, self.pitch, count * size)


def region(value: Value, home: Home) -> Region:
    """Rows that follow one another without gaps are one run."""
    size = SIZES[value.dtype]
    width = (value.shape[-1] if value.shape else 1) * size
    pitch = home.pitch * size
    if pitch in (0, width) or value.elements == 0:
        return Region(home.segment, home.offset, home.offset + value.bytes)
    rows = value.bytes // width
    return Region(home.segment, home.offset, home.offset + (rows - 1) * pitch + width, pitch, width)


def rows_of(value: Value, home: Home) -> Region:
    """The same bytes, seen as rows of channels."""
    size = SIZES[value.dtype]
    width = (value.shape[-1] if value.shape else 1) * size
    whole = region(value, home)
    return whole if whole.pitch else whole._replace(pitch=width, width=width)


Moment: TypeAlias = "int | Columns"


class Written:
    """When each byte of a segment was written last: runs in order that do not overlap."""

    def __init__(self) -> None:
        self.begins: list[int] = []
        self.runs: list[tuple[int, int, Moment]] = []

    def last(self, where: Region) -> int:
        """The latest moment at which any of these bytes was written."""
        found = (moment for _, _, moment in self.runs[self._among(where.begin, where.end)])
        return max((moment.last(where) if isinstance(moment, Columns) else moment for moment in found), default=0)

    def write(self, where: Region, moment: int) -> None:
        if where.begin >= where.end:
            return
        if not where.pitch:
            self._put(where.begin, where.end, moment)
            return
        columns = next((old for _, _, old in self.runs[self._among(where.begin, where.end)] if isinstance(old, Columns)), None)
        if columns is None or columns.pitch != where.pitch:
            columns = Columns(where)
        columns.write(where, moment)
        self._put(columns.begin, columns.end, columns)

    def _put(self, begin: int, end: int, moment: Moment) -> None:
        among = self._among(begin, end)
        old, new = self.runs[among], [(begin, end, moment)]
        if old:
            (head, _, before), (_, tail, after) = old[0], old[-1]
            new = [*([(head, begin, before)] if head < begin else []), *new, *([(end, tail, after)] if end < tail else [])]
        self.runs[among] = new
        self.begins[among] = [run[0] for run in new]

    def _among(self, begin: int, end: int) -> slice:
        """The runs that have bytes of a range."""
        first = max(0, bisect_right(self.begins, begin) - 1)
        if first < len(self.runs) and self.runs[first][1] <= begin:
            first += 1
        last = first
        while last < len(self.runs) and self.runs[last][0] < end:
            last += 1
        return slice(first, last)


class Columns:
    """A run that is written in columns: values that lie side by side in the rows of one array."""

    def __init__(self, first: Region) -> None:
        self.pitch = first.pitch
        self.begin, self.end = first.begin, first.end
        self.moments: dict[Region, int] = {}

    def write(self, where: Region, moment: int) -> None:
        self.begin, self.end = min(self.begin, where.begin), max(self.end, where.end)
        self.moments[where] = moment

    def last(self, where: Region) -> int:
        return max((moment for column, moment in self.moments.items() if column.overlaps(where)), default=0)

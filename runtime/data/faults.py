"""Data that cannot be read: each fault named with its file and row, and what then happens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

SHOWN = 5


class DataError(Exception):
    """Data that cannot be read, or that does not fit the net."""


class BadRow(Exception):
    """One row that cannot be read; the others may well be fine."""


class Fault(NamedTuple):
    where: str
    why: str

    def __str__(self) -> str:
        return f"{self.where}: {self.why}"


class Faults:
    """`stop` ends at the first fault; `skip` leaves the row out and remembers it."""

    def __init__(self, policy: str = "stop") -> None:
        self.policy = policy
        self.found: dict[str, str] = {}

    def add(self, fault: Fault) -> None:
        if self.policy == "stop":
            raise DataError(f"{fault} (--on-bad-data skip goes on without it)")
        self.found.setdefault(*fault)

    def __len__(self) -> int:
        return len(self.found)

    def __str__(self) -> str:
        many = f"{len(self):,} rows of the data are bad, and were" if len(self) > 1 else "1 row of the data is bad, and was"
        return f"{many} left out:\n{told(self.found)}"


def told(found: Mapping[str, str], shown: int = SHOWN) -> str:
    """A line for each of the first faults; how many more there are."""
    lines = [f"  {where}: {why}" for where, why in list(found.items())[:shown]]
    return "\n".join([*lines, *([f"  and {len(found) - shown:,} more"] if len(found) > shown else [])])

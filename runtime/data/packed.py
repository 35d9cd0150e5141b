"""Where the bytes of rows are: in files of their own, or in parts of larger ones."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from runtime.data.faults import BadRow, DataError


class Files:
    """A file for each row, named by its path in a folder."""

    def __init__(self, home: Path, paths: Sequence[str]) -> None:
        self.home = str(home)
        self.paths = paths

    def __len__(self) -> int:
        return len(self.paths)

    def where(self, place: int) -> str:
        return os.path.join(self.home, self.paths[place])

    def content(self, place: int) -> bytes:
        try:
            with open(self.where(place), "rb") as file:
                return file.read()
        except OSError as error:
            _check_there(self.home)
            raise BadRow(f"it cannot be read: {error.strerror}") from None
        except ValueError as error:
            raise BadRow(f"that is no name of a file: {error}") from None


def _check_there(home: str) -> None:
    """That a file is missing is a bad row; that all are is none: the folder was moved, or a disk is no longer mounted there."""
    try:
        with os.scandir(home) as entries:
            some = any(entries)
    except OSError as error:
        raise DataError(f"{home} cannot be read any more: {error.strerror}") from None
    if not some:
        raise DataError(f"{home} is empty by now")


class Member(NamedTuple):
    """A file in an archive."""

    archive: Path
    name: str
    begin: int
    size: int

    def __str__(self) -> str:
        return f"{self.archive}: {self.name}"


class Members:
    """A file in an archive for each row."""

    def __init__(self, members: Sequence[Member]) -> None:
        self.members = members

    def __len__(self) -> int:
        return len(self.members)

    def where(self, place: int) -> str:
        return str(self.members[place])

    def content(self, place: int) -> bytes:
        return content(self.members[place])


def content(member: Member) -> bytes:
    """Bytes that are read from their place, by any thread: nothing is unpacked to the disk. An archive that is gone takes all with it."""
    try:
        handle = os.open(member.archive, os.O_RDONLY)
        try:
            found = os.pread(handle, member.size, member.begin)
        finally:
            os.close(handle)
    except OSError as error:
        raise DataError(f"{member.archive} cannot be read any more: {error.strerror}") from None
    if len(found) != member.size:
        raise BadRow("the archive ends inside of it")
    return found

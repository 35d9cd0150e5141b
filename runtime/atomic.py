"""Files that are there whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path


class Unwritten(Exception):
    """The disk does not take a file: it is full, gone, or nobody may write there."""

    def __init__(self, path: Path, error: OSError) -> None:
        super().__init__(f"{path} cannot be written: {error.strerror or error}")


def write(path: Path, content: bytes) -> None:
    """Under another name first, on the disk before it gets its own: a reader, or a loss of power, meets the old file or the new."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
        settle(path.parent)
    except OSError as error:
        raise Unwritten(path, error) from None
    finally:
        beside.unlink(missing_ok=True)


def settle(folder: Path) -> None:
    """The new name is on the disk, too."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sweep(folder: Path) -> None:
    """Takes away what a process that was killed had not written to the end. Only for who alone writes there."""
    for left in folder.glob(".*.[0-9]*"):
        left.unlink(missing_ok=True)

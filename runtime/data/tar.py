"""The members of a tar file: where each lies. Strict: what is cut short or altered in a header is an error, never a shorter list."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from runtime.data.faults import DataError
from runtime.data.packed import Member

BLOCK = 512
FILE, LINK, LONG_NAME, PAX, PAX_GLOBAL, FOLDER = (b"0", b"\0"), b"12", b"L", b"x", b"g", b"5"
LONGEST_NAME = 2**16


def members(path: Path) -> list[Member]:
    try:
        with path.open("rb") as file:
            return list(_members(path, file, path.stat().st_size))
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise DataError(f"{path} is a damaged tar file: {error}") from None


def _members(path: Path, file: IO[bytes], end: int) -> Iterator[Member]:
    at, given = 0, ""
    while at < end:
        head = file.read(BLOCK)
        if not head.strip(b"\0"):
            _ends(head, at)
            return
        size = _checked(head, at)
        begin, kind = at + BLOCK, head[156:157]
        if begin + size > end:
            raise ValueError(f"it ends inside of what begins at byte {begin:,}")
        if kind in (LONG_NAME, PAX, PAX_GLOBAL):
            given = _long_name(kind, file.read(_bounded(size))) or given
        elif kind in FILE:
            yield Member(path, _safe(given or _name(head)), begin, size)
            given = ""
        elif kind != FOLDER:
            raise ValueError(f"{given or _name(head)} is a link or something else that is no file")
        else:
            given = ""
        at = begin + -(-size // BLOCK) * BLOCK
        file.seek(at)
    raise ValueError("it has no end: it is cut short")


def _ends(head: bytes, at: int) -> None:
    if len(head) < BLOCK:
        raise ValueError(f"it ends inside of the header at byte {at:,}")


def _checked(head: bytes, at: int) -> int:
    """The size that a header speaks of; its sum is compared first."""
    if len(head) < BLOCK:
        raise ValueError(f"it ends inside of the header at byte {at:,}")
    total = sum(head) - sum(head[148:156]) + 8 * ord(" ")
    if _octal(head[148:156], at) != total:
        raise ValueError(f"the header at byte {at:,} is not what it was: its sum is another")
    return _octal(head[124:136], at)


def _octal(text: bytes, at: int) -> int:
    if text[:1] == b"\x80":  # too large for digits
        return int.from_bytes(text[1:], "big")
    digits = text.strip(b"\0 ")
    if not all(digit in b"01234567" for digit in digits) or not digits:
        raise ValueError(f"the header at byte {at:,} has `{digits.decode('latin-1')}` for a number")
    return int(digits, 8)


def _bounded(size: int) -> int:
    if size > LONGEST_NAME:
        raise ValueError(f"a name of {size:,} bytes")
    return size


def _long_name(kind: bytes, content: bytes) -> str:
    """The name of the next member, where it did not fit; PAX has lines of `length key=value`."""
    if kind == LONG_NAME:
        return content.rstrip(b"\0").decode("utf-8")
    while content:
        length, _, rest = content.partition(b" ")
        if not length.isdigit() or not 0 < int(length) <= len(content):
            break
        key, _, value = rest[: int(length) - len(length) - 2].partition(b"=")
        if key == b"size":
            raise ValueError("files of 8 GiB and more are not read")
        if key == b"path":
            return value.decode("utf-8")
        content = content[int(length) :]
    return ""


def _name(head: bytes) -> str:
    name, prefix = (head[a:b].split(b"\0", 1)[0].decode("utf-8") for a, b in ((0, 100), (345, 500)))
    return f"{prefix}/{name}" if prefix and head[257:262] == b"ustar" else name


def _safe(name: str) -> str:
    if name.startswith("/") or ".." in PurePosixPath(name).parts:
        raise ValueError(f"it holds a file outside of itself, `{name}`")
    return name

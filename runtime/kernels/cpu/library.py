"""Compiled kernels: in this process, and in a private folder where the next process finds them.

A kernel is (emit, *structure): a function that writes code, and what it is told beside the code. The object code lies under a
digest of both, of the sources of this package and of the machine; with a checksum, so what is damaged is built again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from runtime import atomic
from runtime.cache import folder
from runtime.kernels.cpu.code import Code
from runtime.kernels.cpu.machine import assembled, loaded, machine

Kernel = tuple[Any, ...]
Progress = Callable[[int, int], None]
KERNELS = "kernels"
DIGEST = 16

_addresses: dict[Kernel, int] = {}
_hears: list[Progress] = []


def address(kernel: Kernel) -> int:
    """Where the code of a kernel lies; built now if it is nowhere."""
    if kernel not in _addresses:
        symbol = f"{kernel[0].__name__}_{_digest(kernel)}"
        _addresses[kernel] = loaded(_stored(symbol) or _built(kernel, symbol), symbol)
    return _addresses[kernel]


def compiled(kernels: Iterable[Kernel]) -> None:
    """All of them, with progress for who wants to hear it."""
    missing = [kernel for kernel in dict.fromkeys(kernels) if kernel not in _addresses]
    for done, kernel in enumerate(missing):
        for hears in _hears:
            hears(done, len(missing))
        address(kernel)


@contextmanager
def heard(progress: Progress) -> Iterator[None]:
    """Tells how many of how many kernels are there while they are made."""
    _hears.append(progress)
    try:
        yield
    finally:
        _hears.remove(progress)


def _built(kernel: Kernel, symbol: str) -> bytes:
    emit, *structure = kernel
    code = Code(symbol)
    emit(code, *structure)
    binary = assembled(code.text())
    _keep(symbol, binary)
    return binary


def _digest(kernel: Kernel) -> str:
    emit, *structure = kernel
    text = f"{emit.__module__} {emit.__name__} {structure!r}\0{machine().name}\0{sources()}"
    return hashlib.blake2b(text.encode(), digest_size=DIGEST).hexdigest()


@cache
def sources() -> str:
    """What the kernels of this version are written with."""
    files = sorted(Path(__file__).parent.rglob("*.py"))
    return hashlib.blake2b(b"\0".join(path.read_bytes() for path in files), digest_size=DIGEST).hexdigest()


# the folder


def _keep(symbol: str, binary: bytes) -> None:
    home = folder(KERNELS)
    if home:
        try:
            atomic.write(home / symbol, _checksum(binary) + binary)
        except atomic.Unwritten:
            folder.cache_clear()  # a full disk: the kernels of this process work all the same


def _stored(symbol: str) -> bytes | None:
    home = folder(KERNELS)
    try:
        whole = (home / symbol).read_bytes() if home else b""
    except OSError:
        return None
    checksum, binary = whole[:DIGEST], whole[DIGEST:]
    return binary if binary and checksum == _checksum(binary) else None


def _checksum(binary: bytes) -> bytes:
    return hashlib.blake2b(binary, digest_size=DIGEST).digest()

"""Compiled kernels: in this process, and in a private folder where the next process finds them.

A kernel is (emit, *structure): a function that writes code, and what it is told beside the code. The object code lies under a
digest of both, of the sources of this package and of the machine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from runtime.kernels import kept
from runtime.kernels.cpu.code import Code
from runtime.kernels.cpu.machine import assembled, loaded, machine

Kernel = tuple[Any, ...]
Progress = Callable[[int, int], None]
KERNELS = "kernels"

_addresses: dict[Kernel, int] = {}
_hears: list[Progress] = []


def address(kernel: Kernel) -> int:
    """Where the code of a kernel lies; built now if it is nowhere."""
    if kernel not in _addresses:
        symbol = f"{kernel[0].__name__}_{_digest(kernel)}"
        _addresses[kernel] = loaded(kept.stored(KERNELS, symbol) or _built(kernel, symbol), symbol)
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
    kept.keep(KERNELS, symbol, binary)
    return binary


def _digest(kernel: Kernel) -> str:
    emit, *structure = kernel
    return kept.digest(f"{emit.__module__} {emit.__name__} {structure!r}", machine().name, sources())


@cache
def sources() -> str:
    """What the kernels of this version are written with."""
    return kept.sources(Path(__file__).parent)

"""What this target asks of a GPU.

A driver is one GPU with two streams on it, MAIN for programs and COPIES for the batches that come in meanwhile. What is asked goes into
a stream and is done later; only `upload`, `download`, `reached` and `wait` wait.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from runtime.arrays import Array

ENTRY = "kernel"
"""What the kernel of every text is called."""

MAIN, COPIES = "main", "copies"
"""Streams."""


class OutOfMemory(Exception):
    """The GPU has less memory than is asked for."""


class Driver(Protocol):
    def free(self) -> int:
        """Bytes that can still be allocated."""

    def allocate(self, size: int) -> Array:
        """Bytes of zero at a multiple of 256, as long as the array lives."""

    def staging(self, size: int) -> Array:
        """Bytes of this process that the GPU reads and writes, too."""

    def upload(self, to: Array, values: Array) -> None:
        """From outside into an array without gaps."""

    def download(self, array: Array) -> Array:
        """A copy outside, of an array without gaps."""

    def compile(self, sources: Iterable[str]) -> None:
        """Kernels that `function` will be asked for."""

    def function(self, source: str) -> Any:
        """The kernel of a text, compiled when it is asked for first."""

    def launch(self, function: Any, grid: tuple[int, int, int], block: tuple[int, int, int], table: Sequence[int]) -> None: ...

    def copy(self, to: Array, values: Array, stream: str = MAIN) -> None:
        """Between arrays without gaps: of the GPU, or staging."""

    def fill(self, array: Array, byte: int) -> None:
        """Each byte of an array without gaps."""

    def captured(self, run: Callable[[], None]) -> Callable[[], None]:
        """What `run` puts into the main stream, as one graph to be launched again and again."""

    def mark(self, stream: str) -> Any:
        """A point in a stream: behind all that has been put there."""

    def hold(self, stream: str, mark: Any) -> None:
        """What is put into a stream from here on waits for a mark of another."""

    def reached(self, mark: Any) -> None:
        """Until a stream has come to a mark."""

    def seconds(self, begin: Any, end: Any) -> float:
        """Between two marks of a stream that were reached."""

    def handle(self, library: Callable[[int], Any]) -> Any:
        """What a library is called with on the main stream: opened for its address when it is asked for first, never in a capture."""

    def wait(self) -> None:
        """Until the streams are empty."""

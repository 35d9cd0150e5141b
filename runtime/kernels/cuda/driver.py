"""What this target asks of a GPU.

A driver is one GPU and one stream on it; all but `upload`, `download` and `wait` goes into the stream.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from runtime.arrays import Array

ENTRY = "kernel"
"""What the kernel of every text is called."""


class Driver(Protocol):
    def allocate(self, size: int) -> Array:
        """Bytes of zero at a multiple of 256, as long as the array lives."""

    def upload(self, to: Array, values: Array) -> None:
        """From outside into an array without gaps."""

    def download(self, array: Array) -> Array:
        """A copy outside, of an array without gaps."""

    def function(self, source: str) -> Any:
        """The kernel of a text, compiled when it is asked for first."""

    def launch(self, function: Any, grid: tuple[int, int, int], block: tuple[int, int, int], table: Sequence[int]) -> None: ...

    def copy(self, to: Array, values: Array) -> None: ...

    def captured(self, run: Callable[[], None]) -> Callable[[], None]:
        """What `run` puts into the stream, as one graph to be launched again and again."""

    def wait(self) -> None:
        """Until the stream is empty."""

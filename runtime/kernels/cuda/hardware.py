"""A real GPU behind CuPy: its memory, streams, events and graphs.

Memory comes straight from CUDA and is never CuPy's pool's, so that nothing is allocated behind a program's back; while a graph is captured
the pool refuses. Architectures are those of the code: an H100 runs sm_90a.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any, NoReturn

import numpy as np

from runtime.arrays import Array, bytes_at
from runtime.kernels.cuda import library, presence
from runtime.kernels.cuda.driver import COPIES, ENTRY, MAIN, OutOfMemory
from runtime.kernels.layout import address

NO_MEMORY = 2
"""cudaErrorMemoryAllocation."""


class Hardware:
    """By `cuda`, which is CuPy's module of that name."""

    def __init__(self, cuda: Any) -> None:
        self.cuda, self.runtime = cuda, cuda.runtime
        self.streams = {name: cuda.Stream(non_blocking=True) for name in (MAIN, COPIES)}
        self.functions: dict[str, Any] = {}
        self.handles: dict[Callable[[int], Any], Any] = {}
        self.architecture = library.architecture(cuda.Device().compute_capability)

    def allocate(self, size: int) -> Array:
        try:
            memory = self.cuda.Memory(size)
        except self.runtime.CUDARuntimeError as error:
            if error.status != NO_MEMORY:
                raise
            raise OutOfMemory(f"{size:,} bytes are asked for, and {self.free():,} are free") from None
        array = bytes_at(memory.ptr, size, memory)
        self.fill(array, 0)
        return array

    def free(self) -> int:
        free, _ = self.runtime.memGetInfo()
        return int(free)

    def staging(self, size: int) -> Array:
        pinned = self.cuda.alloc_pinned_memory(size)
        array = bytes_at(pinned.ptr, size, pinned)
        array[...] = 0
        return array

    def upload(self, to: Array, values: Array) -> None:
        self.copy(to, values)
        self.streams[MAIN].synchronize()

    def download(self, array: Array) -> Array:
        here = np.empty(array.shape, array.dtype)
        self.copy(here, array)
        self.streams[MAIN].synchronize()
        return here

    def compile(self, sources: Iterable[str]) -> None:
        missing = [source for source in dict.fromkeys(sources) if source not in self.functions]
        for source, code in library.cubins(missing, self.architecture):
            module = self.cuda.function.Module()
            module.load(code)
            self.functions[source] = module.get_function(ENTRY)

    def function(self, source: str) -> Any:
        if source not in self.functions:
            self.compile([source])
        return self.functions[source]

    def launch(self, function: Any, grid: tuple[int, int, int], block: tuple[int, int, int], table: Sequence[int]) -> None:
        """CUDA copies the parameters before it returns."""
        numbers = (ctypes.c_int64 * max(1, len(table)))(*table)
        parameters = (ctypes.c_void_p * 1)(ctypes.addressof(numbers))
        self.cuda.driver.launchKernel(function.ptr, *grid, *block, 0, self.streams[MAIN].ptr, ctypes.addressof(parameters), 0)

    def copy(self, to: Array, values: Array, stream: str = MAIN) -> None:
        assert to.flags.c_contiguous
        assert values.flags.c_contiguous
        assert to.nbytes == values.nbytes
        if to.nbytes:
            self.runtime.memcpyAsync(address(to), address(values), to.nbytes, self.runtime.memcpyDefault, self.streams[stream].ptr)

    def fill(self, array: Array, byte: int) -> None:
        assert array.flags.c_contiguous
        self.runtime.memsetAsync(address(array), byte, array.nbytes, self.streams[MAIN].ptr)

    def captured(self, run: Callable[[], None]) -> Callable[[], None]:
        stream = self.streams[MAIN]
        with self.cuda.using_allocator(_refuse):
            stream.begin_capture(self.runtime.streamCaptureModeThreadLocal)
            try:
                run()
            finally:
                graph = stream.end_capture()
        return lambda: graph.launch(stream)

    def mark(self, stream: str) -> Any:
        event = self.cuda.Event()
        event.record(self.streams[stream])
        return event

    def hold(self, stream: str, mark: Any) -> None:
        self.streams[stream].wait_event(mark)

    def reached(self, mark: Any) -> None:
        mark.synchronize()

    def seconds(self, begin: Any, end: Any) -> float:
        return float(self.cuda.get_elapsed_time(begin, end)) / 1000

    def handle(self, library: Callable[[int], Any]) -> Any:
        if library not in self.handles:
            assert not self.streams[MAIN].is_capturing(), "a library is opened before a graph is captured"
            self.handles[library] = library(self.streams[MAIN].ptr)
        return self.handles[library]

    def wait(self) -> None:
        for stream in self.streams.values():
            stream.synchronize()


@cache
def opened() -> Hardware:
    """The first GPU that CUDA_VISIBLE_DEVICES shows; NoGpu where it is of no use."""
    presence.check()
    import cupy.cuda

    return Hardware(cupy.cuda)


def _refuse(size: int) -> NoReturn:
    raise RuntimeError(f"{size:,} bytes are allocated while a graph is captured: all memory of a program is in its plan")

"""CuPy's module `cuda` as far as the driver calls it, over memory of this process: what a GPU forbids is an error here, too.

What goes into a stream is done as late as its order allows, or as early; where an order is missing, one of the two gives other numbers.
"""

from __future__ import annotations

import ctypes
import re
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from cuda_host import compiled

from runtime.arrays import aligned

Work = Callable[[], object]
PINNED, DEVICE = "pinned", "device"


class CUDARuntimeError(RuntimeError):
    status = 2


class Event:
    def __init__(self) -> None:
        self.stream: Stream | None = None
        self.done = True

    def record(self, stream: Stream) -> None:
        self.stream, self.done = stream, False
        stream.put(self._reach)

    def synchronize(self) -> None:
        assert self.stream
        self.stream.cuda.forbidden("an event is waited for")
        while not self.done:
            self.stream.advance()

    def _reach(self) -> None:
        self.done = True


class Wait:
    def __init__(self, event: Event) -> None:
        self.event = event


class Stream:
    """Works of which none begins before the one in front of it is done."""

    def __init__(self, cuda: FakeCuda, eager: bool) -> None:
        self.cuda, self.eager = cuda, eager
        self.ptr = len(cuda.streams) + 1
        cuda.streams[self.ptr] = self
        self.works: deque[Work | Wait] = deque()
        self.captured: list[Work | Wait] | None = None

    def put(self, work: Work | Wait) -> None:
        if self.captured is not None:
            self.captured.append(work)
            return
        self.works.append(work)
        if self.eager:
            self.run(force=False)

    def advance(self) -> None:
        """The next work; what it waits for is done before."""
        work = self.works[0]
        if isinstance(work, Wait):
            while not work.event.done:
                assert work.event.stream
                work.event.stream.advance()
        self.works.popleft()
        if not isinstance(work, Wait):
            work()

    def run(self, force: bool) -> None:
        while self.works and (force or not isinstance(self.works[0], Wait) or self.works[0].event.done):
            self.advance()

    def synchronize(self) -> None:
        self.cuda.forbidden("a stream is waited for")
        self.run(force=True)

    def wait_event(self, event: Event) -> None:
        self.put(Wait(event))

    def is_capturing(self) -> bool:
        return self.captured is not None

    def begin_capture(self, mode: int) -> None:
        assert mode == self.cuda.runtime.streamCaptureModeThreadLocal
        self.cuda.capturing = True
        self.captured = []

    def end_capture(self) -> Graph:
        self.cuda.capturing = False
        works, self.captured = self.captured or [], None
        return Graph(works)


class Graph:
    def __init__(self, works: list[Work | Wait]) -> None:
        self.works = works

    def launch(self, stream: Stream) -> None:
        for work in self.works:
            stream.put(work)


class Memory:
    def __init__(self, cuda: FakeCuda, size: int, kind: str) -> None:
        cuda.forbidden("memory is allocated")
        if cuda.taken + size > cuda.size:
            raise CUDARuntimeError
        cuda.taken += size
        self.array = aligned(size, 256)
        self.array.fill(0xAB)
        self.ptr = self.array.__array_interface__["data"][0]
        cuda.rooms.append((self.ptr, self.ptr + size, kind))


class Function:
    def __init__(self, cuda: FakeCuda, source: str) -> None:
        self.run = compiled(source)
        [length] = re.findall(r"struct Table \{ i64 n\[(\d+)\]", source)
        self.bytes = 8 * int(length)
        self.ptr = len(cuda.functions) + 1
        cuda.functions[self.ptr] = self


class Module:
    def __init__(self, cuda: FakeCuda) -> None:
        self.cuda = cuda

    def load(self, code: bytes) -> None:
        self.cuda.forbidden("code is loaded")
        self.source = code.decode()

    def get_function(self, name: str) -> Function:
        assert f"{name}(const Table t)" in self.source
        return Function(self.cuda, self.source)


class Names:
    def __init__(self, **members: Any) -> None:
        self.__dict__.update(members)


class FakeCuda:
    """`eager` says of each stream, in the order in which they are made, whether it runs ahead or behind."""

    def __init__(self, eager: tuple[bool, bool] = (False, False), size: int = 2**32) -> None:
        self.eager, self.size, self.taken = eager, size, 0
        self.streams: dict[int, Stream] = {}
        self.functions: dict[int, Function] = {}
        self.rooms: list[tuple[int, int, str]] = []
        self.capturing = False
        self.Event = Event
        self.function = Names(Module=lambda: Module(self))
        self.driver = Names(launchKernel=self._launch)
        self.runtime = Names(
            CUDARuntimeError=CUDARuntimeError,
            memcpyDefault=4,
            streamCaptureModeThreadLocal=1,
            memGetInfo=lambda: (self.size - self.taken, self.size),
            memcpyAsync=self._copy,
            memsetAsync=self._fill,
        )

    def forbidden(self, what: str) -> None:
        assert not self.capturing, f"{what} while a graph is captured"

    def Stream(self, non_blocking: bool) -> Stream:  # noqa: N802
        assert non_blocking
        return Stream(self, self.eager[len(self.streams)])

    def Memory(self, size: int) -> Memory:  # noqa: N802
        return Memory(self, size, DEVICE)

    def alloc_pinned_memory(self, size: int) -> Memory:
        return Memory(self, size, PINNED)

    def Device(self) -> Names:  # noqa: N802
        return Names(compute_capability="80")

    def get_elapsed_time(self, begin: Event, end: Event) -> float:
        assert begin.done
        assert end.done
        return 1.0

    @contextmanager
    def using_allocator(self, allocator: Callable[[int], object]) -> Iterator[None]:
        yield

    def _copy(self, to: int, values: int, size: int, kind: int, stream: int) -> None:
        kinds = {self._room(to, size), self._room(values, size)}
        if kinds != {DEVICE}:
            self.forbidden("memory outside is touched")
        self.streams[stream].put(lambda: ctypes.memmove(to, values, size))

    def _fill(self, to: int, byte: int, size: int, stream: int) -> None:
        assert self._room(to, size) == DEVICE
        self.streams[stream].put(lambda: ctypes.memset(to, byte, size))

    def _room(self, address: int, size: int) -> str:
        """Whose memory it is; nothing is half in a room."""
        for begin, end, kind in self.rooms:
            if begin <= address < end:
                assert address + size <= end
                return kind
        return "pageable"

    def _launch(self, function: int, *rest: int) -> None:
        *numbers, shared, stream, parameters, extra = rest
        assert (shared, extra) == (0, 0)
        [table] = (ctypes.c_void_p * 1).from_address(parameters)
        code = self.functions[function]
        copied = ctypes.create_string_buffer(ctypes.string_at(table, code.bytes), code.bytes)  # at once, as CUDA does
        grid, block = ((ctypes.c_uint * 3)(*three) for three in (numbers[:3], numbers[3:]))
        self.streams[stream].put(lambda: code.run(copied, grid, block))


def sources_as_code(sources: list[str], architecture: str) -> Iterator[tuple[str, bytes]]:
    """Instead of NVRTC's."""
    assert architecture == "sm_80"
    return ((source, source.encode()) for source in sources)

"""A driver that runs the texts of CUDA kernels on this processor: compiled by clang (ziglang), the threads of a block one by one."""

from __future__ import annotations

import ctypes
import hashlib
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from compiled import Ending, Room, Types, spaced

from runtime.arrays import Array, aligned, bytes_at
from runtime.environment import available
from runtime.kernels import cuda
from runtime.kernels.behind import Behind
from runtime.kernels.cpu.machine import loaded
from runtime.kernels.cuda import library
from runtime.kernels.cuda.driver import ENTRY, MAIN, Driver
from runtime.kernels.cuda.hardware import opened
from runtime.kernels.cuda.paper import BEGIN
from runtime.kernels.cuda.prelude import PRELUDE
from runtime.kernels.cuda.steps import Launch
from runtime.kernels.layout import address

MOST_THREADS, STACK = 1024, 32768
"""As the shim has them."""
SHIM = Path(__file__).with_name("cuda_host.h")
FLAGS = ("-x", "c++", "-std=c++17", "-O1", "-w", "-fno-exceptions", "-ffp-contract=off", "-fPIC")
ALIGNED = ("-fno-sanitize=all", "-fsanitize=alignment", "-fsanitize-trap=alignment")
"""As a GPU, it stops at an access of several bytes that is not at a multiple of so many."""


class HostDriver:
    """Memory of this process, and streams in which everything is done as soon as it is asked for."""

    def __init__(self) -> None:
        self.handles: dict[Any, Any] = {}

    def free(self) -> int:
        return available()

    def allocate(self, size: int) -> Array:
        return aligned(size, 256)

    staging = allocate

    def upload(self, to: Array, values: Array) -> None:
        to[...] = values

    def download(self, array: Array) -> Array:
        return array.copy()

    def compile(self, sources: Iterable[str]) -> None:
        build(sources)

    def function(self, source: str) -> Any:
        return compiled(source)

    def launch(self, function: Any, grid: tuple[int, int, int], block: tuple[int, int, int], table: Sequence[int]) -> None:
        numbers = (ctypes.c_int64 * max(1, len(table)))(*table)
        function(ctypes.byref(numbers), (ctypes.c_uint * 3)(*grid), (ctypes.c_uint * 3)(*block))

    def copy(self, to: Array, values: Array, stream: str = MAIN) -> None:
        np.copyto(to, values)

    def fill(self, array: Array, byte: int) -> None:
        array.view(np.uint8).fill(byte)

    def captured(self, run: Callable[[], None]) -> Callable[[], None]:
        return run

    def mark(self, stream: str) -> float:
        return time.perf_counter()

    def hold(self, stream: str, mark: float) -> None:
        return

    def reached(self, mark: float) -> None:
        return

    def seconds(self, begin: float, end: float) -> float:
        return end - begin

    def handle(self, library: Callable[[int], Any]) -> Any:
        if library not in self.handles:
            self.handles[library] = library(0)
        return self.handles[library]

    def wait(self) -> None:
        return


_kernels: dict[str, Any] = {}


def compiled(source: str) -> Any:
    """Its kernel as a function of a table, a grid and a block."""
    build([source])
    return _kernels[source]


def build(sources: Iterable[str]) -> None:
    """All that are missing as one text, which is quicker than one after the other. Each has a namespace, for functions of others have
    the same names."""
    missing = [source for source in dict.fromkeys(sources) if source not in _kernels]
    if not missing:
        return
    symbol = "k" + hashlib.blake2b("".join(missing).encode(), digest_size=8).hexdigest()
    parts = [f"namespace {symbol}_{i} {{\n{_part(source)}}}" for i, source in enumerate(missing)]
    chosen = "".join(f"case {i}: return (void*){symbol}_{i}::run; " for i in range(len(missing)))
    text = "\n".join([*parts, f'extern "C" void* {symbol}(int i) {{ switch (i) {{ {chosen}}} return 0; }}\n'])
    (_folder() / f"{symbol}.cpp").write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "ziglang", "c++", *FLAGS, *ALIGNED, "-include", str(SHIM), "-c", f"{symbol}.cpp", "-o", f"{symbol}.o"]
    done = subprocess.run(command, cwd=_folder(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr + text
    at = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_int)(loaded((_folder() / f"{symbol}.o").read_bytes(), symbol))
    for i, source in enumerate(missing):
        _kernels[source] = _called(ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 4)(at(i)), "__sync" in source or "__shfl" in source)


def _part(source: str) -> str:
    own = source.replace('extern "C" __global__', "static")
    return f"{own}\nstatic void run(const Table* t, const unsigned* g, const unsigned* b, char* s) {{ run_grid({ENTRY}, *t, g, b, s); }}\n"


def _called(kernel: Any, waits: bool) -> Any:
    return lambda table, grid, block: kernel(table, grid, block, _stacks() if waits else None)


@cache
def _stacks() -> Any:
    """Room for the fibers of a block: one for all texts, lest their code come to lie too far apart."""
    return ctypes.create_string_buffer(MOST_THREADS * STACK)


@cache
def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="netc-cuda-host-"))


ON_GPU = bool(os.environ.get("NETC_TEST_GPU"))
"""Case tables are run on a real GPU, by its libraries."""


def results(
    kernel: str, types: Types, /, *operands: Array, gap: int = 0, workspace: int = 0, behind: Ending | None = None, **attributes: Any
) -> list[Array]:
    """What a kernel of the CUDA target writes: nothing around it or between its pixels."""
    rooms, scratch = [Room(shape, dtype, gap) for shape, dtype in types], Room((workspace,), np.uint8, 0)
    driver: Driver = opened() if ON_GPU else HostDriver()
    twins = [Twin(driver, room.array) for room in (*rooms, scratch)]
    own: dict[str, Any] = {"workspace": twins[-1].there} if workspace else {}
    read = [Twin(driver, spaced(x, gap)) for x in operands]
    made = [twin.there for twin in twins[:-1]]
    if behind:
        beside = [x if x is None else Twin(driver, spaced(x, gap)).there for x in behind[1]]
        own, made = {**own, "behind": Behind(behind[0], made, beside)}, made[:1]
    for step in cuda.KERNELS[kernel](*made, *(twin.there for twin in read), **attributes, **own):
        step.prepare(driver)
        step.run(driver)
    for twin in twins:
        twin.fetch()
    scratch.content()
    return [room.content() for room in rooms]


class Twin:
    """An array in the driver's memory that lies there like one here, with all that is around it."""

    def __init__(self, driver: Driver, here: Array) -> None:
        self.driver, self.root = driver, here
        while isinstance(self.root.base, np.ndarray):
            self.root = self.root.base
        self.memory = driver.allocate(max(1, self.root.nbytes))[: self.root.nbytes]
        driver.upload(self.memory, self.root.reshape(-1).view(np.uint8))
        self.there: Array = np.ndarray(here.shape, here.dtype, self.memory, address(here) - address(self.root), here.strides)

    def fetch(self) -> None:
        self.root.reshape(-1).view(np.uint8)[...] = self.driver.download(self.memory)


def compiles(
    architecture: str, kernel: str, types: Types, /, *operands: Array, workspace: int = 0, behind: Ending | None = None, **attributes: Any
) -> None:
    """NVRTC takes all texts of a kernel, and registers suffice. Nothing lies where its arrays are: who writes a text reads none of them."""
    made, read = [_nowhere(np.empty(shape, dtype)) for shape, dtype in types], map(_nowhere, operands)
    own: dict[str, Any] = {"workspace": _nowhere(np.empty(workspace, np.uint8))} if workspace else {}
    if behind:
        beside = [x if x is None else _nowhere(x) for x in behind[1]]
        own, made = {**own, "behind": Behind(behind[0], made, beside)}, made[:1]
    steps = list(cuda.KERNELS[kernel](*made, *read, **attributes, **own))
    fit(architecture, [step.source for step in steps if isinstance(step, Launch)])


TOGETHER = 16


def fit(architecture: str, sources: Sequence[str]) -> None:
    """NVRTC takes these texts, and registers suffice. Several at once take half the time."""
    for some in (sources[i : i + TOGETHER] for i in range(0, len(sources), TOGETHER)):
        apart = [source.removeprefix(PRELUDE).replace(f" {ENTRY}(", f" {ENTRY}{i}(") for i, source in enumerate(some)]
        whole = PRELUDE + "".join(f"namespace n{i} {{\n{text}}}\n" for i, text in enumerate(apart))
        _, said = library.compiled(whole, architecture, "--ptxas-options=-v")
        told = dict(re.findall(rf"Function properties for {ENTRY}(\d+)\n(.*)", said))
        spilling = [source for i, source in enumerate(some) if "0 bytes spill stores, 0 bytes spill loads" not in told[str(i)]]
        assert not spilling, "\n".join([said, *spilling])


def _nowhere(x: Array) -> Array:
    reach = sum(step * (n - 1) for step, n in zip(x.strides, x.shape, strict=True)) + x.itemsize
    return np.ndarray(x.shape, x.dtype, bytes_at(BEGIN, reach, None), 0, x.strides)

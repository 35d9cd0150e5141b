"""One thread pool that runs tables of steps: each thread goes through the table, takes chunks of the step in hand, and goes on
when all chunks of it are done. The loop is native, so a step costs about a microsecond.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from runtime.arrays import Array, aligned
from runtime.kernels.cpu.library import address, compiled
from runtime.kernels.cpu.machine import assembled, loaded, machine

OPEN, ACTIVE, YIELD, STEPS, COUNT = range(5)
"""Fields of the control block."""
FUNCTION, ARGS, SIZE, CHUNKS, NEXT, DONE, FIELDS = 0, 1, 2, 3, 4, 5, 8
"""Fields of a step; eight numbers are a line of the cache."""
PATIENCE = 4000
"""How often a thread looks before it lets others have the core."""


class Step(NamedTuple):
    """A kernel over a range of `size`, cut into chunks; `scratch` bytes are a thread's own meanwhile."""

    kernel: tuple[Any, ...]
    args: Sequence[int]
    size: int
    chunks: int = 1
    scratch: int = 0
    keep: tuple[Any, ...] = ()
    """Arrays that the arguments point into and that nobody else holds."""


class Table:
    """Steps bound to addresses, ready to be run again and again."""

    def __init__(self, steps: Sequence[Step], threads: int) -> None:
        compiled([step.kernel for step in steps])
        self.steps = steps
        self.pool = pool(threads)
        self.args = [np.array([int(n) for n in step.args] or [0], np.int64) for step in steps]
        self.records = aligned(len(steps) * FIELDS * 8).view(np.int64).reshape(-1, FIELDS)
        for record, step, args in zip(self.records, steps, self.args, strict=True):
            record[:NEXT] = address(step.kernel), args.ctypes.data, step.size, max(1, min(step.chunks, step.size))
        self.pool.reserve(max((step.scratch for step in steps), default=0))

    def __call__(self) -> None:
        self.records[:, NEXT:] = 0
        self.pool.run(self.records)


class Pool:
    """`threads` of them, the caller among them; the others sleep between runs."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self.control = aligned(64).view(np.int64)
        self.control[YIELD] = _yield()
        self.scratch = [aligned(0) for _ in range(threads)]
        self.drive = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)(_driver())
        self.gates = [threading.Lock() for _ in range(threads - 1)]
        self.turn = threading.Lock()
        for number, gate in enumerate(self.gates, 1):
            gate.acquire()
            threading.Thread(target=self._work, args=(number, gate), daemon=True, name=f"netc-{number}").start()

    def reserve(self, size: int) -> None:
        """At least so many bytes for each thread."""
        with self.turn:
            if len(self.scratch[0]) < size:
                self.scratch = [aligned(size) for _ in range(self.threads)]

    def run(self, records: Array) -> None:
        with self.turn:
            self.control[STEPS], self.control[COUNT] = records.ctypes.data, len(records)
            self.control[OPEN] = 1
            for gate in self.gates:
                if gate.locked():
                    gate.release()
            self.drive(self.control.ctypes.data, self.scratch[0].ctypes.data)

    def _work(self, number: int, gate: threading.Lock) -> None:
        while True:
            gate.acquire()
            self.drive(self.control.ctypes.data + 1, self.scratch[number].ctypes.data)


@cache
def pool(threads: int) -> Pool:
    return Pool(threads)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=pool.cache_clear)  # threads do not live on in a child


def available() -> int:
    """How many threads there are to be: NETC_THREADS, else the cores that this process may use."""
    wanted = os.environ.get("NETC_THREADS", "")
    if wanted.isdigit() and int(wanted) > 0:
        return int(wanted)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _yield() -> int:
    """The address of what gives the core to another thread."""
    name = "SwitchToThread" if sys.platform == "win32" else "sched_yield"
    function = getattr(ctypes.CDLL("kernel32" if sys.platform == "win32" else None), name)
    return ctypes.cast(function, ctypes.c_void_p).value or 0


@cache
def _driver() -> int:
    return loaded(assembled(DRIVE.replace("PAUSE", machine().pause)), "drive")


DRIVE = """
; A word that is odd is a worker's: it joins only a run that is open. The other is the caller's: it closes the run behind the
; last step, and waits until all workers have left.
declare void @PAUSE()

define void @drive(i64 %word, ptr %scratch) {
  %base = and i64 %word, -2
  %control = inttoptr i64 %base to ptr
  %worker = trunc i64 %word to i1
  %active = getelementptr i64, ptr %control, i64 1
  %joined = atomicrmw add ptr %active, i64 1 seq_cst
  %open = load atomic i64, ptr %control seq_cst, align 8
  %closed = icmp eq i64 %open, 0
  br i1 %closed, label %leave, label %begin
begin:
  %field.steps = getelementptr i64, ptr %control, i64 3
  %field.count = getelementptr i64, ptr %control, i64 4
  %steps = load i64, ptr %field.steps
  %count = load i64, ptr %field.count
  %first = inttoptr i64 %steps to ptr
  br label %step
step:
  %s = phi i64 [0, %begin], [%s.next, %finished]
  %more = icmp slt i64 %s, %count
  br i1 %more, label %take, label %end
take:
  %offset = shl i64 %s, 3
  %record = getelementptr i64, ptr %first, i64 %offset
  %field.args = getelementptr i64, ptr %record, i64 1
  %field.size = getelementptr i64, ptr %record, i64 2
  %field.chunks = getelementptr i64, ptr %record, i64 3
  %field.next = getelementptr i64, ptr %record, i64 4
  %field.done = getelementptr i64, ptr %record, i64 5
  %function = load ptr, ptr %record
  %args = load ptr, ptr %field.args
  %size = load i64, ptr %field.size
  %chunks = load i64, ptr %field.chunks
  br label %chunk
chunk:
  %i = atomicrmw add ptr %field.next, i64 1 seq_cst
  %mine = icmp slt i64 %i, %chunks
  br i1 %mine, label %run, label %look
run:
  %i.next = add i64 %i, 1
  %lo.scaled = mul i64 %i, %size
  %hi.scaled = mul i64 %i.next, %size
  %lo = udiv i64 %lo.scaled, %chunks
  %hi = udiv i64 %hi.scaled, %chunks
  call void %function(ptr %args, i64 %lo, i64 %hi, ptr %scratch)
  %ran = atomicrmw add ptr %field.done, i64 1 seq_cst
  br label %chunk
look:
  %looks = phi i64 [0, %chunk], [%looks.next, %pause], [%looks.next, %rest]
  %done = load atomic i64, ptr %field.done seq_cst, align 8
  %waiting = icmp slt i64 %done, %chunks
  br i1 %waiting, label %pause, label %finished
pause:
  call void @PAUSE()
  %looks.next = add i64 %looks, 1
  %patient = icmp slt i64 %looks.next, PATIENCE
  br i1 %patient, label %look, label %rest
rest:
  call void @yield(ptr %control)
  br label %look
finished:
  %s.next = add i64 %s, 1
  br label %step
end:
  br i1 %worker, label %leave, label %close
close:
  store atomic i64 0, ptr %control seq_cst, align 8
  %left = atomicrmw sub ptr %active, i64 1 seq_cst
  br label %others
others:
  %present = load atomic i64, ptr %active seq_cst, align 8
  %alone = icmp eq i64 %present, 0
  br i1 %alone, label %out, label %wait
wait:
  call void @PAUSE()
  call void @yield(ptr %control)
  br label %others
leave:
  %gone = atomicrmw sub ptr %active, i64 1 seq_cst
  br label %out
out:
  ret void
}

define internal void @yield(ptr %control) {
  %field = getelementptr i64, ptr %control, i64 2
  %function = load ptr, ptr %field
  %ignored = call i32 %function()
  ret void
}
""".replace("PATIENCE", str(PATIENCE))

"""The native loop: every chunk runs once, steps wait for each other, threads get along, and it costs next to nothing."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from netcompiler.plan import Axis
from netcompiler.scalar import operand
from runtime.kernels import cpu
from runtime.kernels.cpu.code import Code
from runtime.kernels.cpu.driver import Step, Table, pool

Array = np.ndarray[Any, Any]


def raised(code: Code) -> None:
    """y[i] = y[i] * 3 + x[i], which depends on how often and in which order it is done."""
    x, y = code.arg(0), code.arg(1)
    with code.loop(code.lo, code.hi) as i:
        value = code.b.add(code.b.mul(code.load(code.at(y, i, "i64"), "i64"), code.whole(3)), code.load(code.at(x, i, "i64"), "i64"))
        code.store(value, code.at(y, i, "i64"))


def steps(count: int, x: Array, y: Array) -> list[Step]:
    rng = np.random.default_rng(count)
    return [Step((raised,), (x.ctypes.data, y.ctypes.data), len(x), int(rng.integers(1, 40)), keep=(x, y)) for _ in range(count)]


def expected(count: int, x: Array) -> Array:
    y = np.zeros_like(x)
    for _ in range(count):
        y = y * 3 + x
    return y


@pytest.mark.parametrize("threads", [1, 2, 3, 7])
@pytest.mark.parametrize("size", [1, 2, 13, 1000])
def test_each_chunk_runs_once_and_steps_in_order(threads: int, size: int) -> None:
    x, y = np.arange(size, dtype=np.int64), np.zeros(size, np.int64)
    table = Table(steps(30, x, y), threads)
    for _ in range(5):
        y[...] = 0
        table()
        np.testing.assert_array_equal(y, expected(30, x))


def test_tables_of_several_callers_take_turns() -> None:
    tables, results = [], []
    for caller in range(4):
        x, y = np.arange(100, dtype=np.int64) + caller, np.zeros(100, np.int64)
        tables.append(Table(steps(20, x, y), 2))
        results.append((x, y))
    callers = [threading.Thread(target=table) for table in tables]
    for thread in callers:
        thread.start()
    for thread in callers:
        thread.join()
    for x, y in results:
        np.testing.assert_array_equal(y, expected(20, x))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_child_has_threads_of_its_own() -> None:
    x, y = np.arange(50, dtype=np.int64), np.zeros(50, np.int64)
    Table(steps(3, x, y), 2)()
    child = os.fork()
    if child == 0:
        y[...] = 0
        Table(steps(3, x, y), 2)()
        os._exit(0 if np.array_equal(y, expected(3, x)) else 1)
    assert os.waitpid(child, 0)[1] == 0


def best(call: Callable[[], None], rounds: int = 7) -> float:
    found = []
    for _ in range(rounds):
        begin = time.perf_counter()
        call()
        found.append(time.perf_counter() - begin)
    return min(found)


def test_products_and_maps_in_turn_cost_what_they_cost_alone() -> None:
    """With a thread pool for each kind it would be several times as much."""
    x, y = np.ones((8, 28, 28, 128), np.float32), np.empty((8, 28, 28, 128), np.float32)
    w, z = np.ones((128, 1, 1, 128), np.float32), np.empty_like(y)
    packed = np.ones(128 * 128, np.float32)
    window = (Axis(1), Axis(1))
    product = list(cpu.KERNELS["conv_product"](y, x, w, window=window, groups=1, packed=packed))
    scaled = list(cpu.KERNELS["map"](z, y, exprs=(operand(0) * 2 + 1,), shape=y.shape, dtype="f32"))
    alone = [Table(kind * 10, 2) for kind in (product, scaled)]
    in_turn = Table((product + scaled) * 10, 2)
    ratios = []
    for _ in range(8):  # other processes may be about
        ratios.append(best(in_turn) / sum(map(best, alone)))
        if ratios[-1] <= 1.3:
            return
    pytest.fail(f"in turn they take {min(ratios):.2f} times as long")


def test_a_step_costs_next_to_nothing() -> None:
    x, y = np.zeros(1, np.int64), np.zeros(1, np.int64)
    table = Table([Step((raised,), (x.ctypes.data, y.ctypes.data), 1, keep=(x, y))] * 2000, 2)
    assert best(table) / 2000 < 20e-6
    assert pool(2).threads == 2

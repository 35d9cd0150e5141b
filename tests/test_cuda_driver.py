"""The driver for GPUs over a CUDA that forbids what a GPU forbids, and does things as late or as early as their order allows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from cuda_fake import FakeCuda, sources_as_code

from netcompiler.scalar import operand
from runtime.arrays import Array
from runtime.kernels.cuda import KERNELS, library
from runtime.kernels.cuda.device import Gpu, Steps
from runtime.kernels.cuda.driver import COPIES, MAIN, OutOfMemory
from runtime.kernels.cuda.hardware import Hardware

A, B = operand(0), operand(1)
ORDERS = [(False, False), (False, True), (True, False), (True, True)]
"""Of the main stream and of that of copies: whether it runs ahead."""


@pytest.fixture(autouse=True)
def _no_nvrtc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "cubins", sources_as_code)


def gpu(eager: tuple[bool, bool] = (False, False), **options: bool) -> Gpu:
    return Gpu(Hardware(FakeCuda(eager)), **options)


def floats(device: Gpu, *shape: int) -> Array:
    return device.allocate(4 * int(np.prod(shape))).view("f4").reshape(shape)


def averaged(device: Gpu, mean: Array, x: Array) -> Steps:
    """mean = mean / 2 + x"""
    return Steps(device.driver, list(KERNELS["map"](mean, mean, x, exprs=(A * 0.5 + B,), shape=mean.shape, dtype="f32")))


@pytest.mark.parametrize("graphs", [True, False])
@pytest.mark.parametrize("eager", ORDERS)
def test_batches_and_figures_keep_their_order_while_steps_go_on(eager: tuple[bool, bool], graphs: bool) -> None:
    device = gpu(eager, graphs=graphs)
    inputs, mean = device.allocate(4 * 40), floats(device, 40)
    slots, program = device.slots(inputs), device.whole([averaged(device, mean, inputs.view("f4"))])
    asked: list[Callable[[], list[float]]] = []
    found: list[float] = []
    for step in range(9):
        slots.begin().view("f4")[:] = step + np.arange(40)
        slots.end()
        for call in program:
            call()
        asked.append(device.figures([mean[:1], mean[39:]]))
        if step > 1:  # two steps behind: more than any trainer
            found += asked[step - 2]()
    found += [value for later in asked[-2:] for value in later()]
    wanted, expected = np.zeros(40), []
    for step in range(9):
        wanted = wanted / 2 + step + np.arange(40)
        expected += [wanted[0], wanted[39]]
    np.testing.assert_allclose(found, expected, 1e-6)
    np.testing.assert_allclose(device.read(mean), wanted, 1e-6)


@pytest.mark.parametrize("missing", ["hold", "reached"])
def test_an_order_that_is_missing_shows(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Hardware, missing, lambda *_: None)
    with pytest.raises(AssertionError, match="Not equal"):
        [test_batches_and_figures_keep_their_order_while_steps_go_on(eager, True) for eager in ORDERS]


def test_single_numbers_of_every_type_are_set_in_the_stream() -> None:
    device = gpu()
    for dtype, value in (("f4", 0.1), ("f8", 0.1), ("i4", -7), ("i8", 2**40 + 1), ("u1", 200), ("?", 1)):
        room = device.allocate(8).view(dtype)[:1]
        device.write(room, value)
        assert device.read(room).item() == np.dtype(dtype).type(value)


def test_arrays_with_gaps_and_axes_in_any_order_are_read() -> None:
    device, values = gpu(), np.arange(60, dtype="f4").reshape(3, 4, 5)
    whole = floats(device, 3, 4, 5)
    device.write(whole.transpose(2, 0, 1), values.transpose(2, 0, 1))
    np.testing.assert_array_equal(device.read(whole), values)
    np.testing.assert_array_equal(device.read(whole[1:, :, 1:3]), values[1:, :, 1:3])
    np.testing.assert_array_equal(device.read(whole.transpose(1, 2, 0)[::2]), values.transpose(1, 2, 0)[::2])
    assert device.read(whole[:0]).shape == (0, 4, 5)


def test_numbers_that_are_broadcast_and_bytes_that_are_filled() -> None:
    device = gpu()
    rows = floats(device, 3, 4)
    assert not device.read(rows).any()
    device.write(rows, np.arange(4))
    np.testing.assert_array_equal(device.read(rows), [[0, 1, 2, 3]] * 3)
    device.fill(rows[1:].reshape(-1).view("u1"), 0xFF)
    assert np.isnan(device.read(rows)[1:]).all()


FORBIDDEN: dict[str, Callable[[Gpu, Array, object], object]] = {
    "memory is allocated": lambda device, x, mark: device.allocate(8),
    "memory outside is touched": lambda device, x, mark: device.driver.copy(np.empty(x.shape, x.dtype), x),
    "code is loaded": lambda device, x, mark: averaged(device, x, x),
    "a stream is waited for": lambda device, x, mark: device.wait(),
    "an event is waited for": lambda device, x, mark: device.driver.reached(mark),
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_what_a_graph_must_not_hold_is_refused_while_it_is_captured(what: str) -> None:
    device = gpu()
    x, mark = floats(device, 4), device.driver.mark(MAIN)
    with pytest.raises(AssertionError, match=f"{what} while a graph is captured"):
        device.driver.captured(lambda: FORBIDDEN[what](device, x, mark) and None)


def test_a_program_runs_before_it_is_captured_and_a_library_is_opened_before_that() -> None:
    device, ran = gpu(), list[str]()
    [program] = device.whole([lambda: ran.append("capturing" if device.driver.cuda.capturing else "running")])
    for _ in range(3):
        program()
    assert ran == ["running", "capturing"]
    with pytest.raises(AssertionError, match="before a graph is captured"):
        device.driver.captured(lambda: device.driver.handle(str))
    assert device.driver.handle(str) == device.driver.handle(str) == str(device.driver.streams[MAIN].ptr)


def test_too_little_memory_is_told_in_bytes() -> None:
    device = Gpu(Hardware(FakeCuda(size=1000)))
    with pytest.raises(OutOfMemory, match="2,000 bytes are asked for, and 1,000 are free"):
        device.allocate(2000)


def test_seconds_lie_between_two_marks() -> None:
    device = gpu()
    x = floats(device, 4)
    assert device.seconds([averaged(device, x, x)]) == 1e-3
    device.driver.hold(COPIES, device.driver.mark(MAIN))
    device.wait()

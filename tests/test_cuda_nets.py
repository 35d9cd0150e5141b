"""Whole nets by the CUDA target: on this processor against the reference, and on paper: the order of what is read and written."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import cuda_cudnn
import numpy as np
import pytest
import small
from cuda_cublas import Blas
from cuda_fake import FakeCuda, sources_as_code
from cuda_host import HostDriver
from test_cpu_nets import SLACK, off, planned
from test_cuda_driver import ORDERS
from test_nets import NETS, Small, loaded, targets
from test_one_pass import ONE, made, steps

from netcompiler.recipe import Recipe
from runtime.arrays import Array
from runtime.kernels.cuda import convolutions, cublas, cudnn, library, matmul
from runtime.kernels.cuda.device import Gpu
from runtime.kernels.cuda.driver import MAIN
from runtime.kernels.cuda.hardware import Hardware
from runtime.kernels.cuda.paper import memory, parts
from runtime.kernels.cuda.steps import Launch, Step
from runtime.kernels.layout import address
from runtime.session import Session

ERROR = 1e-5
RUN = ("detector", "lenet:1998", "locally-connected", "resnet-cifar", "speech:heterogeneous-dropout")
"""Nets that have, taken together, nearly every kernel there is."""


@pytest.fixture(autouse=True)
def libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    blas = Blas()
    monkeypatch.setattr(cudnn, "front", lambda: cuda_cudnn.FRONT)
    monkeypatch.setattr(cublas, "blas", lambda: blas)


def strict(recipe: Recipe) -> Recipe:
    return recipe.model_copy(update={"precision": "fp32"})


def batch_of(graph: Any, rows: int, rng: np.random.Generator) -> tuple[dict[str, Array], dict[str, Array]]:
    x = {node.name: rng.normal(size=(rows, *node.shape)).astype(np.float32) for node in graph.inputs}
    return x, targets(graph, rows, rng)


@pytest.mark.parametrize("net", [net for net in NETS if net.spec in RUN], ids=lambda net: net.spec)
def test_gradients(net: Small) -> None:
    graph, recipe = loaded(net.text())
    batch = batch_of(graph, net.rows, np.random.default_rng(zlib.crc32(net.spec.encode())))
    reference, single = (Session(planned(graph, recipe, net.rows, "numpy", dtype=dtype)) for dtype in ("f64", "f32"))
    own = Session(planned(graph, strict(recipe), net.rows, "cuda"), device=Gpu(HostDriver()))
    for session in (own, single):
        session.load(reference.parameters())
    loss, gradients = reference.gradients(*batch)
    found, mine = own.gradients(*batch)
    rounded = single.gradients(*batch)[1]
    assert found == pytest.approx(loss, rel=ERROR)
    worst = max((off(mine[name], g) - SLACK * off(rounded[name], g), name) for name, g in gradients.items())
    assert worst[0] <= ERROR, worst


TEN = {"lenet": "{netc: 1, name: ten, extends: lenet}", "residual": small.text(small.MIXED, train="optimizer: {sgd: 0.001}")}


@pytest.mark.parametrize("spec", TEN)
def test_ten_steps(spec: str) -> None:
    graph, recipe = small.read(TEN[spec])
    reference = Session(planned(graph, recipe, 4, "numpy", dtype="f64"))
    own = Session(planned(graph, strict(recipe), 4, "cuda"), device=Gpu(HostDriver()))
    own.load(reference.parameters())
    rng = np.random.default_rng(0)
    for _ in range(10):
        batch = batch_of(graph, 4, rng)
        assert own.step(*batch)["loss"] == pytest.approx(reference.step(*batch)["loss"], rel=ERROR)
    for name, value in reference.parameters().items():
        assert off(own.parameters()[name], value) < 10 * ERROR, name


@pytest.mark.parametrize("augment", ONE.values(), ids=list(ONE))
def test_pictures_that_are_changed_on_their_way(augment: str) -> None:
    reference, own = Session(made(augment, "numpy")), Session(made(augment, "cuda"), device=Gpu(HostDriver()))
    own.load(reference.parameters())
    assert steps(own) == pytest.approx(steps(reference), rel=1e-4)


# a GPU's order


SPEC = small.text(small.MIXED, train="optimizer: {sgd: {rate: 0.05, momentum: 0.9}}, precision: fp32")
X, Y = [small.pictures(4, seed=seed).astype(np.float32) for seed in range(4)], small.labels(4)


def in_order(run: Callable[[Any, Hardware], None]) -> Callable[[Any, Hardware], None]:
    """A library's call goes into the stream, too."""
    return lambda step, driver: driver.streams[MAIN].put(lambda: run(step, driver))


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Callable[[tuple[bool, bool]], Gpu]:
    monkeypatch.setattr(library, "cubins", sources_as_code)
    for of in (convolutions.Convolution, matmul.Product):
        monkeypatch.setattr(of, "run", in_order(of.run))
    return lambda eager: Gpu(Hardware(FakeCuda(eager)))


@pytest.mark.parametrize("eager", ORDERS)
def test_steps_and_evaluations_that_are_begun_ahead(gpu: Callable[[tuple[bool, bool]], Gpu], eager: tuple[bool, bool]) -> None:
    """As on a processor, in whatever order a GPU does what is asked for; nothing in a graph that must not be."""
    plain = Session(small.planned(SPEC, dtype="f32", target="cpu"), seed=5)
    own = Session(small.planned(SPEC, dtype="f32", target="cuda"), seed=5, device=gpu(eager))
    wanted = [plain.step(x, Y) for x in X] + [plain.evaluate(x, Y) for x in X[:2]]
    later = [own.begin_step(x, Y, epoch=at) for at, x in enumerate(X)] + [own.begin_evaluation(x, Y) for x in X[:2]]
    for found, expected in zip([ask() for ask in later], wanted, strict=True):
        assert found == pytest.approx(expected, rel=1e-4)
    small.same(own.parameters(), plain.parameters(), 1e-4)
    np.testing.assert_allclose(own.run(X[0][:3]), plain.run(X[0][:3]), 1e-3, 1e-4)


def test_memory_that_holds_nothing_is_never_read(gpu: Callable[[tuple[bool, bool]], Gpu]) -> None:
    plan = small.planned(SPEC, dtype="f32", target="cuda")
    plain, poisoned = (Session(plan, poison=poison, device=gpu((False, False))) for poison in (False, True))
    for x in X[:2]:
        assert plain.step(x, Y) == poisoned.step(x, Y)
    small.same(plain.state(), poisoned.state(), 0)


# on paper


@pytest.mark.parametrize("net", NETS, ids=lambda net: net.spec)
def test_what_is_read_was_written_and_nothing_else_is_touched(net: Small) -> None:
    graph, recipe = loaded(net.text())
    plan = planned(graph, recipe, net.rows, "cuda")
    there, faults = memory(plan), []
    written = {name: np.full(array.size, name != "arena") for name, array in there.items()}
    program = None
    for part in parts(plan, there):
        if part.program is not program:
            program = part.program
            written["arena"][:] = False
        for step in part.steps:
            unwritten = [number for number, array in enumerate(step.reads) if not mask(array, there, written).all()]
            for array in step.writes:
                mask(array, there, written)[...] = True
            faults += [f"{program.name}: {part.instruction.op} reads what nobody wrote, its {n}th" for n in unwritten]
        faults += [f"{program.name}: {part.instruction.op} is handed {n}, which is not its own" for n in strangers(part.steps, there)]
    assert faults == []


def mask(array: Array, there: dict[str, Array], written: dict[str, Array]) -> Array:
    """Which of an array's bytes are written: a view. The array itself must not be looked into."""
    begin = address(array)
    for name, segment in there.items():
        if address(segment) <= begin < address(segment) + max(1, segment.size):
            shape, strides = (*array.shape, array.itemsize), (*array.strides, 1)
            return np.ndarray(shape, bool, written[name], begin - address(segment), strides)
    return np.zeros(1 if array.size else 0, bool)


def strangers(steps: Sequence[Step], there: dict[str, Array]) -> Iterator[int]:
    """Addresses in the tables of launches that belong to none of their arrays."""
    spans = [span(array) for step in steps for array in (*step.reads, *step.writes)]
    first, last = min(map(address, there.values())), max(address(segment) + segment.size for segment in there.values())
    for number in (number for step in steps if isinstance(step, Launch) for number in step.table):
        if first <= number < last and not any(begin <= number < end for begin, end in spans):
            yield number


def span(array: Array) -> tuple[int, int]:
    begin = address(array)
    return begin, begin + sum((n - 1) * step for n, step in zip(array.shape, array.strides, strict=True)) + array.itemsize

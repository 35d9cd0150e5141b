"""What must be right on a GPU: nets in each precision, graphs, and memory over many steps."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

import netcompiler
from runtime.device import device_of
from runtime.environment import resident
from runtime.gradcheck import made_up
from runtime.kernels.cuda.device import Gpu
from runtime.session import Session

ALLOWED = {"fp32": 1e-5, "tf32": 1e-3, "bf16": 2e-2}
"""How far numbers may be from the oracle's, relative to the largest of them: gradients in fp32, else what comes out of a net."""
BATCHES = 3
"""One of them has to agree: where an activation lies next to 0, its last digit decides on a gradient."""

NETS = (("lenet", 16, {}), ("resnet-cifar:20", 8, {"train.augment": []}), ("resnet:18", 4, {"input": [3, 64, 64], "train.augment": []}))
STEPS = 1000
GROWN = 2**23
"""Bytes of this process that many steps may add: what Python keeps."""


class Check(NamedTuple):
    name: str
    sound: bool
    found: str
    seconds: float

    def line(self) -> str:
        return f"{'sound' if self.sound else 'WRONG'}  {self.name}: {self.found} ({self.seconds:.0f} s)"


def checks() -> Iterator[Check]:
    for spec, batch, settings in NETS:
        reference = None
        for precision in ALLOWED:
            reference = reference or _Reference(spec, batch, settings)
            yield _checked(f"{spec} in {precision}", lambda p=precision, r=reference: r.compared(p))
    yield _checked("a graph's steps are those made one by one", _replayed)
    for spec, batch in (("lenet", 128), ("resnet:18", 32)):
        yield _checked(f"memory over {STEPS:,} steps of {spec}", lambda s=spec, b=batch: _grown(s, b))


def _checked(name: str, check: Callable[[], tuple[bool, str]]) -> Check:
    """Whatever goes wrong is told, and the next check begins."""
    begin = time.monotonic()
    try:
        sound, found = check()
    except Exception as error:  # a report of all checks is worth more than the first traceback
        sound, found = False, f"{type(error).__name__}: {error}"
    return Check(name, sound, found, time.monotonic() - begin)


def _session(spec: str, batch: int, settings: Mapping[str, Any], target: str, dtype: str = "float32", device: Any = None) -> Session:
    return Session(netcompiler.compile(spec, "train", batch, target, dtype, settings=settings), device=device)


class _Reference:
    """A net by the oracle, and batches for it."""

    def __init__(self, spec: str, batch: int, settings: Mapping[str, Any]) -> None:
        self.spec, self.size, self.settings = spec, batch, settings
        self.exact = _session(spec, batch, settings, "numpy", "float64")
        self.batches = [made_up(self.exact, np.random.default_rng(seed)) for seed in range(BATCHES)]

    def compared(self, precision: str) -> tuple[bool, str]:
        """Fewer digits turn so many gradients over that only results can be compared: with the oracle's in as many digits."""
        own, rounding = (self._rounded(precision, target) for target in ("cuda", "numpy"))
        if precision == "fp32":
            apart, what = min(self._gradients(own, batch) for batch in self.batches), "gradients"
        else:
            apart, what = max(_outputs(own, rounding, x) for x, _ in self.batches), "outputs"
        return apart <= ALLOWED[precision], f"{what} apart by {apart:.1e} of the largest"

    def _rounded(self, precision: str, target: str) -> Session:
        session = _session(self.spec, self.size, {**self.settings, "train.precision": precision}, target)
        session.load(self.exact.parameters())
        return session

    def _gradients(self, own: Session, batch: tuple[Any, Any]) -> float:
        found, wanted = own.gradients(*batch)[1], self.exact.gradients(*batch)[1]
        return max(_off(found[name], wanted[name]) for name in wanted)


def _outputs(own: Session, rounding: Session, x: Any) -> float:
    return _off(own.run(x), rounding.run(x))


def _off(found: Any, wanted: Any) -> float:
    return float(np.max(np.abs(found - wanted)) / max(float(np.max(np.abs(wanted))), 1e-6))


def _replayed() -> tuple[bool, str]:
    device = device_of("cuda")
    assert isinstance(device, Gpu)
    devices = (Gpu(device.driver, graphs) for graphs in (True, False))
    whole, single = (_session("resnet-cifar:20", 16, {"train.augment": []}, "cuda", device=own) for own in devices)
    rng, apart = np.random.default_rng(1), []
    for _ in range(5):
        batch = made_up(whole, rng)
        if whole.step(*batch) != single.step(*batch):
            apart.append("a loss")
    others = single.state()
    apart += [name for name, value in whole.state().items() if not np.array_equal(value, others[name])]
    return not apart, f"{', '.join(apart[:3])} differ" if apart else "equal in every bit after 5 steps"


def _grown(spec: str, batch: int) -> tuple[bool, str]:
    """Free memory of the GPU, and what this process has, behind the first steps and behind all of them."""
    session = _session(spec, batch, {"train.augment": []}, "cuda")
    inputs, targets = made_up(session, np.random.default_rng(0))
    later = [session.begin_step(inputs, targets, epoch=0) for _ in range(10)]
    before = (session.device.free(), resident())
    begin = time.perf_counter()
    for _ in range(STEPS):
        later.append(session.begin_step(inputs, targets, epoch=0))
        losses = later.pop(0)()
    session.device.wait()
    each = (time.perf_counter() - begin) / STEPS
    gpu, own = before[0] - session.device.free(), resident() - before[1]
    memory = f"{gpu:,} bytes more of the GPU, {own / 2**20:.1f} MiB of this process"
    told = f"{memory}; {1e3 * each:.3f} ms a step with its pictures, loss {losses['loss']:.4f}"
    return gpu <= 0 and own <= GROWN, told

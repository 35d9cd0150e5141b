"""netc doctor: what this machine has to run nets on, what is missing and how to get it, and whether it computes what it should."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import netcompiler
from netcompiler.cli import FAULTY, FINE, arguments, version
from netcompiler.cli.contestants import job_of, plan_of
from netcompiler.cli.opening import one_thread
from netcompiler.cli.target import fault, of
from netcompiler.report.figures import size
from netcompiler.targets import AUTO, TARGETS, oracle

if TYPE_CHECKING:
    from netcompiler.plan import Plan
    from runtime.selftest import Verdict

NET, BATCH = "lenet", 32
"""What the test of a target trains."""

Row = tuple[str, str]
"""A name and what there is to say; without a name the heading of a part."""


def main(words: Sequence[str]) -> int:
    _parser().parse_args(words)
    one_thread()
    sick = False
    for rows in (_own(), _cpu(), _cuda()):
        _print(rows)
    for target in TARGETS:
        if target != oracle() and not fault(target):
            verdict = _tested(target)
            sick = sick or not verdict.sound
            _print([(f"{target} tried", _told(verdict))])
    target, why = of(AUTO)
    print(f"\nnetc runs nets on {target}{f': {why}' if why else ''}")
    return FAULTY if sick else FINE


def _parser() -> arguments.Parser:
    parser = arguments.Parser("doctor", "What nets can run on here, what is missing and how to get it; a short test of all that is there.")
    parser.add_device()
    return parser


def _own() -> Iterator[Row]:
    import numpy as np

    yield "netc", f"{version()}, Python {platform.python_version()}, NumPy {np.__version__}, {platform.platform(terse=True)}"


def _cpu() -> Iterator[Row]:
    from runtime.environment import memory, processor
    from runtime.kernels.cpu.driver import available

    yield "cpu", f"{processor()}, {size(memory())} of memory"
    yield "  threads", f"{available()}; NETC_THREADS sets another number"
    yield "  LLVM", fault("cpu") or _llvm()
    yield "  cache", _cache()


def _llvm() -> str:
    from runtime.kernels.cpu.machine import machine

    return f"{machine().name.partition(' ')[2]}, vectors of {8 * machine().bytes} bits"


def _cache() -> str:
    from runtime.cache import folder

    home = folder("kernels")
    if home is None:
        return "nothing can be kept, and kernels are compiled each time: name a folder with NETC_CACHE"
    sizes = [path.stat().st_size for path in home.parent.rglob("*") if path.is_file()]
    return f"{_short(home.parent)}, {len(sizes):,} files of {size(sum(sizes))}; it may be deleted at any time"


def _short(path: Path) -> str:
    return f"~/{path.relative_to(Path.home())}" if path.is_relative_to(Path.home()) else str(path)


def _cuda() -> Iterator[Row]:
    from runtime.kernels.cuda import presence

    found = presence.seen()
    if found is None:
        yield "cuda", "no GPU of NVIDIA's, or no driver for it"
    else:
        yield "cuda", f"the driver knows CUDA up to {found.cuda[0]}.{found.cuda[1]}"
        for number, (name, memory) in enumerate(found.gpus):
            yield f"  GPU {number}", f"{name}, {size(memory)}"
    for package in presence.PACKAGES:
        yield f"  {package}", presence.installed(package) or "missing"
    if found:
        yield "  so", presence.fault() or "all that nets need is there"
    else:
        yield "  so", "where there is a GPU, pip install 'netc[cuda13]', or 'netc[cuda12]' for a driver that knows no CUDA 13"


def _tested(target: str) -> Verdict:
    from netcompiler.cli.starting import told
    from runtime.selftest import compared

    with told(target):
        return compared(_plan(target), _plan(oracle()))


def _plan(target: str) -> Plan:
    return plan_of(job_of(netcompiler.load(NET), "train", BATCH, target, {}))


def _told(verdict: Verdict) -> str:
    what = f"{NET} trained for {len(verdict.losses)} steps in {verdict.seconds:.1f} s"
    if verdict.sound:
        return f"{what}, as the reference does"
    return f"{what}, and the losses are wrong: {_listed(verdict.losses)} instead of {_listed(verdict.expected)}"


def _listed(losses: Sequence[float]) -> str:
    return " ".join(f"{loss:.4f}" for loss in losses[:4])


def _print(rows: Iterator[Row] | Sequence[Row]) -> None:
    for name, text in rows:
        print(f"{name:<18}{text}")

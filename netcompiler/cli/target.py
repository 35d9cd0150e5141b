"""Which target runs a plan when nobody says: the best that works here, and why it is that one."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Set
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from netcompiler.cli import Refusal
from netcompiler.cli.waiting import waiting
from netcompiler.targets import AUTO, TARGETS, best, oracle

if TYPE_CHECKING:
    from netcompiler.plan import Plan
    from runtime.session import Session

RUN = frozenset({"step", "accumulate", "update", "evaluate"})
GPU = "cuda"


class Taken(NamedTuple):
    """A target, and why it was taken where nobody asked for it by name."""

    target: str
    why: str = ""


def of(name: str, dtype: str = "f32") -> Taken:
    """The target of a name; Refusal where it cannot run here."""
    if name != AUTO:
        if why := fault(name):
            raise Refusal(f"target {name} cannot run here: {why}; `netc doctor` tells more")
        return Taken(name)
    if dtype != "f32" or GPU not in TARGETS:
        return _processor(dtype)
    why = fault(GPU)
    return _processor(dtype, why) if why else Taken(GPU, _gpu())


def chosen(name: str, dtype: str = "f32") -> str:
    return of(name, dtype).target


def trained_on(summary: Mapping[str, Any]) -> str:
    """What a run was trained on; where that is not here, the best that is, which gives other last digits."""
    trained = summary.get("target", AUTO)
    why = "" if trained == AUTO else fault(trained)
    if trained != AUTO and not why:
        return str(trained)
    target = chosen(AUTO)
    if why:
        print(f"netc: the run was trained on {trained}, and {target} runs it here: {why}", file=sys.stderr)
    return target


@cache
def fault(target: str) -> str:
    """Why a target is of no use here, and what to do about it, if so."""
    if target == GPU:
        from runtime.kernels.cuda import presence

        return presence.fault()
    return _no_llvm() if target == "cpu" else ""


def _processor(dtype: str, why: str = "") -> Taken:
    """Where kernels cannot be compiled, what needs none; that is said once."""
    target = best(dtype)
    if wrong := fault(target):
        print(f"netc: kernels for this processor cannot be compiled, and the slow reference runs instead: {wrong}", file=sys.stderr)
        return Taken(oracle(), why)
    return Taken(target, why)


def _gpu() -> str:
    from runtime.kernels.cuda import presence

    found = presence.seen()
    assert found
    return found.gpus[0][0]


def _no_llvm() -> str:
    try:
        from runtime.kernels.cpu import machine

        machine.works()
    except (ImportError, OSError, RuntimeError) as error:
        return f"{error}; `pip install --force-reinstall llvmlite` may help"
    return ""


def begun(plan: Plan, seed: int, programs: Set[str] = RUN) -> Session:
    """A session with programs that will be run: those that training and measuring need; how far they are is said meanwhile."""
    from runtime.device import Refused
    from runtime.kernels.cuda.driver import OutOfMemory
    from runtime.session import Session

    try:
        session = Session(plan, seed)
        with told(plan.target):
            for program in programs & plan.programs.keys():
                session.binding.ready(program)
    except Refused as refused:
        raise Refusal(f"{refused}; `netc tune` with this spec finds another way, and keeps it in mind") from None
    except OutOfMemory as error:
        raise Refusal(f"the GPU has too little memory for {plan.batch} pictures at once: {error}; take a smaller batch") from None
    return session


@contextmanager
def told(target: str) -> Iterator[None]:
    """Says how far the compiling of kernels has come, if it takes longer than a moment."""
    with ExitStack() as stack:
        if target == GPU:
            from runtime.kernels.cuda import library

            stack.enter_context(library.heard(stack.enter_context(waiting("compiling kernels for this GPU"))))
        elif not fault("cpu"):
            from runtime.kernels.cpu.library import heard

            stack.enter_context(heard(stack.enter_context(waiting("compiling kernels for this processor"))))
        yield

"""Which target runs a plan when nobody says: the best that works here."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

from netcompiler.targets import AUTO, best, oracle

if TYPE_CHECKING:
    from netcompiler.plan import Plan
    from runtime.session import Session

RUN = {"step", "accumulate", "update", "evaluate"}
PATIENCE = 1.0
"""Seconds before it is said what takes so long."""


def chosen(name: str, dtype: str = "f32") -> str:
    """The target of a name; where kernels cannot be compiled, the one that needs none, and why is said once."""
    found = best(dtype) if name == AUTO else name
    fault = _fault() if found == "cpu" else ""
    if fault and name == AUTO:
        print(f"netc: kernels for this processor cannot be compiled, and the slow reference runs instead: {fault}", file=sys.stderr)
        return oracle()
    return found


@cache
def _fault() -> str:
    """Why LLVM is of no use here, if so."""
    try:
        from runtime.kernels.cpu import machine

        machine.works()
    except (ImportError, OSError, RuntimeError) as error:
        return f"{error}; `pip install --force-reinstall llvmlite` may help"
    return ""


def begun(plan: Plan, seed: int) -> Session:
    """A session with the programs that training and measuring run; how far they are is said meanwhile."""
    from runtime.session import Session

    session = Session(plan, seed)
    with told():
        for program in RUN & plan.programs.keys():
            session.binding.ready(program)
    return session


@contextmanager
def told() -> Iterator[None]:
    """Says how far the compiling of kernels has come, if it takes longer than a moment."""
    if _fault():
        yield
        return
    from runtime.kernels.cpu.library import heard

    begin, shown = time.perf_counter(), False

    def say(done: int, of: int) -> None:
        nonlocal shown
        if time.perf_counter() - begin < PATIENCE or (shown and not sys.stderr.isatty()):
            return
        shown = True
        end = "\r" if sys.stderr.isatty() else "\n"
        print(f"netc: compiling kernels for this processor, {done} of {of}; they are kept", end=end, file=sys.stderr, flush=True)

    with heard(say):
        yield
    if shown and sys.stderr.isatty():
        print("\x1b[2K", end="", file=sys.stderr, flush=True)

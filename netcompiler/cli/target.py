"""Which target runs a plan when nobody says: the best that works here."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Set
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

from netcompiler.cli.waiting import waiting
from netcompiler.targets import AUTO, best, oracle

if TYPE_CHECKING:
    from netcompiler.plan import Plan
    from runtime.session import Session

RUN = frozenset({"step", "accumulate", "update", "evaluate"})


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


def begun(plan: Plan, seed: int, programs: Set[str] = RUN) -> Session:
    """A session with programs that will be run: those that training and measuring need; how far they are is said meanwhile."""
    from runtime.session import Session

    session = Session(plan, seed)
    with told():
        for program in programs & plan.programs.keys():
            session.binding.ready(program)
    return session


@contextmanager
def told() -> Iterator[None]:
    """Says how far the compiling of kernels has come, if it takes longer than a moment."""
    if _fault():
        yield
        return
    from runtime.kernels.cpu.library import heard

    with waiting("compiling kernels for this processor") as say, heard(say):
        yield

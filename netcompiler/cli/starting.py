"""A session for a plan, with its programs ready to run. What a library refuses becomes a fact, and the plan is made again by that."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Set
from contextlib import ExitStack, contextmanager
from math import inf
from typing import TYPE_CHECKING

from netcompiler.cli import Refusal
from netcompiler.cli.opening import Opened
from netcompiler.cli.target import GPU, fault
from netcompiler.cli.waiting import waiting
from netcompiler.plan import Facts, Plan, site, way

if TYPE_CHECKING:
    from runtime.device import Refused
    from runtime.session import Session

RUN = frozenset({"step", "accumulate", "update", "evaluate"})
"""Programs that training and measuring run."""


def begun(opened: Opened, plan: Plan, facts: Facts, programs: Set[str] = RUN) -> tuple[Session, Facts]:
    """The session, and the facts by which its plan was made in the end."""
    while True:
        refused = _tried(opened, plan, programs)
        if not isinstance(refused, Exception):
            return refused, facts
        facts = _without(refused, facts, plan.target)
        print(f"netc: {refused}: the plan is made again without that, also the next time", file=sys.stderr)
        plan = opened.plan(plan.target, facts, plan.mode)


def _tried(opened: Opened, plan: Plan, programs: Set[str]) -> Session | Refused:
    """How far it is is said meanwhile. A refusal is an answer here: what was begun must be gone before the next is."""
    from runtime.device import Refused
    from runtime.kernels.cuda.driver import OutOfMemory
    from runtime.session import Session

    try:
        session = Session(plan, opened.recipe.seed)
        with told(plan.target):
            for program in programs & plan.programs.keys():
                session.binding.ready(program)
    except Refused as refused:
        return refused.with_traceback(None)
    except OutOfMemory as error:
        raise Refusal(f"the GPU has too little memory for {plan.batch} pictures at once: {error}; take a smaller batch") from None
    return session


def _without(refused: Refused, facts: Facts, target: str) -> Facts:
    """What refused takes forever, from now on."""
    from runtime.facts import keep, kept

    known, found = kept(target), dict[str, dict[str, float]]()
    for instruction in refused.instructions:
        name, taken = site(instruction), way(instruction)
        if facts.get(name, {}).get(taken) == inf:
            raise Refusal(f"{refused}, and nothing else can run {instruction.core.op} here")
        found[name] = {**known.get(name, {}), **facts.get(name, {}), taken: inf}
    if not found:
        raise Refusal(str(refused))
    keep(found, anew=True, target=target)
    return {**facts, **found}


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

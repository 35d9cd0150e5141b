"""Measured facts on the command line: those that are kept, and those that are missing, measured now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from netcompiler.cli.waiting import waiting
from netcompiler.plan import Facts, Site
from netcompiler.targets import TARGETS, oracle
from netcompiler.targets.sites import about, sites, unknown

if TYPE_CHECKING:
    from netcompiler.cli.opening import Opened
    from netcompiler.plan import Plan

TUNED = tuple(name for name in TARGETS if name != oracle())
"""Targets that have kernels to choose among."""


class Measured(NamedTuple):
    """What is known now, whether or not somebody ended it early."""

    facts: Facts
    interrupted: bool = False


def kept(target: str) -> Facts:
    """What plans for a target are chosen by, as far as it has been measured on this machine."""
    if target not in TUNED:
        return {}
    from runtime import facts

    return facts.kept(target)


class Tuned(NamedTuple):
    """A plan, the facts that it depends on, and for how many kinds of instruction they were measured now."""

    plan: Plan
    facts: Facts
    timed: int = 0


def tuned(opened: Opened, plan: Plan, known: Facts, measures: bool) -> Tuned:
    """The plan by all that can be known, if what is missing is to be measured."""
    if plan.target not in TUNED:
        return Tuned(plan, {})
    chooser = opened.job(plan.target, known).chooser
    every = sites(plan, chooser)
    missing = unknown(every, known) if measures else []
    if not missing:
        return Tuned(plan, about(every, known))
    found = measured(missing, plan.target)
    if found.interrupted:
        raise KeyboardInterrupt
    facts = about(every, found.facts)
    return Tuned(opened.plan(plan.target, facts), facts, len(missing))


def measured(sites: Sequence[Site], target: str, anew: bool = False) -> Measured:
    """Ctrl-C leaves what is known by then, and it is kept."""
    from runtime.device import device_of
    from runtime.facts import keep
    from runtime.tune import timed

    device = device_of(target)
    found: dict[str, dict[str, float]] = {}
    try:
        with waiting("timing the kernels that there are for a kind of instruction") as say:
            for number, site in enumerate(sites):
                say(number, len(sites))
                found.update(timed(site, device))
    except KeyboardInterrupt:
        return Measured(keep(found, anew, target), interrupted=True)
    return Measured(keep(found, anew, target))

"""Where a plan has a choice: what is to be measured, so that the next plan is made by facts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from netcompiler.plan import Facts, Instruction, Plan, Site, Trial, Value, site
from netcompiler.targets.choice import Chooser
from netcompiler.targets.target import Offer


def sites(plan: Plan, chooser: Chooser) -> list[Site]:
    """Each kind of instruction with a choice, of offers or of a library's engines, once: the first of its kind."""
    found: dict[str, Site] = {}
    for program in plan.programs.values():
        homes = {**plan.homes[""], **plan.homes[program.name]}
        for instruction in program:
            able = chooser.able(instruction)
            if len(able) < 2 and not able[0].library:
                continue
            name = site(instruction)
            if name not in found:
                trials = tuple(trial for offer in able for trial in _trials(instruction, offer, chooser))
                found[name] = Site(instruction, trials, homes, program.name)
            elif found[name].program == program.name:
                found[name] = found[name]._replace(times=found[name].times + 1)
    return list(found.values())


def unknown(every: Iterable[Site], facts: Facts) -> list[Site]:
    return [each for each in every if any(trial.offer not in facts.get(trial.site, {}) for trial in each.trials)]


def about(every: Iterable[Site], facts: Facts) -> Facts:
    """Those that these sites depend on."""
    keys = {trial.site for each in every for trial in each.trials}
    return {name: facts[name] for name in sorted(keys & facts.keys())}


def _trials(instruction: Instruction, offer: Offer, chooser: Chooser) -> Iterator[Trial]:
    """What packs, and what reads it."""
    packed: tuple[Value, ...] = ()
    if offer.packs:
        pack = offer.packs.instruction(instruction.core, f"packed {offer.name}")
        packs, packed = chooser.offer(pack), pack.results
        yield Trial(site(pack), packs.name, packs.running(pack))
    yield Trial(site(instruction), offer.name, replace(offer.running(instruction), packed=packed))

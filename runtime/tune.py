"""How long each offer takes where a plan of target cpu has a choice: measured on arrays of its own, in the plan's shapes and pitches.

It knows instructions and arrays, and nothing of specs; who keeps the facts: facts.py.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from math import inf
from typing import NamedTuple

from netcompiler.plan import Home, Instruction, Plan, Value
from netcompiler.targets import Chooser, Facts, Offer
from netcompiler.targets.target import site
from runtime.arrays import Array, aligned, dtype_of
from runtime.binding import view
from runtime.kernels import cpu

ROUNDS = 9
PATIENCE = 0.5
"""Seconds of rounds for a site; one round behind the warm-up is made in any case."""
BEATEN = 1.5
"""What takes so many times as long as the fastest is not measured more closely."""
SHORTEST = 5e-4
"""Seconds of one measurement: what is shorter is repeated within it."""


Key = tuple[str, str]
"""A site and an offer."""

Trial = Callable[[], None]


class Site(NamedTuple):
    """An instruction that several offers can run: where its values lie, its program, and how often that has the like."""

    instruction: Instruction
    offers: tuple[Offer, ...]
    homes: Mapping[str, Home]
    program: str
    times: int = 1

    @property
    def name(self) -> str:
        return site(self.instruction)


def sites(plan: Plan, chooser: Chooser) -> list[Site]:
    """Each kind of instruction with a choice once, the first of its kind."""
    found: dict[str, Site] = {}
    for program in plan.programs.values():
        homes = {**plan.homes[""], **plan.homes[program.name]}
        for instruction in program:
            able = chooser.able(instruction)
            if len(able) < 2:
                continue
            name = site(instruction)
            if name not in found:
                found[name] = Site(instruction, tuple(able), homes, program.name)
            elif found[name].program == program.name:
                found[name] = found[name]._replace(times=found[name].times + 1)
    return list(found.values())


def unknown(every: Iterable[Site], facts: Facts) -> list[Site]:
    return [each for each in every if not {offer.name for offer in each.offers} <= facts.get(each.name, {}).keys()]


def about(every: Iterable[Site], chooser: Chooser) -> Facts:
    """Of the chooser's facts those that these sites depend on."""
    keys = {name for each in every for offer in each.offers for (name, _), _ in _instructions(each.instruction, offer, chooser)}
    return {name: chooser.facts[name] for name in sorted(keys & chooser.facts.keys())}


def timed(each: Site, chooser: Chooser) -> dict[str, dict[str, float]]:
    """The facts of a site and of what its offers pack: the least of some rounds in turn. Infinity for what cannot be built."""
    views = {value.name: _array(value, each.homes[value.name].pitch) for value in (*each.instruction.results, *each.instruction.operands)}
    facts: dict[str, dict[str, float]] = {}
    trials: dict[Key, Trial] = {}
    for offer in each.offers:
        for key, instruction in _instructions(each.instruction, offer, chooser):
            try:
                trials[key] = _trial(instruction, views)
            except Exception:  # whatever a kernel does not bear: the next plan takes another
                facts.setdefault(key[0], {})[key[1]] = inf
    for (name, taken), seconds in _least(trials).items():
        facts.setdefault(name, {})[taken] = seconds
    return facts


def _instructions(instruction: Instruction, offer: Offer, chooser: Chooser) -> Iterator[tuple[Key, Instruction]]:
    """What packs, and what reads it, by site and offer."""
    packed: tuple[Value, ...] = ()
    if offer.packs:
        pack = offer.packs.instruction(instruction.core, f"packed {offer.name}")
        packs, packed = chooser.offer(pack), pack.results
        yield (site(pack), packs.name), packs.running(pack)
    yield (site(instruction), offer.name), replace(offer.running(instruction), packed=packed)


def _array(value: Value, pitch: int) -> Array:
    """Ones, with the memory behind them: pages that were never written are no memory yet."""
    home = Home("own", 0, pitch)
    size = (value.elements // value.shape[-1] * (pitch or value.shape[-1]) if value.shape else 1) * dtype_of(value.dtype).itemsize
    memory = aligned(size)
    memory.view(dtype_of(value.dtype)).fill(1)
    return view(value, home, {"own": memory})


def _trial(instruction: Instruction, views: dict[str, Array]) -> Trial:
    for value in instruction.results:
        views.setdefault(value.name, _array(value, 0))
    calls = cpu.bound([instruction], views, 0)

    def run() -> None:
        for call in calls:
            call()

    return run


def _least(trials: Mapping[Key, Trial]) -> dict[Key, float]:
    """In turn, so that whatever else the machine does meets all of them."""
    warm = {key: _seconds(run, 1) for key, run in trials.items()}
    least = dict.fromkeys(trials, inf)
    begin = time.perf_counter()
    for _ in range(ROUNDS):
        for key in _hopeful(least):
            least[key] = min(least[key], _seconds(trials[key], 1 + int(SHORTEST / warm[key])))
        if time.perf_counter() - begin > PATIENCE:
            break
    return least


def _hopeful(least: Mapping[Key, float]) -> list[Key]:
    """Those that may still turn out to be the fastest at their site."""
    best = {name: min(seconds for (other, _), seconds in least.items() if other == name) for name, _ in least}
    return [key for key, seconds in least.items() if seconds <= BEATEN * best[key[0]]]


def _seconds(run: Trial, times: int) -> float:
    begin = time.perf_counter()
    for _ in range(times):
        run()
    return (time.perf_counter() - begin) / times

"""How long each offer takes where a plan has a choice: measured on arrays of its own, in the plan's shapes and pitches.

It knows instructions and arrays, and nothing of specs; who keeps the facts: facts.py.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from math import inf

from netcompiler.plan import ENGINE, Home, Instruction, Site, Trial, Value
from runtime.arrays import Array, dtype_of
from runtime.binding import view
from runtime.device import Device

ROUNDS = 9
PATIENCE = 0.5
"""Seconds of rounds for a site; one round behind the warm-up is made in any case."""
BEATEN = 1.5
"""What takes so many times as long as the fastest is not measured more closely."""
SHORTEST = 5e-4
"""Seconds of one measurement: what is shorter is repeated within it."""
ENGINES = 8
"""Of a library, so many are timed."""


Key = tuple[str, str]
"""A site and an offer."""

Run = Callable[[int], float]
"""Seconds of one, out of so many in a row."""


def timed(each: Site, device: Device) -> dict[str, dict[str, float]]:
    """The facts of a site and of what its offers pack: the least of some rounds in turn. Infinity for what cannot be built."""
    values = (*each.instruction.results, *each.instruction.operands)
    views = {value.name: _array(value, each.homes[value.name].pitch, device) for value in values}
    facts: dict[str, dict[str, float]] = {}
    runs: dict[Key, Run] = {}
    for trial in (way for offer in each.trials for way in _ways(offer, views, device)):
        try:
            runs[trial.site, trial.offer] = _bound(trial.instruction, views, device)
        except Exception:  # whatever a kernel does not bear: the next plan takes another
            facts.setdefault(trial.site, {})[trial.offer] = inf
    for (name, taken), seconds in _least(runs).items():
        facts.setdefault(name, {})[taken] = seconds
    return facts


def _ways(trial: Trial, views: dict[str, Array], device: Device) -> Iterator[Trial]:
    """An offer as it is, and by the most promising engines of its library."""
    yield trial
    try:
        found = device.engines(trial.instruction, _with_own(trial.instruction, views, device))
    except Exception:  # the library that refuses this refuses the trial, too
        return
    for engine in found[:ENGINES]:
        yield trial._replace(offer=f"{trial.offer}{ENGINE}{engine}", instruction=replace(trial.instruction, engine=engine))


def _array(value: Value, pitch: int, device: Device) -> Array:
    """Ones, with the memory behind them: pages that were never written are no memory yet."""
    home = Home("own", 0, pitch)
    size = (value.elements // value.shape[-1] * (pitch or value.shape[-1]) if value.shape else 1) * dtype_of(value.dtype).itemsize
    memory = device.allocate(size)
    device.write(memory.view(dtype_of(value.dtype)), 1)
    return view(value, home, {"own": memory})


def _bound(instruction: Instruction, views: dict[str, Array], device: Device) -> Run:
    calls = device.whole(device.bound([instruction], _with_own(instruction, views, device), 0))
    return lambda times: device.seconds(calls * times) / times


def _with_own(instruction: Instruction, views: dict[str, Array], device: Device) -> dict[str, Array]:
    """With what is packed, which all that read it share, and a workspace, which is different for each."""
    for value in instruction.results:
        views.setdefault(value.name, _array(value, 0, device))
    scratch = instruction.scratch
    return {**views, scratch.name: _array(scratch, 0, device)} if scratch else views


def _least(runs: Mapping[Key, Run]) -> dict[Key, float]:
    """In turn, so that whatever else the machine does meets all of them."""
    warm = {key: run(1) for key, run in runs.items()}
    least = dict.fromkeys(runs, inf)
    begin = time.perf_counter()
    for _ in range(ROUNDS):
        for key in _hopeful(least):
            least[key] = min(least[key], runs[key](1 + int(SHORTEST / warm[key])))
        if time.perf_counter() - begin > PATIENCE:
            break
    return least


def _hopeful(least: Mapping[Key, float]) -> list[Key]:
    """Those that may still turn out to be the fastest at their site."""
    best = {name: min(seconds for (other, _), seconds in least.items() if other == name) for name, _ in least}
    return [key for key, seconds in least.items() if seconds <= BEATEN * best[key[0]]]

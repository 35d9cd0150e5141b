"""Which of a target's offers runs an instruction: the cheapest, by measured seconds where all of them were measured, else by formula."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import NamedTuple

from netcompiler.plan import ENGINE, Facts, Instruction, site
from netcompiler.targets.target import Offer, Reason, Target


def engines(known: Mapping[str, float], offer: Offer) -> dict[str, float]:
    """Seconds by the names of engines; the library's own first choice has none."""
    own = (name.partition(ENGINE)[::2] for name in known)
    return {engine: known[f"{name}{ENGINE}{engine}" if engine else name] for name, engine in own if name == offer.name}


def least(known: Mapping[str, float], offer: Offer) -> float | None:
    return min(engines(known, offer).values(), default=None)


class NoOffer(Exception):
    """A target that cannot run an instruction: a fault of the target, never of a spec."""


class Choice(NamedTuple):
    """The offers that can run an instruction, each with its seconds; `measured` says where they come from."""

    seconds: Mapping[Offer, float]
    measured: bool

    @property
    def offer(self) -> Offer:
        return min(self.seconds, key=lambda offer: self.seconds[offer])


@dataclass(frozen=True)
class Chooser:
    """`repacks`: what a kernel reads in a form of its own is made anew each time it runs, so that it counts."""

    target: Target
    facts: Facts = field(default_factory=dict)
    exact: bool = False
    repacks: bool = True
    chosen: dict[Hashable, Offer] = field(init=False, default_factory=dict, compare=False, repr=False)
    known: dict[Hashable, Mapping[str, float]] = field(init=False, default_factory=dict, compare=False, repr=False)
    """What was chosen and looked up already: a net has few kinds of instruction, and many of each."""

    def offer(self, instruction: Instruction) -> Offer:
        key = _kind(instruction)
        if key not in self.chosen:
            able = self.able(instruction)
            self.chosen[key] = able[0] if len(able) == 1 and not able[0].library else self.choice(instruction).offer
        return self.chosen[key]

    def able(self, instruction: Instruction) -> list[Offer]:
        """Those that can run it; the last resort only where nothing else can."""
        offers = [offer for offer in self.target.offered(instruction) if not self._refusal(offer, instruction)]
        able = [offer for offer in offers if not offer.resort] or offers
        if not able:
            reasons = "; ".join(f"{o.name}: {self._refusal(o, instruction)}" for o in self.target.offered(instruction))
            raise NoOffer(f"{self.target.name} cannot run {instruction.core.op} ({reasons or 'no offer'})")
        return able

    def choice(self, instruction: Instruction) -> Choice:
        """By facts where all were measured. What could not be built is the worst; if nothing could, it is the last resort's turn."""
        known, able = self._known(instruction), self.able(instruction)
        if all(least(known, offer) == inf for offer in able):
            able = [offer for offer in self.target.offered(instruction) if not self._refusal(offer, instruction)]
        facts = {offer: least(known, offer) for offer in able}
        measured = None not in facts.values()
        own = {offer: fact for offer, fact in facts.items() if fact is not None and (measured or fact == inf)}
        seconds = {offer: own[offer] if offer in own else self.target.seconds(offer, instruction) for offer in able}
        return Choice({offer: taken + self._packing(offer, instruction) for offer, taken in seconds.items()}, measured)

    def running(self, instruction: Instruction, offer: Offer) -> Instruction:
        """With the fastest of a library's engines, where they were measured."""
        known = engines(self._known(instruction), offer)
        return offer.running(instruction, min(known, key=lambda engine: known[engine]) if known else "")

    def because(self, instruction: Instruction) -> str:
        """Why this offer and no other: what each would take, or why it cannot."""
        offers = [offer for offer in self.target.offered(instruction) if not offer.resort]
        choice = self.choice(instruction)
        if choice.offer.resort:
            return "; ".join(f"{offer.name}: {self._refusal(offer, instruction)}" for offer in offers) or "the only offer"
        if len(offers) == 1:
            return "the only offer"
        by = "measured" if choice.measured else "by formula"
        said = {
            offer: f"{1e3 * seconds:,.3f} ms {by}" if seconds < inf else "it cannot be built" for offer, seconds in choice.seconds.items()
        }
        return "; ".join(f"{offer.name}: {said.get(offer) or self._refusal(offer, instruction)}" for offer in offers)

    def _refusal(self, offer: Offer, instruction: Instruction) -> Reason:
        if self.exact and not offer.exact:
            return "it is not exact"
        return offer.cannot(instruction)

    def _known(self, instruction: Instruction) -> Mapping[str, float]:
        if not self.facts:
            return {}
        kind = _kind(instruction)
        if kind not in self.known:
            self.known[kind] = self.facts.get(site(instruction), {})
        return self.known[kind]

    def _packing(self, offer: Offer, instruction: Instruction) -> float:
        if not offer.packs or not self.repacks:
            return 0.0
        pack = offer.packs.instruction(instruction.core, "")
        packs = self.offer(pack)
        return self.facts.get(site(pack), {}).get(packs.name, self.target.seconds(packs, pack))


def _kind(instruction: Instruction) -> Hashable:
    """Equal for instructions that differ in nothing but the names of their values."""
    lines = (instruction, *instruction.body)
    values = [value for one in lines for value in (*one.results, *one.operands)]
    names: dict[str, int] = {}
    meaning = [(one.op, len(one.results), *one.attributes.items()) for one in lines]
    return tuple(meaning), tuple([names.setdefault(value.name, len(names)) for value in values]), tuple([value[1:] for value in values])

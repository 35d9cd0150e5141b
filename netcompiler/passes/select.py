"""The kernel of every instruction: of the target's offers that can run it the cheapest, by measured fact, else by formula."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from netcompiler.plan import Instruction, Plan, Program
from netcompiler.targets import TARGETS, Offer, Target
from netcompiler.targets.target import site

Facts = Mapping[str, Mapping[str, float]]
"""Measured seconds by site and offer; infinity where an offer refused to be built."""


class NoOffer(Exception):
    """A target that cannot run an instruction: a fault of the target, never of a spec."""


def select(plan: Plan, facts: Facts, exact: bool = False, deterministic: bool = False) -> Plan:
    chooser = _Chooser(TARGETS[plan.target], facts, exact, deterministic)
    return plan.with_programs(chooser.program(program) for program in plan.programs.values())


class _Chooser:
    def __init__(self, target: Target, facts: Facts, exact: bool, deterministic: bool) -> None:
        self.target = target
        self.facts = facts
        self.exact = exact
        self.deterministic = deterministic
        self.known: dict[object, Offer] = {}

    def program(self, program: Program) -> Program:
        return replace(program, instructions=tuple(map(self.instruction, program.instructions)))

    def instruction(self, instruction: Instruction) -> Instruction:
        offers = self.target.offers.get(instruction.op, ())
        best = offers[0] if len(offers) == 1 and not offers[0].refuses(instruction) else self.choose(instruction, offers)
        return replace(instruction, kernel=best.kernel, algorithm=best.algorithm, workspace=best.workspace(instruction), lane="main")

    def choose(self, instruction: Instruction, offers: tuple[Offer, ...]) -> Offer:
        key = site(instruction)
        measured = self.facts.get(key, {})
        fit = [
            o for o in offers if not o.refuses(instruction) and (o.exact or not self.exact) and (o.deterministic or not self.deterministic)
        ]
        if not fit:
            reasons = "; ".join(f"{o.name}: {o.refuses(instruction) or 'not admitted'}" for o in offers)
            raise NoOffer(f"{self.target.name} cannot run {instruction.op} ({reasons or 'no offer'})")
        return min(fit, key=lambda o: measured.get(o.name, self.target.seconds(o, instruction)))

"""The kernel of every instruction: of the target's offers that can run it the cheapest, by measured fact, else by formula."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from netcompiler.plan import Instruction, Plan, Program, Value
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
        """With what kernels read in a form of its own packed before they first read it."""
        chosen: list[Instruction] = []
        packed: dict[tuple[Value, str], Value] = {}
        forward = 0
        for position, instruction in enumerate(program):
            forward = len(chosen) if position == program.forward else forward
            offer = self.offer(instruction)
            done = _with(offer, instruction)
            if offer.packs:
                key = (instruction.core.operands[offer.packs.operand], offer.packs.form)
                if key not in packed:
                    pack = offer.packs.instruction(instruction.core, f"%p{len(packed) + 1}")
                    chosen.append(_with(self.offer(pack), pack))
                    packed[key] = pack.result
                done = replace(done, packed=(packed[key],))
            chosen.append(done)
        return replace(program, instructions=tuple(chosen), forward=forward)

    def offer(self, instruction: Instruction) -> Offer:
        """For a fused instruction with a core, an offer for the core that also computes what is behind it."""
        core = instruction.core
        offers = [offer for offer in self.target.offers.get(core.op, ()) if offer.finishes or core is instruction]
        return offers[0] if len(offers) == 1 and not offers[0].refuses(core) else self.choose(instruction, offers)

    def choose(self, instruction: Instruction, offers: Sequence[Offer]) -> Offer:
        core = instruction.core
        measured = self.facts.get(site(instruction), {})
        fit = [o for o in offers if not o.refuses(core) and (o.exact or not self.exact) and (o.deterministic or not self.deterministic)]
        if not fit:
            reasons = "; ".join(f"{o.name}: {o.refuses(core) or 'not admitted'}" for o in offers)
            raise NoOffer(f"{self.target.name} cannot run {core.op} ({reasons or 'no offer'})")
        return min(fit, key=lambda o: measured.get(o.name, self.target.seconds(o, instruction)))


def _with(offer: Offer, instruction: Instruction) -> Instruction:
    return replace(instruction, kernel=offer.kernel, algorithm=offer.algorithm, workspace=offer.workspace(instruction.core), lane="main")

"""The kernel of every instruction, and what is packed for it. How it is chosen: targets/choice.py."""

from __future__ import annotations

from dataclasses import replace

from netcompiler.passes.why import Why, because, silent
from netcompiler.plan import Instruction, Plan, Program, Value
from netcompiler.targets import Chooser


def select(plan: Plan, chooser: Chooser, why: Why = silent) -> Plan:
    return plan.with_programs(_selected(program, chooser, why) for program in plan.programs.values())


def _selected(program: Program, chooser: Chooser, why: Why) -> Program:
    """With what kernels read in a form of its own packed before they first read it."""
    chosen: list[Instruction] = []
    packed: dict[tuple[Value, str], Value] = {}
    forward = 0
    for position, instruction in enumerate(program):
        forward = len(chosen) if position == program.forward else forward
        offer = chooser.offer(instruction)
        done = chooser.running(instruction, offer)
        if why is not silent and len(chooser.able(instruction)) > 1:
            why(because(program, instruction, f"is run by {offer.name}: {chooser.because(instruction)}"))
        if offer.packs:
            key = (instruction.core.operands[offer.packs.operand], offer.packs.form)
            if key not in packed:
                pack = offer.packs.instruction(instruction.core, f"%p{len(packed) + 1}")
                chosen.append(chooser.offer(pack).running(pack))
                packed[key] = pack.result
            done = done.having(packed=(packed[key],))
        chosen.append(done)
    return replace(program, instructions=tuple(chosen), forward=forward)

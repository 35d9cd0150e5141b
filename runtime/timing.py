"""How long each instruction of a program takes: the program run piece by piece, with a clock between."""

from __future__ import annotations

import numpy as np

from netcompiler.plan import Instruction
from runtime.binding import Binding

Timed = tuple[Instruction, float]


def timed(binding: Binding, program: str, runs: int = 1) -> list[Timed]:
    """Each instruction with the least of its seconds. The program reads what lies in the slots, and changes state as ever."""
    instructions = binding.plan.programs[program].instructions
    calls = [binding.bound([instruction], binding.views[program]) for instruction in instructions]
    least = [float("inf")] * len(instructions)
    with np.errstate(all="ignore"):
        for _ in range(runs):
            for position, group in enumerate(calls):
                least[position] = min(least[position], binding.device.seconds(group))
            for call in binding.successions(binding.plan.programs[program]):
                call()
    return list(zip(instructions, least, strict=True))

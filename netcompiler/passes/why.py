"""Where passes say why a rewrite did not fire: `step: %12 is not written into %14: 2 read it   ; lenet.yaml:7 conv1`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from netcompiler.plan import Instruction, Program

Why: TypeAlias = Callable[[str], None]


def silent(reason: str) -> None:
    """Nobody asked."""


def because(program: Program, instruction: Instruction, reason: str) -> str:
    origin = f"   ; {instruction.origin}" if instruction.origin else ""
    return f"{program.name}: {instruction.result.name} {reason}{origin}"

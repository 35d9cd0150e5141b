"""netc plan --stage kernels: what a plan of target cuda launches, and with --emit cuda the texts that are compiled for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from netcompiler.cli import Refusal
from netcompiler.plan import Plan, Program

if TYPE_CHECKING:
    from runtime.kernels.cuda.steps import Step

STAGE = "kernels"
EMITS = ("cuda",)


def lines(plan: Plan, programs: list[Program], emits: bool) -> Iterator[str]:
    """For each instruction its launches, by the number of their kernel; then the kernels."""
    from runtime.kernels.cuda.paper import memory, parts
    from runtime.kernels.cuda.prelude import PRELUDE

    if plan.target != "cuda":
        raise Refusal(f"--stage {STAGE} shows the kernels of --target cuda: those of {plan.target} are made as machine code")
    numbers: dict[str, int] = {}
    last = None
    for part in parts(plan, memory(plan)):
        if part.program not in programs:
            continue
        if part.program is not last:
            yield f"{'' if last is None else chr(10)}// program {part.program.name}"
            last = part.program
        yield f"// {', '.join(map(str, part.instruction.results))} = {part.instruction.op}   ; {part.instruction.origin}"
        yield from (f"//     {_step(step, numbers)}" for step in part.steps)
    if emits:
        yield f"\n// all kernels begin with this\n{PRELUDE}"
        yield from (f"// kernel {number}\n{source.removeprefix(PRELUDE).strip()}\n" for source, number in numbers.items())


def _step(step: Step, numbers: dict[str, int]) -> str:
    from runtime.kernels.cuda.steps import Launch

    if not isinstance(step, Launch):
        return type(step).__name__.lower()
    number = numbers.setdefault(step.source, len(numbers) + 1)
    return f"kernel {number}, {_size(step.grid)} blocks of {_size(step.block)} threads"


def _size(three: tuple[int, int, int]) -> str:
    return "x".join(map(str, [three[0], *(n for n in three[1:] if n > 1)]))

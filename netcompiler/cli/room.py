"""Whether a plan fits into a GPU, before anything is laid there; and where it does not, what would."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from netcompiler.cli import Refusal
from netcompiler.cli.opening import Faulty, Opened
from netcompiler.cli.target import GPU
from netcompiler.report.figures import size

if TYPE_CHECKING:
    from netcompiler.plan import Plan

SPARE = 2**29
"""Bytes that code, libraries and the graphs take beside a plan."""
TRIES = 4
EVEN = 8
"""Batches are proposed in multiples of this, where they are larger."""

Takes = Callable[["Plan"], int]


def check(opened: Opened, plan: Plan) -> None:
    """Refusal where a GPU has too little memory for training by this plan."""
    if plan.target != GPU:
        return
    from runtime.device import device_of

    device = device_of(plan.target)
    found = told(opened, plan, device.free() - SPARE, lambda plan: device.takes(plan.segments))
    if found:
        raise Refusal(found)


def told(opened: Opened, plan: Plan, free: int, takes: Takes) -> str:
    """What does not fit, and all that would; nothing where it fits."""
    if takes(plan) <= free:
        return ""
    ways = list(_ways(opened, plan, free, takes))
    what = f"a step of {opened.recipe.batch} pictures takes {size(takes(plan))} of the GPU's memory, and {size(max(0, free))} are free"
    return f"{what}: {'; or '.join(ways)}" if ways else f"{what}, which is too little for a single picture: take a smaller net"


def _ways(opened: Opened, plan: Plan, free: int, takes: Takes) -> Iterator[str]:
    """Each of them compiled, and found to fit."""

    def with_(*settings: str) -> Plan | None:
        try:
            found = opened.again([*opened.settings, *settings]).plan(plan.target)
        except Faulty:
            return None
        return found if takes(found) <= free else None

    def largest() -> int:
        return _largest(opened.recipe.batch, free, lambda batch: takes(_of(opened, plan.target, batch)))

    if batch := largest():
        yield f"--batch {batch} fits"
        parts = opened.recipe.accumulate * -(-opened.recipe.batch // batch)
        for more in (parts, parts + 1):  # gradients that are gathered take room, too
            if with_(f"train.accumulate={more}"):
                yield f"--set train.accumulate={more} takes the same step in {more} parts"
                break
    budget = f"train.memory={max(1, free // 2**20)}MiB"
    if with_(budget):
        yield f"--set {budget} keeps less and computes it again"
    if opened.recipe.precision in (None, "fp32", "tf32") and with_("train.precision=bf16"):
        yield "--precision bf16 keeps numbers in half the room"


def _of(opened: Opened, target: str, batch: int) -> Plan:
    return opened.again([*opened.settings, f"train.batch={batch}"]).plan(target)


def _largest(batch: int, free: int, takes: Callable[[int], int]) -> int:
    """The largest batch that fits, as good as: bytes lie close to a line over batches. 0 where none does."""
    low, high = max(1, batch // 2), batch
    below, above = takes(low), takes(high)
    for _ in range(TRIES):
        each = max(1.0, (above - below) / max(1, high - low))
        found = _even(min(high - 1, int(low + (free - below) / each)))
        if found < 1:
            return 1 if takes(1) <= free else 0
        taken = takes(found)
        if taken <= free:
            return found
        low, high, below, above = max(1, found // 2), found, takes(max(1, found // 2)), taken
    return 0


def _even(batch: int) -> int:
    return batch - batch % EVEN if batch > EVEN else batch

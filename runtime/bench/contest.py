"""Two sides in alternating rounds, so that whatever else the machine does meets both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from typing import NamedTuple

from runtime.bench.side import Side, SideError

TRIALS = 3
"""Rounds that tell which variant of a peer is the fastest."""

OUTPUT = 1e-4
LOSSES = (("loss", 1e-4), ("loss behind an update", 1e-2))
"""How far the first numbers of two sides may be apart, relative to the largest. An update by a large rate makes more of roundings."""

Start = Callable[[str], Side]
Say = Callable[[str], None]


class Ratio(NamedTuple):
    """The peer's time over ours."""

    best: float
    median: float


def fastest(variants: Sequence[str], start: Start, say: Say) -> tuple[str, Side]:
    """The variant with the best of a few rounds; one that cannot take part is left out. Two live at once at most."""
    best: tuple[str, Side] | None = None
    reasons: list[SideError] = []
    for variant in variants:
        try:
            side = start(variant)
            alternate([side], TRIALS)
        except SideError as reason:
            say(f"{variant}: {reason}")
            reasons.append(reason)
            continue
        say(f"{variant}: {1e3 * min(side.rounds):.4g} ms")
        if best is None or min(side.rounds) < min(best[1].rounds):
            best, slower = (variant, side), best and best[1]
        else:
            slower = side
        if slower:
            slower.close()
    if best is None:
        raise reasons[0]
    return best


def alternate(sides: Sequence[Side], rounds: int) -> None:
    for side in sides:
        side.rounds.clear()
    for side in chain.from_iterable([sides] * rounds):
        side.round()


def ratio(ours: Side, peer: Side) -> Ratio:
    mine, other = ours.figures(1), peer.figures(1)
    return Ratio(other.ms_min / mine.ms_min, other.ms_median / mine.ms_median)


def disagreement(mode: str, ours: Side, peer: Side, slack: float = 1.0) -> str:
    """Why the sides do not do the same work; empty where they do. With fewer digits they may be further apart, by a factor."""
    for number, (mine, other) in enumerate(zip(ours.about["first"], peer.about["first"], strict=True)):
        what, limit = ("output", OUTPUT) if mode == "infer" else LOSSES[number]
        error = apart(mine, other)
        if not error <= slack * limit:
            return f"the {what} is apart by {error:.1e}, more than {slack * limit:g}"
    return ""


def apart(mine: float | Sequence[float], other: float | Sequence[float]) -> float:
    """Relative to the largest number; NaN where there is one."""
    pairs = list(zip(_numbers(mine), _numbers(other), strict=True))
    largest = max(abs(a) for a, _ in pairs)
    worst = max((abs(a - b) for a, b in pairs), key=lambda error: (error != error, error))
    return worst / largest if largest else worst


def _numbers(value: float | Sequence[float]) -> Sequence[float]:
    return value if isinstance(value, Sequence) else [value]

"""Where the time of a program goes: a line for each layer, and one for each instruction, the longest first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeVar

from netcompiler.instructions.op import flops, traffic
from netcompiler.plan import Instruction, Program
from netcompiler.report.columns import Column
from netcompiler.targets import Chooser

UPDATE = "update"

T = TypeVar("T")


class Profile(NamedTuple):
    """Measured instructions of a program; `flops` and `bytes` are what the machine does in a second at best."""

    program: Program
    chooser: Chooser
    timed: Sequence[tuple[Instruction, float]]
    flops: float
    bytes: float

    @property
    def seconds(self) -> float:
        return sum(seconds for _, seconds in self.timed)


class Work(NamedTuple):
    """What instructions do, and the time that they take in the forward and the backward half."""

    flops: int
    bytes: int
    forward: float
    backward: float

    @property
    def seconds(self) -> float:
        return self.forward + self.backward


def layer_columns(profile: Profile, top: int) -> list[Column]:
    layers: dict[str, list[Work]] = {}
    for position, (instruction, _) in enumerate(profile.timed):
        layers.setdefault(layer(instruction), []).append(_work(profile, position))
    longest, rest = _longest([(name, _sum(works)) for name, works in layers.items()], top)
    others = [(f"{len(rest)} others", _sum(work for _, work in rest))] if rest else []
    rows = [*longest, *others, ("all", _sum(work for _, work in (*longest, *rest)))]
    works = [work for _, work in rows]
    return [
        Column("layer", tuple(name for name, _ in rows), least=12, keep="end"),
        Column("ms", tuple(_milliseconds(work.seconds) for work in works), right=True),
        *(_halves(works) if profile.program.forward else []),
        *_figures(profile, works),
    ]


def _halves(works: Sequence[Work]) -> list[Column]:
    return [
        Column("forward", tuple(_milliseconds(work.forward) for work in works), right=True),
        Column("backward", tuple(_milliseconds(work.backward) for work in works), right=True),
    ]


def instruction_columns(profile: Profile, top: int) -> list[Column]:
    every = [(instruction, _work(profile, position)) for position, (instruction, _) in enumerate(profile.timed)]
    longest, _ = _longest(every, top)
    shown, works = [instruction for instruction, _ in longest], [work for _, work in longest]
    return [
        Column("value", tuple(instruction.result.name for instruction in shown)),
        Column("instruction", tuple(map(ops, shown)), least=11),
        Column("shape", tuple("x".join(map(str, instruction.result.shape)) for instruction in shown)),
        Column("layer", tuple(map(layer, shown)), least=12, keep="end"),
        Column("ms", tuple(_milliseconds(work.seconds) for work in works), right=True),
        *_figures(profile, works),
        Column("kernel", tuple(_name(instruction) for instruction in shown)),
        Column("because", tuple(profile.chooser.because(instruction) for instruction in shown), least=12),
    ]


def layer(instruction: Instruction) -> str:
    """The layer or output that an instruction comes from; updates of all parameters are one."""
    words = instruction.origin.split()
    return UPDATE if UPDATE in words[:1] else words[-1] if words else ""


def _name(instruction: Instruction) -> str:
    return ".".join(filter(None, (instruction.kernel, instruction.algorithm)))


def ops(instruction: Instruction) -> str:
    """What a fused instruction consists of."""
    ops = [inner.op for inner in instruction.body] or [instruction.op]
    return f"{len(ops)} x {ops[0]}" if instruction.op == "flat" else " + ".join(dict.fromkeys(ops))


def _work(profile: Profile, position: int) -> Work:
    instruction, seconds = profile.timed[position]
    forward = position < profile.program.forward or not profile.program.forward
    return Work(flops(instruction), traffic(instruction), seconds * forward, seconds * (not forward))


def _sum(works: Iterable[Work]) -> Work:
    flops, traffic, forward, backward = map(sum, zip(*works, strict=True))
    return Work(flops, traffic, forward, backward)


def _longest(rows: Iterable[tuple[T, Work]], top: int) -> tuple[list[tuple[T, Work]], list[tuple[T, Work]]]:
    ordered = sorted(rows, key=lambda row: -row[1].seconds)
    return ordered[:top], ordered[top:]


def _figures(profile: Profile, works: Sequence[Work]) -> list[Column]:
    return [
        Column("share", tuple(_percent(work.seconds, profile.seconds) for work in works), right=True),
        Column("GF/s", tuple(_rate(work.flops, work.seconds) for work in works), right=True),
        Column("GB/s", tuple(_rate(work.bytes, work.seconds) for work in works), right=True),
        Column("of the best", tuple(_reached(profile, work) for work in works), right=True),
    ]


def _reached(profile: Profile, work: Work) -> str:
    """Of the ceiling that holds the work back: the time that it needs at least, over the time it took."""
    arithmetic, memory = work.flops / profile.flops, work.bytes / profile.bytes
    return f"{_percent(max(arithmetic, memory), work.seconds)} {'GF/s' if arithmetic > memory else 'GB/s'}"


def _milliseconds(seconds: float) -> str:
    return f"{1e3 * seconds:,.3f}"


def _percent(part: float, whole: float) -> str:
    return f"{100 * part / whole:.1f}%" if whole else ""


def _rate(amount: int, seconds: float) -> str:
    return f"{amount / seconds / 1e9:,.2f}" if seconds else ""

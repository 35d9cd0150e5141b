"""Addresses: states in their segments, all else in an arena by lifetime. Who shares bytes with whom: place.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from netcompiler.passes.differentiate import GRADIENT
from netcompiler.passes.place import Layout, last_reads, place
from netcompiler.plan import SIZES, Home, Plan, Program

BASE = 256
"""Values in the arena begin at multiples of so many bytes."""

MEMBER = 64
"""Members of a segment begin at multiples of so many elements."""

SWEEP = 3000
"""Up to so many values all orders of placing are tried; past it the quick one stands."""


@dataclass
class Life:
    """A run of bytes: from the instruction that writes it to the last that reads it."""

    root: str
    size: int
    begin: int
    end: int
    offset: int = 0


def _up(n: int, multiple: int) -> int:
    return -(-n // multiple) * multiple


PARALLEL = ("slots", "average", "gradients", "sums")
"""Segments whose members stand as their parameters do, at equal offsets; several tensors a parameter lie in runs of that."""


def memory(plan: Plan) -> Plan:
    """Homes for all values, and the size of every segment."""
    segments: dict[str, int] = {}
    homes: dict[str, dict[str, Home]] = {"": _states(plan, segments)}
    least = 0
    for program in plan.programs.values():
        homes[program.name], size, filled = homes_of(program, homes[""])
        segments["arena"] = max(segments.get("arena", 0), size)
        least = max(least, filled)
    segments = dict(sorted(segments.items(), key=lambda item: item[0] == "arena"))
    return replace(plan, homes=homes, segments=segments, facts=(*plan.facts, *_gaps(segments["arena"], least)))


def _gaps(size: int, least: int) -> list[str]:
    """Why the arena is larger than what lives at once, when it is."""
    return (
        [f"arena {size - least} bytes lie in gaps between lives that cross: neither order of placing closed them"] if size > least else []
    )


def _states(plan: Plan, segments: dict[str, int]) -> dict[str, Home]:
    order = _order(plan)
    homes: dict[str, Home] = {}
    runs: dict[str, dict[str, int]] = {}
    for state in sorted(plan.states.values(), key=lambda s: (s.segment != "parameters", order[s.value.name])):
        prefix, _, parameter = state.value.name.partition(".")
        filled = segments.get(state.segment, 0)
        if state.segment in PARALLEL and parameter in homes:
            start = runs.setdefault(state.segment, {}).setdefault(prefix, filled)
            homes[state.value.name] = Home(state.segment, start + homes[parameter].offset)
            segments[state.segment] = max(filled, start + segments["parameters"])
        else:
            homes[state.value.name] = Home(state.segment, filled)
            segments[state.segment] = _up(filled + state.value.bytes, MEMBER * SIZES[state.value.dtype])
    if plan.mode == "train":
        segments["gradients"] = max(segments.get("gradients", 0), segments.get("parameters", 0))
    return homes


def _order(plan: Plan) -> dict[str, int]:
    """Parameters that one flat instruction updates stand side by side."""
    found: dict[str, int] = {}
    for program in plan.programs.values():
        by = {value: name for name, value in program.successors.items()}
        for instruction in program:
            for value in instruction.results if instruction.op == "flat" else ():
                found.setdefault(by[value], len(found))
    for name in plan.states:
        found.setdefault(name, len(found))
    return found


def homes_of(program: Program, fixed: Mapping[str, Home]) -> tuple[dict[str, Home], int, int]:
    """The homes of a program's values, the bytes of arena that they take, and how many of those live at once."""
    layout = place(program, fixed)
    beside = _gradients(program, layout, fixed)
    lives = [life for life in lifetimes(program, layout) if life.root not in beside]
    size = arrange(lives)
    roots = {life.root: Home("arena", life.offset) for life in lives}
    roots |= {root: fixed[state] for root, state in layout.at_home.items()} | beside
    homes = {}
    for value in (value for instruction in program for value in instruction.results):
        spot = layout.spots[value.name]
        root = roots[spot.root] if spot.root in roots else fixed[spot.root]
        homes[value.name] = Home(root.segment, root.offset + spot.begin * SIZES[value.dtype], spot.pitch)
    return homes, size, bound(lives)


def _gradients(program: Program, layout: Layout, fixed: Mapping[str, Home]) -> dict[str, Home]:
    """Gradients lie as their parameters do: what comes out as one, and what a flat instruction reads beside its states."""
    found: dict[str, Home] = {}
    for name, value in program.outputs.items():
        _, is_gradient, parameter = name.partition(GRADIENT)
        if is_gradient and value.name not in fixed:
            found[layout.spots[value.name].root] = Home("gradients", fixed[parameter].offset)
    by = {value: name for name, value in program.successors.items()}
    for flat in (instruction for instruction in program if instruction.op == "flat"):
        for member in flat.body:
            parameter = next(by[value] for value in member.results if fixed[by[value]].segment == "parameters")
            for value in member.operands:
                if value.name not in fixed and value.shape == member.attributes["shape"] and value.elements > 1:
                    found[layout.spots[value.name].root] = Home("gradients", fixed[parameter].offset)
    return found


def lifetimes(program: Program, layout: Layout) -> list[Life]:
    """The lives of everything that needs bytes of its own in the arena: from the first write into it to the last read."""
    last = last_reads(program)
    sizes = {value.name: value.bytes for instruction in program for value in instruction.results}
    lives: dict[str, Life] = {}
    for position, instruction in enumerate(program.instructions):
        for value in instruction.results:
            root = layout.spots[value.name].root
            if root in sizes and root not in layout.at_home:
                life = lives.setdefault(root, Life(root, _up(max(1, sizes[root]), BASE), position, position))
                life.end = max(life.end, last.get(value.name, position))
    return list(lives.values())


def arrange(lives: Sequence[Life]) -> int:
    """Offsets for all lives; the smaller of two ways to place them."""
    best = _in_order(lives)
    if best == bound(lives) or len(lives) > SWEEP:
        return best
    offsets = [life.offset for life in lives]
    size = _by_size(lives)
    if size >= best:
        for life, offset in zip(lives, offsets, strict=True):
            life.offset = offset
    return min(size, best)


def bound(lives: Sequence[Life]) -> int:
    """The bytes that live at once at the fullest moment: no arena can be smaller."""
    change: dict[int, int] = {}
    for life in lives:
        change[life.begin] = change.get(life.begin, 0) + life.size
        change[life.end + 1] = change.get(life.end + 1, 0) - life.size
    now = most = 0
    for moment in sorted(change):
        now += change[moment]
        most = max(most, now)
    return most


def _in_order(lives: Sequence[Life]) -> int:
    """As an allocator would at run time: the smallest gap that fits, else the end."""
    free: list[tuple[int, int]] = []
    top = 0
    dying: dict[int, list[Life]] = {}
    moment = 0
    for life in sorted(lives, key=lambda x: x.begin):
        for m in range(moment, life.begin):
            for dead in dying.pop(m, ()):
                free = _returned(free, dead.offset, dead.size)
        moment = max(moment, life.begin)
        gaps = [gap for gap in free if gap[1] >= life.size]
        if gaps:
            gap = min(gaps, key=lambda g: g[1])
            free.remove(gap)
            life.offset = gap[0]
            if gap[1] > life.size:
                free = _returned(free, gap[0] + life.size, gap[1] - life.size)
        else:
            tail = next((gap for gap in free if gap[0] + gap[1] == top), None)
            if tail:
                free.remove(tail)
            life.offset = tail[0] if tail else top
            top = life.offset + life.size
        dying.setdefault(life.end, []).append(life)
    return top


def _returned(free: list[tuple[int, int]], offset: int, size: int) -> list[tuple[int, int]]:
    """The gaps with one more, joined with its neighbours."""
    joined = []
    for gap in free:
        if gap[0] + gap[1] == offset:
            offset, size = gap[0], gap[1] + size
        elif offset + size == gap[0]:
            size += gap[1]
        else:
            joined.append(gap)
    return [*joined, (offset, size)]


def _by_size(lives: Sequence[Life]) -> int:
    """Largest first, each at the lowest place that is free during its life."""
    placed: list[Life] = []
    top = 0
    for life in sorted(lives, key=lambda x: (-x.size, x.begin)):
        offset = 0
        for other in placed:
            if other.begin <= life.end and life.begin <= other.end:
                if offset + life.size <= other.offset:
                    break
                offset = max(offset, other.offset + other.size)
        life.offset = offset
        top = max(top, offset + life.size)
        _insert(placed, life)
    return top


def _insert(placed: list[Life], life: Life) -> None:
    low, high = 0, len(placed)
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if placed[middle].offset < life.offset else (low, middle)
    placed.insert(low, life)

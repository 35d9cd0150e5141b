"""Addresses: states in their segments, all else in an arena by lifetime. Who shares bytes with whom: place.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from netcompiler.passes.arrange import Life, arrange, bound
from netcompiler.passes.differentiate import GRADIENT
from netcompiler.passes.place import Layout, place
from netcompiler.plan import ALIGNED, SIZES, Home, Plan, Program

MEMBER = 64
"""Members of a segment begin at multiples of so many elements."""


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
        homes[program.name], size, filled = homes_of(program, homes[""], segments.get("arena", 0))
        segments["arena"] = max(segments.get("arena", 0), size)
        least = max(least, filled)
    segments = dict(sorted(segments.items(), key=lambda item: item[0] == "arena"))
    return replace(plan, homes=homes, segments=segments, facts=(*plan.facts, *_gaps(segments["arena"], least)))


def _gaps(size: int, least: int) -> list[str]:
    """Why the arena is larger than what lives at once, when it is."""
    return [f"arena {size - least} bytes lie in gaps between lives that cross: no order of placing closed them"] if size > least else []


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


def homes_of(program: Program, fixed: Mapping[str, Home], enough: int) -> tuple[dict[str, Home], int, int]:
    """The homes of a program's values, the bytes of arena that they take, and how many of those live at once."""
    layout = place(program, fixed)
    beside = _gradients(program, layout, fixed)
    lives = [life for life in lifetimes(program, layout) if life.root not in beside]
    size = arrange(lives, enough)
    roots = {life.root: Home("arena", life.offset) for life in lives}
    roots |= {root: fixed[state] for root, state in layout.at_home.items()} | beside
    homes = {}
    for value in (value for instruction in program for value in instruction.writes):
        spot = layout.spot(value.name)
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
        weights = [next(value for value in member.results if fixed[by[value]].segment == "parameters") for member in flat.body]
        first = fixed[by[weights[0]]].offset
        for member, weight in zip(flat.body, weights, strict=True):
            behind = fixed[by[weight]].offset - first
            for value in member.operands:
                if value.name not in fixed and value.shape == member.attributes["shape"] and value.elements > 1:
                    found[layout.spots[value.name].root] = Home("gradients", first + behind * SIZES[value.dtype] // SIZES[weight.dtype])
    return found


def lifetimes(program: Program, layout: Layout) -> list[Life]:
    """The lives of everything that needs bytes of its own in the arena: from the first write into it to the last read."""
    sizes = {value.name: value.bytes for instruction in program for value in instruction.writes}
    lives: dict[str, Life] = {}
    for position, instruction in enumerate(program.instructions):
        for value in instruction.writes:
            root = layout.spot(value.name).root
            if root in sizes and root not in layout.at_home:
                if root not in lives:
                    lives[root] = Life(root, _up(max(1, sizes[root]), ALIGNED), position, position)
                lives[root].end = max(lives[root].end, layout.last.get(value.name, position))
    return list(lives.values())

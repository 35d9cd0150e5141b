"""Where every value lies: states in their segments, all else in an arena by lifetime.

Views lie inside what they show. A successor is computed at its state's address, and a map in the place of an operand,
where nobody reads the old value any more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from netcompiler.instructions.op import OPS
from netcompiler.plan import SIZES, Home, Instruction, Plan, Program, State, Value

BASE = 256
"""Values in the arena begin at multiples of so many bytes."""

MEMBER = 64
"""Members of a segment begin at multiples of so many elements."""

SWEEP = 3000
"""Up to so many values all orders of placing are tried; past it the quick one stands."""


@dataclass
class Life:
    """A run of bytes: from the instruction that writes it to the last that reads it."""

    value: Value
    size: int
    begin: int
    end: int
    offset: int = 0


def memory(plan: Plan) -> Plan:
    """Homes for all values, and the size of every segment."""
    homes: dict[str, dict[str, Home]] = {"": {}}
    segments: dict[str, int] = {}
    for state in plan.states.values():
        size = segments.get(state.segment, 0)
        homes[""][state.value.name] = Home(state.segment, size)
        segments[state.segment] = size + _up(state.value.elements, MEMBER) * SIZES[state.value.dtype]
        segments[state.segment] = _up(segments[state.segment], BASE) if state.segment in ("inputs", "control") else segments[state.segment]
    arena = 0
    for program in plan.programs.values():
        homes[program.name], size = place(program, plan.states, homes[""])
        arena = max(arena, size)
    segments["arena"] = arena
    return replace(plan, homes=homes, segments=segments)


def _up(n: int, multiple: int) -> int:
    return -(-n // multiple) * multiple


def place(program: Program, states: Mapping[str, State], fixed: Mapping[str, Home]) -> tuple[dict[str, Home], int]:
    """The homes of a program's values, and the bytes of arena that they need."""
    roots, at_home = share(program, states)
    lives = lifetimes(program, roots, at_home)
    size = arrange(lives)
    homes: dict[str, Home] = {life.value.name: Home("arena", life.offset) for life in lives}
    for name, state in at_home.items():
        homes[name] = fixed[state]
    for name, root in roots.items():
        if name != root:
            homes[name] = homes[root] if root in homes else fixed[root]
    return homes, size


def share(program: Program, states: Mapping[str, State]) -> tuple[dict[str, str], dict[str, str]]:
    """Who lies where another lies: values -> the value or state that they share bytes with; roots -> the state they replace."""
    last = last_reads(program)
    readers: dict[str, int] = {}
    for position, instruction in enumerate(program.instructions):
        for value in instruction.operands:
            readers[value.name] = position
    roots: dict[str, str] = {}
    ends: dict[str, int] = {}
    for position, instruction in enumerate(program.instructions):
        for value in instruction.results:
            roots[value.name] = value.name
            ends[value.name] = last.get(value.name, position)
        if OPS.get(instruction.op) and OPS[instruction.op].view:
            root = roots.get(instruction.operands[0].name, instruction.operands[0].name)
            roots[instruction.result.name] = root
            ends[root] = max(ends.get(root, 0), ends[instruction.result.name])
        elif instruction.op == "map":
            host = _host(instruction, roots, ends, position)
            if host:
                roots[instruction.result.name] = host
                ends[host] = max(ends[host], ends[instruction.result.name])
    return roots, _at_home(program, states, roots, last)


def _host(instruction: Instruction, roots: Mapping[str, str], ends: Mapping[str, int], position: int) -> str:
    """The root of an operand whose place a map's result may take: same size and access, read here for the last time."""
    if len(instruction.results) != 1:
        return ""
    for value in instruction.operands:
        root = roots.get(value.name)
        fits = value.shape == instruction.result.shape and SIZES[value.dtype] == SIZES[instruction.result.dtype]
        if root and fits and ends[root] == position and sum(roots.get(v.name) == root for v in instruction.operands) == 1:
            return root
    return ""


def _at_home(program: Program, states: Mapping[str, State], roots: Mapping[str, str], last: Mapping[str, int]) -> dict[str, str]:
    """Successors that are computed right at their state's address: nobody reads the state afterwards."""
    made = {value.name: (position, i) for position, i in enumerate(program.instructions) for value in i.results}
    hosts = {root for name, root in roots.items() if name != root}
    found: dict[str, str] = {}
    for state, value in program.successors.items():
        position, instruction = made.get(value.name, (0, None))
        if instruction is None or value.name in found or roots[value.name] != value.name or value.name in hosts:
            continue
        views = [name for name, root in roots.items() if root == state] if state in roots.values() else []
        later = max([last.get(state, -1), *(last.get(name, -1) for name in views)])
        if later < position or (later == position and instruction.op == "map"):
            found[value.name] = state
    return found


def last_reads(program: Program) -> dict[str, int]:
    """The position of each value's last reader; what outlives the program is read behind its end."""
    last: dict[str, int] = {}
    for position, instruction in enumerate(program.instructions):
        last.update((value.name, position) for value in instruction.operands)
    end = len(program.instructions)
    last.update((value.name, end) for value in (*program.outputs.values(), *program.successors.values()))
    return last


def lifetimes(program: Program, roots: Mapping[str, str], at_home: Mapping[str, str]) -> list[Life]:
    """The lives of everything that needs bytes of its own in the arena."""
    last = last_reads(program)
    lives: dict[str, Life] = {}
    for position, instruction in enumerate(program.instructions):
        for value in instruction.results:
            root = roots[value.name]
            if value.name == root and root not in at_home:
                lives[root] = Life(value, _up(max(1, value.bytes), BASE), position, max(position, last.get(root, position)))
            elif root in lives:
                lives[root].end = max(lives[root].end, last.get(value.name, position))
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

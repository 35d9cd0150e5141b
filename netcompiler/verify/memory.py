"""Where values lie: rules for plans that have homes. Nothing here is taken from the passes that chose them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate, pairwise

from netcompiler.instructions.op import OPS
from netcompiler.lanes import settled
from netcompiler.plan import ALIGNED, SIZES, Home, Instruction, Plan, Program, Value
from netcompiler.verify.bytes import Region, Written, region, rows_of
from netcompiler.verify.rule import Faults, at

MEMBER = 64
PARALLEL = ("gradients", "slots", "average", "sums")
MEMBERS = ("parameters", "statistics", "frozen", *PARALLEL)

Homes = Mapping[str, Home]


def placed(plan: Plan) -> Iterator[tuple[Program, Homes]]:
    """Every program with the homes of all that it can read."""
    return ((program, {**plan.homes[""], **plan.homes.get(program.name, {})}) for program in plan.programs.values() if plan.homes)


def inside(plan: Plan) -> Faults:
    """8: everything lies inside its segment, aligned, in rows that are long enough; views show what they say."""
    for program, homes in placed(plan):
        for instruction in program:
            for value in instruction.writes:
                for fault in _lies(plan, instruction, value, homes):
                    yield f"{at(program, instruction)}: {value.name} {fault}"


def _lies(plan: Plan, instruction: Instruction, value: Value, homes: Homes) -> Iterator[str]:
    if value.name not in homes:
        yield "lies nowhere"
        return
    home = homes[value.name]
    where = region(value, home)
    if home.segment not in plan.segments or not 0 <= where.begin <= where.end <= plan.segments[home.segment]:
        yield f"is outside {home.segment}"
    if home.pitch and home.pitch < (value.shape[-1] if value.shape else 1):
        yield f"has rows of {home.pitch}, which are too short"
    whole = home.segment == "arena" and not home.pitch and not shown(instruction, homes)
    if home.offset % (ALIGNED if whole else SIZES[value.dtype]):
        yield f"begins at {home.offset}, which is not aligned"


def shown(instruction: Instruction, homes: Homes) -> list[Value]:
    """The operands whose bytes the result shows in their place, so that nothing is written for them."""
    if instruction.op == "concat" and instruction.attributes["axis"] == len(instruction.result.shape) - 1:
        begins = accumulate((value.shape[-1] for value in instruction.operands), initial=0)
        whole = rows_of(instruction.result, homes[instruction.result.name])
        return [value for value, begin in zip(instruction.operands, begins, strict=False) if _at(value, homes, whole, begin)]
    if not instruction.operands or len(instruction.results) != 1:
        return []
    [y], x = instruction.results, instruction.operands[0]
    if instruction.op == "slice":
        return [x] if _at(y, homes, rows_of(x, homes[x.name]), instruction.attributes["begin"][-1]) else []
    view = instruction.op in OPS and OPS[instruction.op].view
    return [x] if view and homes[y.name] == homes[x.name] else []


def _at(value: Value, homes: Homes, whole: Region, begin: int) -> bool:
    """Whether a value lies at a channel of these rows."""
    return rows_of(value, homes[value.name]) == whole.channels(begin, value.shape[-1], SIZES[value.dtype])


def members(plan: Plan) -> Faults:
    """10: homes of states are distinct and inside their segment, members begin at 64 elements, parallel offsets are equal."""
    if not plan.homes:
        return
    spans: dict[str, list[tuple[int, int, str]]] = {}
    for name, state in plan.states.items():
        home = plan.homes[""][name]
        spans.setdefault(home.segment, []).append((home.offset, home.offset + state.value.bytes, name))
        if state.segment in MEMBERS and home.offset % (MEMBER * SIZES[state.value.dtype]):
            yield f"{name} begins at {home.offset}, which is no multiple of {MEMBER} elements"
    for segment, found in spans.items():
        for (_, end, one), (begin, _, other) in pairwise(sorted(found)):
            if begin < end:
                yield f"{one} and {other} overlap in {segment}"
        if max(end for _, end, _ in found) > plan.segments[segment]:
            yield f"{segment} is smaller than what lies in it"
    yield from _parallel(plan)


def _parallel(plan: Plan) -> Faults:
    apart: dict[str, int] = {}
    for name, state in plan.states.items():
        row, _, base = name.partition(".")
        if state.segment in PARALLEL and base in plan.states:
            distance = plan.homes[""][name].offset - plan.homes[""][base].offset
            if apart.setdefault(row, distance) != distance:
                yield f"{name} is not as far from {base} as the others of {row} are from theirs"


def runs(plan: Plan) -> Faults:
    """10: the members of a flat instruction follow one another without anything between, the same in all that it reads."""
    for program, homes in placed(plan):
        for instruction in program:
            columns = _columns(instruction) if instruction.op == "flat" else []
            for column in columns:
                for (before, value), (lead, after) in zip(pairwise(column), pairwise(columns[0]), strict=True):
                    begin = region(before, homes[before.name])
                    gap = homes[value.name].offset - begin.end
                    step = homes[after.name].offset - homes[lead.name].offset
                    size = SIZES[value.dtype]
                    if (
                        begin.segment != homes[value.name].segment
                        or not 0 <= gap < MEMBER * size
                        or gap + before.bytes != step * size // SIZES[lead.dtype]
                    ):
                        yield f"{at(program, instruction)}: {value.name} does not follow {before.name} as {after.name} follows {lead.name}"


def _columns(instruction: Instruction) -> list[list[Value]]:
    """What members write and read, place by place; single numbers are the same for all."""
    rows = [(*member.results, *(value for value in member.operands)) for member in instruction.body]
    return [list(column) for column in zip(*rows, strict=True) if column[0].elements > 1]


def written_over(plan: Plan) -> Faults:
    """3, 9: live values share bytes only by a view or in place; a state whose address was rewritten is read no more.

    The sweep knows nothing of lifetimes or roots: it replays each program on a map of when each byte was written last. A value
    may be read while none of its bytes was written after it."""
    for program, homes in placed(plan):
        yield from _Replay(plan, program, homes).faults()


class _Replay:
    def __init__(self, plan: Plan, program: Program, homes: Homes) -> None:
        self.plan = plan
        self.program = program
        self.homes = homes
        self.clock = 0
        self.defined = dict.fromkeys(plan.states, 0)
        self.written = {segment: Written() for segment in plan.segments}

    def faults(self) -> Faults:
        for instruction in self.program:
            where = at(self.program, instruction)
            yield from self.reads(where, instruction.reads)
            yield from (f"{where}: {fault}" for fault in self.in_place(instruction))
            views = shown(instruction, self.homes)
            for value in instruction.writes:
                self.define(value, self.regions(instruction, value, views))
        yield from self.at_end()

    def at_end(self) -> Faults:
        """Successors go to their states; outputs are still there then, and so is every state that has no successor."""
        for name, value in self.program.successors.items():
            yield from self.reads(f"{self.program.name}: {name}", [value])
            if self.homes[value.name] != self.homes[name]:
                state = self.plan.states[name].value
                self.define(state, [region(state, self.homes[name])])
        for name, value in self.program.outputs.items():
            yield from self.reads(f"{self.program.name}: {name}", [value])
        kept = [state.value for name, state in self.plan.states.items() if name not in self.program.successors]
        yield from self.reads(f"the end of {self.program.name}", kept)

    def regions(self, instruction: Instruction, value: Value, views: list[Value]) -> list[Region]:
        """What is written for a result: nothing where it shows operands, all of it otherwise."""
        if not views:
            return [region(value, self.homes[value.name])]
        if instruction.op != "concat":
            return []
        rows = rows_of(value, self.homes[value.name])
        begins = accumulate((x.shape[-1] for x in instruction.operands), initial=0)
        parts = [(x, begin) for x, begin in zip(instruction.operands, begins, strict=False) if x not in views]
        return [rows.channels(begin, x.shape[-1], SIZES[x.dtype]) for x, begin in parts]

    def define(self, value: Value, regions: Iterable[Region]) -> None:
        self.clock += 1
        self.defined[value.name] = self.clock
        for where in regions:
            self.written[where.segment].write(where, self.clock)

    def reads(self, who: str, values: Iterable[Value]) -> Faults:
        for value in values:
            where = region(value, self.homes[value.name])
            if self.written[where.segment].last(where) > self.defined[value.name]:
                yield f"{who} reads {value.name}, whose bytes have been written over"

    def in_place(self, instruction: Instruction) -> Iterator[str]:
        """A map may write where an operand of the same size and access lies; nothing else writes over what it reads."""
        own = sorted(((region(value, self.homes[value.name]), value.name) for value in instruction.writes), key=lambda pair: pair[0])
        for (here, one), (there, other) in pairwise(own):
            if here.overlaps(there):
                yield f"{one} and {other} lie in the same bytes"
        for inner in instruction.body if instruction.op == "flat" else (instruction,):
            yield from self._over_operands(inner)

    def _over_operands(self, instruction: Instruction) -> Iterator[str]:
        views = shown(instruction, self.homes)
        read = [(value, region(value, self.homes[value.name])) for value in instruction.operands if value not in views]
        for value in instruction.writes:
            here = region(value, self.homes[value.name])
            for operand, there in read:
                if here.overlaps(there) and not (instruction.op == "map" and _same_access(value, here, operand, there)):
                    yield f"{value.name} is written over {operand.name}, which it reads"


def _same_access(value: Value, here: Region, operand: Value, there: Region) -> bool:
    return here == there and value.shape == operand.shape and SIZES[value.dtype] == SIZES[operand.dtype]


def no_larger_than_needed(plan: Plan) -> Faults:
    """15: the arena is as large as what lives at once at the fullest moment, or a fact says why not."""
    if not plan.homes:
        return
    least = max((fullest(program, homes) for program, homes in placed(plan)), default=0)
    if plan.segments["arena"] < least:
        yield f"{least} bytes live at once in an arena of {plan.segments['arena']}"
    if plan.segments["arena"] > least and not any(fact.startswith("arena ") for fact in plan.facts):
        yield f"the arena has {plan.segments['arena']} bytes, and only {least} live at once"


def fullest(program: Program, homes: Homes) -> int:
    """The most bytes of the arena that hold something still to be read, over all moments."""
    changes = [0] * (len(program.instructions) + 2)
    for block in blocks(program, homes):
        changes[block.first] += block.size
        changes[block.last + 1] -= block.size
    return max(accumulate(changes))


class Block:
    """Values that share bytes one after another or beside one another, from the first write to the last read."""

    def __init__(self, value: Value, where: Region, first: int, last: int) -> None:
        self.values = [value]
        self.begin, self.end = where.begin, where.end
        self.first, self.last = first, last

    @property
    def size(self) -> int:
        return -(-max(1, self.end - self.begin) // ALIGNED) * ALIGNED

    @property
    def area(self) -> int:
        """Bytes times instructions."""
        return self.size * (self.last - self.first + 1)

    def take(self, other: Block) -> None:
        self.values = other.values + self.values if other.first < self.first else self.values + other.values
        self.begin, self.end = min(self.begin, other.begin), max(self.end, other.end)
        self.first, self.last = min(self.first, other.first), max(self.last, other.last)


def blocks(program: Program, homes: Homes) -> list[Block]:
    """The blocks of the arena, by what instructions write beside or over what they read."""
    of: dict[Value, Block] = {}
    ends = settled(program)
    for position, instruction in enumerate(program.instructions):
        for value in instruction.reads:
            if value in of:
                of[value].last = max(of[value].last, ends[position])
        for value in instruction.writes:
            where = region(value, homes[value.name])
            if where.segment == "arena":
                of[value] = Block(value, where, position, ends[position])
                for operand in instruction.operands:
                    if operand in of and where.overlaps(region(operand, homes[operand.name])):
                        _join(of, value, operand)
    for value in (*program.outputs.values(), *program.successors.values()):
        if value in of:
            of[value].last = len(program.instructions)
    return list({id(block): block for block in of.values()}.values())


def _join(of: dict[Value, Block], one: Value, other: Value) -> None:
    """The smaller block joins the larger."""
    large, small = sorted((of[one], of[other]), key=lambda block: len(block.values), reverse=True)
    if large is not small:
        large.take(small)
        of.update(dict.fromkeys(small.values, large))

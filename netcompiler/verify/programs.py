"""What a legal program is, wherever its values lie."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from netcompiler.instructions.op import OPS
from netcompiler.plan import CONTAINERS, CORES, SIZES, Instruction, Plan, Value
from netcompiler.scalar import Expr
from netcompiler.targets import TARGETS
from netcompiler.verify.rule import WIDE, Faults, at, deep_lines, lines

ORDERED = (str, int, float, bool, Expr, type(None))


def defined_once(plan: Plan) -> Faults:
    """1: a value is defined once, before it is used."""
    for program in plan.programs.values():
        known = {name: state.value for name, state in plan.states.items()}
        for instruction in program:
            for value in instruction.reads:
                if known.get(value.name) != value:
                    yield f"{at(program, instruction)}: reads {value}, which is not there"
            for value in instruction.results:
                if value.name in known:
                    yield f"{at(program, instruction)}: {value.name} is defined already"
                known[value.name] = value
        for name, value in (*program.outputs.items(), *program.successors.items()):
            if known.get(value.name) != value:
                yield f"{program.name}: {name} is {value}, which is not there"


def typed(plan: Plan) -> Faults:
    """1: types and shapes are what the instruction's own rule says."""
    for program, instruction in deep_lines(plan):
        if instruction.op in CONTAINERS:
            continue
        if instruction.op not in OPS:
            yield f"{at(program, instruction)}: there is no such instruction"
            continue
        try:
            types = OPS[instruction.op].types(instruction.operands, instruction.attributes)
        except ValueError as error:
            yield f"{at(program, instruction)}: {error}"
            continue
        if types != [(value.dtype, value.shape) for value in instruction.results] or any(dtype not in SIZES for dtype, _ in types):
            yield f"{at(program, instruction)}: {', '.join(map(str, instruction.results))} should be {types}"


def halves(plan: Plan) -> Faults:
    """1: the forward half stands before the backward half."""
    for program in plan.programs.values():
        if not 0 <= program.forward <= len(program.instructions):
            yield f"{program.name}: {program.forward} forward instructions of {len(program.instructions)}"


def bodies(plan: Plan) -> Faults:
    """5: a body is a legal program with at most one core; nothing escapes but results, and all that is read is named."""
    for program, instruction in lines(plan):
        if (instruction.op in CONTAINERS) != bool(instruction.body):
            yield f"{at(program, instruction)}: only fused instructions have a body, and all of them"
        for fault in _body(instruction) if instruction.body else ():
            yield f"{at(program, instruction)}: {fault}"


def _body(instruction: Instruction) -> Iterator[str]:
    made: set[Value] = set()
    given, results = set(instruction.operands), set(instruction.results)
    for inner in instruction.body:
        if inner.body:
            yield "bodies do not nest"
        for value in inner.operands:
            if value not in made and value not in given:
                yield f"its body reads {value.name}, which it does not have"
        for value in inner.results:
            if value in made or value in given:
                yield f"its body defines {value.name} twice"
        made.update(inner.results)
    read = set(chain.from_iterable(inner.operands for inner in instruction.body))
    yield from (f"its body does not make {value.name}" for value in results - made)
    yield from (f"its body does not read {value.name}" for value in given - read)
    for inner in instruction.body:
        if not any(value in read or value in results for value in inner.results):
            yield f"nobody in its body reads {inner.result.name}"
    if instruction.op == "fused" and sum(inner.op in CORES for inner in instruction.body) > 1:
        yield "its body has several cores"


def offered(plan: Plan) -> Faults:
    """6: where a kernel is named the target offers it, it can run the instruction, and the workspace is what it asks for."""
    offers = TARGETS[plan.target].offers
    for program, instruction in lines(plan):
        if not instruction.kernel:
            if instruction.algorithm or instruction.workspace or instruction.engine:
                yield f"{at(program, instruction)}: an algorithm, engine or workspace without a kernel"
            continue
        name = (instruction.kernel, instruction.algorithm)
        core = instruction.core
        offer = next((offer for offer in offers.get(core.op, ()) if (offer.kernel, offer.algorithm) == name), None)
        if offer is None:
            yield f"{at(program, instruction)}: {plan.target} does not offer {' '.join(filter(None, name))}"
        elif reason := offer.cannot(instruction):
            yield f"{at(program, instruction)}: {offer.name} refuses: {reason}"
        elif offer.workspace(core) != instruction.workspace:
            yield f"{at(program, instruction)}: {offer.name} asks for {offer.workspace(core)} bytes of workspace"


def sums_are_wide(plan: Plan) -> Faults:
    """7: what many numbers are added into has 32 bits or more: sums, statistics, norms, losses."""
    for program, instruction in deep_lines(plan):
        if instruction.op in ("sum", "moments", "logsumexp"):
            for value in instruction.results:
                if value.dtype in ("f16", "bf16"):
                    yield f"{at(program, instruction)}: sums in {value.dtype}"
    for program in plan.programs.values():
        if (loss := program.outputs.get("loss")) and loss.dtype not in WIDE:
            yield f"{program.name}: the loss is {loss.dtype}"


def streams(plan: Plan) -> Faults:
    """12: streams of random numbers are told apart by their keys, clones excepted."""
    for program in plan.programs.values():
        seen: dict[tuple[int, int], tuple[str, object]] = {}
        for instruction in program:
            if instruction.op == "random":
                own = (instruction.origin, instruction.attributes["columns"])
                if seen.setdefault(instruction.attributes["key"], own) != own:
                    yield f"{at(program, instruction)}: draws from the stream of {seen[instruction.attributes['key']][0]}"


def collectives(plan: Plan) -> Faults:
    """14: collectives come in the same order on all ranks: every rank runs this program, and each names all of them."""
    ranks = {instruction.attributes["ranks"] for _, instruction in deep_lines(plan) if instruction.op == "all_reduce"}
    if len(ranks) > 1:
        yield f"collectives over {', '.join(map(str, sorted(ranks)))} ranks in one plan"


def nothing_dead(plan: Plan) -> Faults:
    """16: nothing is there that nobody reads, and nothing without origin."""
    for program in plan.programs.values():
        read = {value for instruction in program for value in instruction.reads}
        read.update(program.outputs.values(), program.successors.values())
        for instruction in program:
            if read.isdisjoint(instruction.results):
                yield f"{at(program, instruction)}: nobody reads it"
            if not instruction.origin:
                yield f"{at(program, instruction)}: where does it come from?"


def printable(plan: Plan) -> Faults:
    """16: two prints of one plan are equal: attributes hold nothing that has no order."""
    for program, instruction in deep_lines(plan):
        for key, value in instruction.attributes.items():
            if not _ordered(value):
                yield f"{at(program, instruction)}: {key} is a {type(value).__name__}, which prints in no fixed order"


def _ordered(value: object) -> bool:
    return isinstance(value, ORDERED) or (isinstance(value, tuple) and (isinstance(value[:1], ORDERED) or all(map(_ordered, value))))

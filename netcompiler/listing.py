"""The plan as a program that a person can read: `%7 f32[32,28,28,256] = conv %5 w3 3x3 pad=1   ; resnet.yaml:31 layer2.0.conv2`.

What a result's type shows is not said again. Equal plans print equally.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from itertools import groupby
from typing import Any

from netcompiler.plan import Axis, Home, Instruction, Plan, Program, State, Value

WIDTH = 140
"""Bodies are wrapped at this column."""

COMMENT = 88
"""Comments begin in this column, where the line leaves room."""

LETTERS = {1: "c", 2: "nc", 3: "ntc", 4: "nhwc", 5: "ndhwc"}
"""The names of axes by rank."""

MOST_NUMBERS = 12

Homes = Mapping[str, Home]


def show_plan(plan: Plan) -> str:
    head = f"plan {plan.spec} {plan.mode} batch={plan.batch} {plan.target} {plan.dtype}"
    facts = [f"; {fact}" for fact in plan.facts]
    programs = [line for program in plan.programs.values() for line in ("", *program_lines(plan, program))]
    return "\n".join([head, *facts, *segment_lines(plan), *programs]) + "\n"


def segment_lines(plan: Plan) -> Iterator[str]:
    """Each segment with the states that lie in it."""
    members: dict[str, list[State]] = {name: [] for name in plan.segments}
    for state in plan.states.values():
        members.setdefault(state.segment, []).append(state)
    for name, states in members.items():
        yield f"\nsegment {name}" + (f" {plan.segments[name]:,} bytes" if name in plan.segments else "")
        yield from (_commented(f"  {_state(state, plan.homes.get('', {}))}", state.origin) for state in states)


def _state(state: State, homes: Homes) -> str:
    home = homes.get(state.value.name)
    order = f" order={','.join(map(str, state.order))}" if state.order else ""
    return f"{state.value.name}{f'@{home.offset}' if home else ''} {_type(state.value)}{order}"


def program_lines(plan: Plan, program: Program) -> Iterator[str]:
    homes = {**plan.homes.get("", {}), **plan.homes.get(program.name, {})}
    yield f"program {program.name}"
    for position, instruction in enumerate(program.instructions):
        if position == program.forward and position:
            yield "  ; backward"
        yield from instruction_lines(instruction, homes)
    for name, value in program.successors.items():
        copied = homes and homes[name] != homes[value.name]
        yield f"  {name} <- {value.name}" + (" copied" if copied else "")
    yield from (f"  return {name} = {value.name}" for name, value in program.outputs.items())


def instruction_lines(instruction: Instruction, homes: Homes) -> Iterator[str]:
    if instruction.op == "flat":
        yield from _flat_lines(instruction, homes)
        return
    yield _commented(f"  {_results(instruction.results, homes)} = {' '.join(_words(instruction, homes))}", instruction.origin)
    yield from _wrapped([f"{_names(inner.results)} = {' '.join(_words(inner, {}))}" for inner in instruction.body], " " * 6)


def _flat_lines(instruction: Instruction, homes: Homes) -> Iterator[str]:
    """The map with the names of its first member, then what each member writes and reads."""
    first = instruction.body[0]
    yield _commented(f"  flat {len(instruction.body)} x {' '.join(_words(first, homes))}", instruction.origin)
    yield from (f"      {_results(inner.results, homes)} of {_names(inner.operands)}" for inner in instruction.body)


def _commented(line: str, comment: str) -> str:
    return f"{line:<{COMMENT}}   ; {comment}" if comment else line


def _wrapped(pieces: Iterable[str], indent: str) -> Iterator[str]:
    line = ""
    for piece in pieces:
        if line and len(indent) + len(line) + 3 + len(piece) > WIDTH:
            yield indent + line
            line = ""
        line = f"{line} | {piece}" if line else piece
    if line:
        yield indent + line


# results and operands


def _results(values: Iterable[Value], homes: Homes) -> str:
    """Neighbours of one type share it."""
    groups = groupby(values, _type)
    return ", ".join(f"{' '.join(value.name + _home(homes.get(value.name)) for value in group)} {kind}" for kind, group in groups)


def _names(values: Iterable[Value]) -> str:
    return " ".join(value.name for value in values)


def _type(value: Value) -> str:
    return f"{value.dtype}[{','.join(map(str, value.shape))}]"


def _home(home: Home | None) -> str:
    """@256 in the arena, @parameters+256 elsewhere; /64 where rows lie 64 elements apart."""
    if home is None:
        return ""
    return f"@{'' if home.segment == 'arena' else f'{home.segment}+'}{home.offset}" + (f"/{home.pitch}" if home.pitch else "")


# what is done


def _words(instruction: Instruction, homes: Homes) -> Iterator[str]:
    yield _verb(instruction, homes)
    if instruction.op == "map":
        names = [value.name for value in instruction.operands]
        yield " | ".join(expr.show(names) for expr in instruction.attributes["exprs"])
        return
    if instruction.op != "fused":
        yield from _operands(instruction)
    for key, value in instruction.attributes.items():
        if text := ATTRIBUTES[key](value, instruction) if key in ATTRIBUTES else f"{key}={_value(value)}":
            yield text
    if instruction.kernel not in ("", "body", instruction.core.op):
        yield instruction.kernel
    if instruction.algorithm:
        yield instruction.algorithm
    if instruction.engine:
        yield instruction.engine
    if instruction.packed:
        yield f"pack={_names(instruction.packed)}"
    if instruction.workspace:
        yield f"ws={instruction.workspace:,}"
    if instruction.lane not in ("", "main"):
        yield f"lane={instruction.lane}"
    if instruction.after:
        yield f"after={_names(instruction.after)}"


def _verb(instruction: Instruction, homes: Homes) -> str:
    """A reshape that moves nothing is a view; a fused instruction is called after its core."""
    if instruction.op == "reshape" and homes and homes[instruction.result.name] == homes[instruction.operands[0].name]:
        return "view"
    return instruction.op if instruction.core is instruction else f"{instruction.op} {instruction.core.op}"


def _operands(instruction: Instruction) -> Iterator[str]:
    """Names; .T where a product reads the transpose, [2:4] where a slice takes a part."""
    turned = [instruction.attributes.get("ta"), instruction.attributes.get("tb")] + [False] * len(instruction.operands)
    part = _part(instruction) if instruction.op == "slice" else ""
    return (f"{value.name}{'.T' if t else ''}{part}" for value, t in zip(instruction.operands, turned, strict=False))


def _part(instruction: Instruction) -> str:
    a, shape = instruction.attributes, instruction.operands[0].shape
    return f"[{','.join(map(_range, a['begin'], a['end'], a['step'], shape))}]"


def _range(begin: int, end: int, step: int, n: int) -> str:
    return f"{begin or ''}:{end if end != n else ''}" + (f":{step}" if step != 1 else "")


def _axes(axes: Iterable[int], instruction: Instruction) -> str:
    rank = len(instruction.operands[0].shape)
    return ",".join(LETTERS[rank][axis] if rank in LETTERS else str(axis) for axis in axes)


@cache
def _window(window: tuple[Axis, ...]) -> str:
    """3x3 stride=2 pad=1: sides that agree are said once, and what is 1 or 0 by default not at all."""
    pads = [f"{axis.low}" if axis.low == axis.high else f"{axis.low}:{axis.high}" for axis in window]
    parts = (
        ("stride", [str(axis.stride) for axis in window], "1"),
        ("pad", pads, "0"),
        ("dilation", [str(x.dilation) for x in window], "1"),
    )
    words = [f"{name}={'x'.join(texts if len(set(texts)) > 1 else texts[:1])}" for name, texts, usual in parts if set(texts) != {usual}]
    return " ".join(["x".join(str(axis.kernel) for axis in window), *words])


def _pads(low: tuple[int, ...], instruction: Instruction) -> str:
    """h=1:2 is a row before and two behind; a third number are zeros between neighbours."""
    a = instruction.attributes
    words = []
    for axis, numbers in enumerate(zip(low, a["high"], a["interior"], strict=True)):
        if any(numbers):
            words.append(f"{_axes([axis], instruction)}={':'.join(map(str, numbers if numbers[2] else numbers[:2]))}")
    return " ".join(words)


def _nothing(value: Any, instruction: Instruction) -> str:
    return ""


def _value(value: Any) -> str:
    if isinstance(value, tuple):
        return f"[{' '.join(map(_value, value)) if len(value) <= MOST_NUMBERS else f'{len(value)} numbers'}]"
    return f"{value:.9g}" if isinstance(value, float) else str(value)


ATTRIBUTES: Mapping[str, Callable[[Any, Instruction], str]] = {
    **dict.fromkeys(
        ("shape", "dtype", "size", "rows", "columns", "ta", "tb", "begin", "end", "step", "high", "interior", "form", "elements"), _nothing
    ),
    "math": lambda math, instruction: str(math),
    "axes": _axes,
    "axis": lambda axis, instruction: _axes([axis], instruction),
    "order": _axes,
    "window": lambda window, instruction: _window(window),
    "groups": lambda groups, instruction: f"groups={groups}" if groups > 1 else "",
    "low": _pads,
    "key": lambda key, instruction: f"key={key[0]:08x}{key[1]:08x}",
    "table": lambda table, instruction: _value(table),
    "value": lambda value, instruction: _value(value),
}
"""How attributes are said. Those that the result's type shows, and those that stand with an operand, are not."""

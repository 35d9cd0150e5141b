"""What numbers are kept in, and what products are computed in.

In 16 bits: what layers give to layers, and what products read and give. Weights stay in 32, and what products read of them is a
copy; so do sums, statistics, losses and all that is inside of a layer. The derivative of a cast is a cast: differentiate.py.
"""

from __future__ import annotations

from dataclasses import replace

from netcompiler.builder import Builder
from netcompiler.instructions.op import OPS, wide
from netcompiler.passes.simplify import highest
from netcompiler.plan import HALVES, MATH, PRODUCTS, Instruction, Plan, Program, State, Value
from netcompiler.scalar import cast

KEPT = {"bf16": "bf16", "fp16": "f16"}
"""Precisions of the language that keep numbers in fewer bits, and the type."""

SCALE, GOOD = "scale", "good"
"""States: what gradients are multiplied with, for small ones are nothing in f16; and the steps since it was changed."""

FIRST_SCALE = 2.0**16

MOVES = ("reshape", "transpose", "slice", "pad", "concat", "gather")
"""What gives the numbers that it reads."""


def precision(plan: Plan, asked: str | None, offered: str) -> Plan:
    """`asked` by the recipe; `offered` is what the target computes products in, where that is less than f32."""
    if plan.dtype != "f32":
        return plan
    if asked in KEPT:
        plan = plan.with_programs(_Halving(program, plan.dtype, KEPT[asked]).program() for program in plan.programs.values())
        return _scaled(plan) if asked == "fp16" and plan.mode == "train" else plan
    if offered and asked in (None, offered):
        return plan.with_programs(_computed_in(program, offered) for program in plan.programs.values())
    return plan


def computed_in(asked: str | None, offered: str) -> str:
    """The precision that comes of it, by its name in the language."""
    if asked in KEPT:
        return str(asked)
    return offered if offered and asked in (None, offered) else "fp32"


def _scaled(plan: Plan) -> Plan:
    """With the state by which gradients are scaled; optimise.py changes it."""
    own = (State(Value(SCALE, plan.dtype, ()), "control", start=FIRST_SCALE), State(Value(GOOD, "i32", ()), "control", start=0.0))
    return replace(plan, states={**plan.states, **{state.value.name: state for state in own}})


def _computed_in(program: Program, math: str) -> Program:
    return replace(program, instructions=tuple(_with_math(i, math) if i.op in PRODUCTS else i for i in program))


def _with_math(instruction: Instruction, math: str) -> Instruction:
    return replace(instruction, attributes={**instruction.attributes, MATH: math})


class _Halving:
    """A program written again with other types. Values keep their names."""

    def __init__(self, program: Program, dtype: str, half: str) -> None:
        self.before = program
        self.half = half
        self.b = Builder(dtype, taken=highest(program))
        self.names: dict[Value, Value] = {}
        self.between = _between(program)

    def program(self) -> Program:
        for instruction in self.before:
            self._instruction(instruction)
        self.b.origin = "output"
        outputs = {name: self._wide(value) for name, value in self.before.outputs.items()}
        successors = {name: self._wide(value) for name, value in self.before.successors.items()}
        return Program(self.before.name, tuple(self.b.instructions), outputs, successors)

    def _wide(self, value: Value) -> Value:
        own = self.names.get(value, value)
        return self.b.kept_as(own, wide(own.dtype))

    def _instruction(self, i: Instruction) -> None:
        self.b.origin = i.origin
        operands = self._operands(i)
        attributes = self._attributes(i)
        types = OPS[i.op].types(operands, attributes)
        results = tuple(Value(old.name, *own) for old, own in zip(i.results, types, strict=True))
        self.b.append(replace(i, operands=operands, attributes=attributes, results=results))
        for old, new in zip(i.results, results, strict=True):
            self.names[old] = self.b.kept_as(new, self.half) if old in self.between and _is_wide(new) else new

    def _operands(self, i: Instruction) -> tuple[Value, ...]:
        """Those of a product have 16 bits, those of a concatenation all one type."""
        own = tuple(self.names.get(value, value) for value in i.operands)
        halved = i.op in PRODUCTS or (i.op == "concat" and any(value.dtype in HALVES for value in own))
        return tuple(self.b.kept_as(value, self.half) for value in own) if halved else own

    def _attributes(self, i: Instruction) -> dict[str, object]:
        """A map keeps its own result in 16 bits."""
        if i.op != "map":
            return dict(i.attributes)
        both = zip(i.attributes["exprs"], i.results, strict=True)
        exprs = tuple(cast(expr, self.half) if result in self.between and _is_wide(result) else expr for expr, result in both)
        return {**i.attributes, "exprs": exprs}


def _is_wide(value: Value) -> bool:
    return value.dtype == "f32"


def _between(program: Program) -> set[Value]:
    """What layers give to layers, and what that shows in another place or shape."""
    found = set(program.between)
    for instruction in reversed(program.instructions):
        if instruction.op in MOVES and found.intersection(instruction.results):
            found.update(instruction.operands)
    return found

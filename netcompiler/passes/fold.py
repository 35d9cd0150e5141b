"""In inference a norm behind a convolution or product is part of its weights: y = d * conv(x, w) + e is conv(x, d * w) + e.

d and e depend on state alone, so hoist computes them before.
"""

from __future__ import annotations

from dataclasses import replace

from netcompiler.builder import Builder
from netcompiler.instructions.pointwise import unrounded
from netcompiler.passes.hoist import HOSTS, LASTING
from netcompiler.passes.simplify import without_dead
from netcompiler.passes.why import Why, because, silent
from netcompiler.plan import HALVES, Instruction, Plan, Program, Value
from netcompiler.scalar import ONE, ZERO, Expr, derivative, operand, operands, substitute

PRODUCTS = ("conv", "matmul")


def fold(plan: Plan, why: Why = silent) -> Plan:
    lasting = frozenset(state.value for state in plan.states.values() if state.segment in LASTING)
    return plan.with_programs(_folded(program, lasting, plan.dtype, why) for name, program in plan.programs.items() if name in HOSTS)


def _folded(program: Program, lasting: frozenset[Value], dtype: str, why: Why) -> Program:
    readers = program.readers
    made = {value: instruction for instruction in program for value in instruction.results}
    steady = set(lasting)
    b = Builder(dtype, taken=max((int(v.name[1:]) for v in made), default=0))
    names: dict[Value, Value] = {}
    for instruction in program:
        if instruction.operands and steady.issuperset(instruction.operands):
            steady.update(instruction.results)
        match = _match(instruction, made, steady, readers) if instruction.op == "map" else None
        if isinstance(match, str):
            why(because(program, instruction, f"is not part of the weights: {match}"))
        if isinstance(match, tuple):
            b.origin = instruction.origin
            product, expr, values = match
            exact = _exact(product.operands[1], made)
            folded = _write(b, product.reading(names), names.get(exact, exact), expr, values)
            names[instruction.result] = b.kept_as(folded, instruction.result.dtype)
        else:
            b.append(instruction.reading(names))
    if not names:
        return program
    outputs = {name: names.get(value, value) for name, value in program.outputs.items()}
    return without_dead(replace(program, instructions=tuple(b.instructions), outputs=outputs))


Match = tuple[Instruction, Expr, list[Value]]
"""The product, an expression with the product as operand 0, and all operands."""

Reason = str
"""Why a map behind a product cannot be part of its weights."""


def _match(
    instruction: Instruction, made: dict[Value, Instruction], steady: set[Value], readers: dict[Value, int]
) -> Match | Reason | None:
    """A map that is d * y + e in the one product that it reads, where d and e are steady and one for each channel."""
    [expr, *more], values = instruction.attributes["exprs"], list(instruction.operands)
    expr = unrounded(expr)
    while not more:
        moving = [i for i in operands(expr) if values[i] not in steady]
        inner = made.get(values[moving[0]]) if len(moving) == 1 else None
        if inner is None or inner.results[0].shape != instruction.result.shape:
            return None
        [i] = moving
        if inner.op in PRODUCTS:
            return _affine(inner, expr, values, i, readers[values[i]])
        if inner.op != "map" or len(inner.results) > 1 or readers[values[i]] != 1:
            return None
        places = {j: operand(len(values) + j) for j in range(len(inner.operands))}
        expr = substitute(expr, {i: substitute(unrounded(inner.attributes["exprs"][0]), places)})
        values += inner.operands
    return None


def _affine(product: Instruction, expr: Expr, values: list[Value], i: int, readers: int) -> Match | Reason | None:
    channels = product.result.shape[-1]
    slope = derivative(expr, i)
    if i in operands(slope) or slope in (ONE, ZERO):
        return None
    if readers > 1:
        return f"{readers} read the product {product.result.name}"
    others = [values[j] for j in operands(expr) if j != i]
    if odd := next((value for value in others if value.shape not in ((channels,), ())), None):
        return f"{odd.name} is not one number for each channel"
    if product.op == "matmul" and (product.attributes["ta"] or not product.attributes["tb"] or len(product.operands[1].shape) != 2):
        return f"the product {product.result.name} has its channels elsewhere"
    order = [i, *(j for j in range(len(values)) if j != i)]
    return product, substitute(expr, {j: operand(order.index(j)) for j in order}), [values[j] for j in order]


def _exact(w: Value, made: dict[Value, Instruction]) -> Value:
    """The weights of which these are a copy in fewer bits."""
    inner = made.get(w) if w.dtype in HALVES else None
    return inner.operands[0] if inner and inner.op == "map" and unrounded(inner.attributes["exprs"][0]) is operand(0) else w


def _write(b: Builder, product: Instruction, exact: Value, expr: Expr, values: list[Value]) -> Value:
    x, w = product.operands
    slope = derivative(expr, 0)
    columns = [b.reshape(value, (*value.shape, *(1,) * (len(w.shape) - 1))) if value.shape else value for value in values[1:]]
    scaled = b.map(slope * operand(0), exact, *columns, shape=w.shape, dtype=w.dtype)
    y = b.emit(product.op, x, scaled, **product.attributes)
    rest = b.map(substitute(expr, {0: ZERO}), y, *values[1:], shape=(y.shape[-1],)) if len(values) > 1 else None
    return b.map(operand(0) + operand(1), y, rest, shape=y.shape) if rest else y

"""Writes programs: one instruction after another, each value once. What was computed already is not computed again.

Passes and lowerings write through it; it knows the types of results, and nothing of layers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from netcompiler.instructions.op import OPS, Shape, broadcast
from netcompiler.instructions.pointwise import factors, kept_as, varies
from netcompiler.plan import Instruction, Value
from netcompiler.scalar import ONE, Expr, mul, operand, operands, substitute


class Builder:
    """A program under construction. `origin` is the place in the spec that new instructions stand for."""

    def __init__(self, dtype: str, known: Sequence[Instruction] = (), taken: int = 0) -> None:
        self.dtype = dtype
        self.origin = ""
        self.instructions: list[Instruction] = []
        self.numbers: dict[Any, tuple[Value, ...]] = {}
        self.count = taken
        for instruction in known:
            self.append(instruction)

    def append(self, instruction: Instruction) -> None:
        """An instruction as it is."""
        self.instructions.append(instruction)
        self.numbers.setdefault(_key(instruction.op, instruction.operands, instruction.attributes), instruction.results)
        for value in instruction.results:
            if value.name.startswith("%"):
                self.count = max(self.count, int(value.name[1:]))

    def emit_all(self, op: str, /, *operands: Value, **attributes: Any) -> tuple[Value, ...]:
        """All results of an instruction; of the earlier one where there is an equal one."""
        key = _key(op, operands, attributes)
        if key not in self.numbers:
            results = []
            for dtype, shape in OPS[op].types(operands, attributes):
                self.count += 1
                results.append(Value(f"%{self.count}", dtype, shape))
            self.instructions.append(Instruction(tuple(results), op, operands, attributes, origin=self.origin))
            self.numbers[key] = tuple(results)
        return self.numbers[key]

    def emit(self, op: str, /, *operands: Value, **attributes: Any) -> Value:
        return self.emit_all(op, *operands, **attributes)[0]

    def map(self, expr: Expr, *values: Value, shape: Shape | None = None, dtype: str = "") -> Value:
        """One expression over values, kept as `dtype` if one is given. Operands that it does not use, or uses twice, are dropped."""
        shape = broadcast([value.shape for value in values]) if shape is None else shape
        used = [values[i] for i in operands(expr)]
        unique = list(dict.fromkeys(used))
        expr = substitute(expr, {i: operand(unique.index(values[i])) for i in operands(expr)})
        expr = kept_as(expr, unique, self.dtype, dtype) if dtype else expr
        if expr is operand(0) and unique[0].shape == shape:
            return unique[0]
        return self.emit("map", *unique, exprs=(expr,), shape=shape, dtype=self.dtype)

    def sum_to(self, expr: Expr, values: Sequence[Value], shape: Shape, target: Shape) -> Value:
        """The sum of a map over the axes that `target` lacks; factors that do not vary along them are taken out."""
        shift = len(shape) - len(target)
        axes = tuple(axis for axis, n in enumerate(shape) if n != 1 and (axis < shift or target[axis - shift] == 1))
        if not axes:
            return self.reshape(self.map(expr, *values, shape=shape), target)
        inside: list[Expr] = []
        outside: list[Expr] = []
        for factor in factors(expr):
            (inside if varies(factor, values, shape, axes) else outside).append(factor)
        body = _product(sorted(inside, key=lambda e: e.show([value.name for value in values])))
        total = self.emit("sum", self.map(body, *values, shape=shape), axes=axes)
        result = self.map(mul(_product(outside), operand(len(values))), *values, total, shape=total.shape) if outside else total
        return self.reshape(result, target)

    def kept_as(self, x: Value, dtype: str) -> Value:
        return x if x.dtype == dtype else self.map(operand(0), x, dtype=dtype)

    def sum(self, x: Value, axes: Sequence[int]) -> Value:
        return self.emit("sum", x, axes=tuple(axes))

    def reshape(self, x: Value, shape: Shape) -> Value:
        return x if x.shape == tuple(shape) else self.emit("reshape", x, shape=tuple(shape))

    def transpose(self, x: Value, order: Sequence[int]) -> Value:
        return x if tuple(order) == tuple(range(len(order))) else self.emit("transpose", x, order=tuple(order))

    def slice(self, x: Value, begin: Sequence[int], end: Sequence[int], step: Sequence[int] = ()) -> Value:
        step = tuple(step) or (1,) * len(x.shape)
        if tuple(begin) == (0,) * len(x.shape) and tuple(end) == x.shape and set(step) <= {1}:
            return x
        return self.emit("slice", x, begin=tuple(begin), end=tuple(end), step=step)

    def constant(self, value: float, shape: Shape = (), dtype: str = "") -> Value:
        return self.emit("constant", value=value, shape=shape, dtype=dtype or self.dtype)

    def table(self, numbers: Sequence[float], shape: Shape, dtype: str = "") -> Value:
        return self.emit("constant", table=tuple(numbers), shape=shape, dtype=dtype or self.dtype)


def _key(op: str, operands: Sequence[Value], attributes: Any) -> Any:
    return op, tuple(operands), tuple(attributes.items())


def _product(exprs: Sequence[Expr]) -> Expr:
    result = ONE
    for expr in exprs:
        result = mul(result, expr)
    return result

"""What a primitive is: the types of its results, its cost, its derivative. One class answers all of it.

Read next: pointwise.py, and builder.py, which writes programs out of these.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from math import prod
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from netcompiler.plan import HALVES, Instruction, Value

if TYPE_CHECKING:
    from netcompiler.builder import Builder

Shape: TypeAlias = tuple[int, ...]
Types: TypeAlias = "list[tuple[str, Shape]]"
Gradients: TypeAlias = "Sequence[Value | None]"

OPS: dict[str, type[Op]] = {}


class Op:
    """Base of all primitives; a subclass registers itself under its name in lower case with underscores."""

    name: ClassVar[str] = ""
    view: ClassVar[bool] = False
    """The result may be the operand's bytes under another shape."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if not cls.__name__.startswith("_"):
            cls.name = "".join("_" + c.lower() if c.isupper() else c for c in cls.__name__)[1:]
            OPS[cls.name] = cls

    @staticmethod
    def types(operands: Sequence[Value], attributes: Mapping[str, Any]) -> Types:
        """The dtype and shape of each result."""
        raise NotImplementedError

    @staticmethod
    def flops(instruction: Instruction) -> int:
        """Arithmetic operations; one an output unless an op says otherwise."""
        return sum(value.elements for value in instruction.results)

    @staticmethod
    def derive(b: Builder, i: Instruction, dy: Gradients) -> Gradients:
        """The gradient of each operand from those of the results; None where nothing flows."""
        raise NotImplementedError


def flops(instruction: Instruction) -> int:
    if instruction.body:
        return sum(map(flops, instruction.body))
    return OPS[instruction.op].flops(instruction)


def traffic(instruction: Instruction) -> int:
    """Bytes read and written when every operand and result crosses memory once."""
    return sum(value.bytes for value in (*instruction.operands, *instruction.results))


def need(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)


def wide(dtype: str) -> str:
    """What many numbers of a type are added up in."""
    return "f32" if dtype in HALVES else dtype


def kept(shape: Shape, axes: Sequence[int]) -> Shape:
    """The shape with the given axes reduced to 1."""
    return tuple(1 if axis in axes else n for axis, n in enumerate(shape))


def broadcast(shapes: Sequence[Shape]) -> Shape:
    """The common shape, trailing axes aligned."""
    return _broadcast(tuple(shapes))


@lru_cache(4096)
def _broadcast(shapes: tuple[Shape, ...]) -> Shape:
    """A net has few shapes, and meets them again in each instruction."""
    rank = max(map(len, shapes), default=0)
    columns = zip(*((1,) * (rank - len(shape)) + shape for shape in shapes), strict=True)
    sizes = [set(column) - {1} for column in columns]
    need(all(len(size) <= 1 for size in sizes), f"shapes do not broadcast: {list(shapes)}")
    return tuple(size.pop() if size else 1 for size in sizes)


def multiply_adds(output: Value, inner: int) -> int:
    return 2 * output.elements * inner


def taps(window: Sequence[Any]) -> int:
    return prod(axis.kernel for axis in window)

"""The plan: static programs over values that are assigned once, and the state that they read and replace.

Frozen data, nothing else. What the instructions mean: instructions/. What a legal plan is: verify/. The plan as text: listing.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import blake2b
from itertools import chain
from math import prod
from operator import attrgetter
from typing import Any, NamedTuple, TypeAlias

from netcompiler.scalar import Expr

SIZES = {"f64": 8, "i64": 8, "f32": 4, "i32": 4, "u32": 4, "f16": 2, "bf16": 2, "u16": 2, "u8": 1, "b1": 1}
"""Bytes of an element in memory."""


PANEL = 32
"""Channels side by side in packed weights; the register block of every processor divides it."""

ALIGNED = 256
"""What lies in the arena begins at multiples of so many bytes, and what shares a workspace, too."""

CONTAINERS = ("fused", "flat")
"""Instructions that mean what their body means: a region of a program, or equal maps over a run of a segment."""


PRODUCTS = ("matmul", "conv", "conv_dx", "conv_dw")
"""What multiplies and adds: it may be computed in less than f32, and other work can go on beside it."""

CORES = (*PRODUCTS, "resample")
"""What maps gather around in a fused instruction."""

MAIN, SIDE = "main", "side"
"""Lanes: instructions of one follow one another, those of two may run at once."""

HALVES = ("f16", "bf16")
"""What numbers are only kept in: they are computed with in f32."""

MATH = "math"
"""The attribute of a product that may be computed in less than its operands hold; `tf32` looks at 11 bits of each number."""


class Axis(NamedTuple):
    """A window along one axis: taps `dilation` apart, every `stride` cells, cells added (or left out) before and behind."""

    kernel: int
    stride: int = 1
    low: int = 0
    high: int = 0
    dilation: int = 1

    @property
    def extent(self) -> int:
        return (self.kernel - 1) * self.dilation + 1

    def size(self, n: int) -> int:
        return (n + self.low + self.high - self.extent) // self.stride + 1


class Value(NamedTuple):
    """A name, what its elements are, and its logical shape: (n, sides, c)."""

    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def elements(self) -> int:
        return prod(self.shape)

    @property
    def bytes(self) -> int:
        return self.elements * SIZES[self.dtype]

    def __str__(self) -> str:
        return f"{self.name} {self.dtype}[{','.join(map(str, self.shape))}]"


@dataclass(frozen=True, eq=False)
class Instruction:
    """One step of a program. The fields behind `attributes` are empty until their pass fills them."""

    results: tuple[Value, ...]
    op: str
    operands: tuple[Value, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    body: tuple[Instruction, ...] = ()
    kernel: str = ""
    algorithm: str = ""
    workspace: int = 0
    lane: str = ""
    after: tuple[Value, ...] = ()
    """What another lane makes, and must have made before this one begins, with all that stands before it there."""
    origin: str = ""
    packed: tuple[Value, ...] = ()
    """Operands once more, in the form in which the kernel reads them."""
    engine: str = ""
    """What a library calls the way that was the fastest; empty for its own first choice."""

    @property
    def reads(self) -> tuple[Value, ...]:
        """All that must be there when it runs."""
        return (*self.operands, *self.packed)

    @property
    def scratch(self) -> Value | None:
        """Bytes that are its own while it runs, where it needs some."""
        return Value(f"{self.result.name} workspace", "u8", (self.workspace,)) if self.workspace else None

    @property
    def writes(self) -> tuple[Value, ...]:
        """All that it fills with numbers."""
        return (*self.results, scratch) if (scratch := self.scratch) else self.results

    @property
    def result(self) -> Value:
        return self.results[0]

    @property
    def core(self) -> Instruction:
        """What decides how it is run: of a fused instruction the core in its body, if there is one; else itself."""
        return next((inner for inner in self.body if inner.op in CORES), self) if self.op == "fused" else self

    @property
    def gathered(self) -> tuple[Instruction, ...]:
        """Of a fused instruction with a core the maps in front of it, whose results it alone reads."""
        return self.body[: self.body.index(self.core)] if self.core is not self else ()

    @property
    def finish(self) -> Instruction | None:
        """Of a fused instruction with a core the map behind it."""
        return None if self.core is self or self.core is self.body[-1] else self.body[-1]

    def having(self, **changes: Any) -> Instruction:
        """As dataclasses.replace, which takes ten times as long: passes write every instruction of a net again."""
        new = object.__new__(Instruction)
        new.__dict__.update(self.__dict__, **changes)
        return new

    def reading(self, names: Mapping[Value, Value]) -> Instruction:
        """The same instruction, body and all, with other values in place of some operands."""
        if names.keys().isdisjoint(self.reads):
            return self
        operands, packed = (tuple(names.get(value, value) for value in values) for values in (self.operands, self.packed))
        return self.having(operands=operands, packed=packed, body=tuple(inner.reading(names) for inner in self.body))


@dataclass(frozen=True, eq=False)
class Program:
    """Instructions in order, the values that come out of it by name, and the successors of states."""

    name: str
    instructions: tuple[Instruction, ...]
    outputs: Mapping[str, Value]
    successors: Mapping[str, Value] = field(default_factory=dict)
    forward: int = 0
    """How many instructions stand before the backward half; 0 where there is none."""
    between: frozenset[Value] = frozenset()
    """What layers give to layers, as `lower` tells it to `precision`; of no meaning behind that."""

    def __iter__(self) -> Iterator[Instruction]:
        return iter(self.instructions)

    @cached_property
    def readers(self) -> Counter[Value]:
        """How often each value is read, outside as well."""
        readers = Counter(chain.from_iterable(map(attrgetter("operands"), self.instructions)))
        readers.update([*self.outputs.values(), *self.successors.values()])
        return readers


class Start(NamedTuple):
    """How a weight begins: by an initialiser of the recipe, and the fans that it may ask for. `pairs` tells which inputs
    each output sees; the weights between others are 0."""

    rule: Any
    fan_in: int
    fan_out: int
    pairs: tuple[tuple[bool, ...], ...] | None = None


@dataclass(frozen=True)
class State:
    """A value that outlives a program. `parameter` is its name outside, `order` the axes that it has there.

    It begins with `start`: a number, a tuple of them in the order that it has outside, a Start, or like the state of that name."""

    value: Value
    segment: str
    parameter: str = ""
    order: tuple[int, ...] = ()
    start: Any = None
    origin: str = ""


@dataclass(frozen=True)
class Home:
    """Where a value lies: bytes from the start of a segment, elements from one row of the last axis to the next."""

    segment: str
    offset: int
    pitch: int = 0


@dataclass(frozen=True, eq=False)
class Plan:
    """Everything that a runtime needs."""

    spec: str
    mode: str
    batch: int
    target: str
    dtype: str
    states: Mapping[str, State]
    programs: Mapping[str, Program]
    homes: Mapping[str, Mapping[str, Home]] = field(default_factory=dict)
    """For each program, where each of its values lies; under "" the states."""
    segments: Mapping[str, int] = field(default_factory=dict)
    """The size of each segment in bytes."""
    facts: tuple[str, ...] = ()
    classes: Mapping[str, int] = field(default_factory=dict)
    """For each target that is a class, how many there are."""

    @property
    def kept_in(self) -> str:
        """The smallest type of float that numbers are kept in."""
        values = (value.dtype for program in self.programs.values() for instruction in program for value in instruction.results)
        return next((dtype for dtype in values if dtype in HALVES), self.dtype)

    def with_programs(self, programs: Iterable[Program]) -> Plan:
        changed = {program.name: program for program in programs}
        if all(self.programs[name] is program for name, program in changed.items()):
            return self
        return replace(self, programs={**self.programs, **changed})


# what is measured of instructions


ENGINE = ":"
"""Stands in a fact between an offer and the engine of its library that was timed."""

Facts: TypeAlias = Mapping[str, Mapping[str, float]]
"""Measured seconds by site and offer; infinity where an offer refused to be built."""


def way(instruction: Instruction) -> str:
    """How an instruction is run, as facts have it: the offer's name, and that of its library's engine."""
    offer = f"{instruction.kernel}.{instruction.algorithm}" if instruction.algorithm else instruction.kernel
    return f"{offer}{ENGINE}{instruction.engine}" if instruction.engine else offer


class Trial(NamedTuple):
    """An instruction as an offer runs it: its seconds are the fact of a site and that offer."""

    site: str
    offer: str
    instruction: Instruction


class Site(NamedTuple):
    """An instruction that several offers can run, with what they pack: where its values lie, its program, and how often that
    has the like."""

    instruction: Instruction
    trials: tuple[Trial, ...]
    homes: Mapping[str, Home]
    program: str
    times: int = 1

    @property
    def name(self) -> str:
        return site(self.instruction)


def site(instruction: Instruction) -> str:
    """The key of an instruction among measured facts: the op, its types and attributes, not its place in a net."""
    types = [f"{value.dtype}{list(value.shape)}" for value in (*instruction.results, *instruction.operands)]
    words = [f"{key}={value}" for key, value in instruction.attributes.items()]
    inner = [site(one) for one in instruction.body]
    text = " ".join([instruction.op, *types, *words, *inner])
    return f"{instruction.op}-{blake2b(text.encode(), digest_size=8).hexdigest()}"


__all__ = ["SIZES", "Axis", "Expr", "Facts", "Home", "Instruction", "Plan", "Program", "Site", "Start", "State", "Trial", "Value"]

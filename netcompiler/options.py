"""The types of options, each with the words for what it expects.

An error about an option says "must be " and these words; the schema shows them on hover.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, TypeAlias

from pydantic import BaseModel, ConfigDict, Field


class Expect(NamedTuple):
    """The plain words for a type."""

    words: str


Truth: TypeAlias = Annotated[bool, Expect("true or false")]
Number: TypeAlias = Annotated[float, Field(allow_inf_nan=False), Expect("a number")]
Positive: TypeAlias = Annotated[float, Field(gt=0, allow_inf_nan=False), Expect("a number above 0")]
NotNegative: TypeAlias = Annotated[float, Field(ge=0, allow_inf_nan=False), Expect("a number, 0 or more")]
AtLeastOne: TypeAlias = Annotated[float, Field(ge=1, allow_inf_nan=False), Expect("a number, 1 or more")]
Part: TypeAlias = Annotated[float, Field(gt=0, le=1), Expect("a number above 0, up to and including 1")]
Share: TypeAlias = Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False), Expect("a number from 0 up to, but not including, 1")]
Text: TypeAlias = Annotated[str, Expect("a text")]

LIMIT = 2**31 - 1

Whole: TypeAlias = Annotated[int, Field(ge=0, le=LIMIT), Expect("a whole number, 0 or more")]
Integer: TypeAlias = Annotated[int, Field(ge=-LIMIT, le=LIMIT), Expect("a whole number")]
Count: TypeAlias = Annotated[int, Field(ge=1, le=LIMIT), Expect("a whole number, 1 or more")]

PerSide: TypeAlias = Annotated[
    Count | Annotated[list[Count], Field(min_length=1, max_length=3)],
    Expect("a whole number, 1 or more, or a list with one for each side"),
]
Stride: TypeAlias = Annotated[
    Count | Annotated[list[Count], Field(min_length=1, max_length=3)] | None,
    Expect("a whole number, 1 or more, or a list with one for each side"),
]
WholePerSide: TypeAlias = Annotated[
    Whole | Annotated[list[Whole], Field(min_length=1, max_length=3)],
    Expect("a whole number, 0 or more, or a list with one for each side"),
]
Edge: TypeAlias = Whole | Annotated[list[Whole], Field(min_length=2, max_length=2)]
Edges: TypeAlias = Annotated[list[Edge], Field(min_length=1, max_length=3)]
Ends: TypeAlias = Annotated[Edge, Expect("a whole number, 0 or more, or [before, after]")]
Margins: TypeAlias = Annotated[
    Whole | Edges, Expect("a whole number, 0 or more, or a list with one number or [before, after] for each side")
]
Padding: TypeAlias = Annotated[
    Literal["same", "valid", "full"] | Whole | Edges,
    Expect("a whole number, 0 or more, a list with one number or [before, after] for each side, or one of same, valid, full"),
]
PoolPadding: TypeAlias = Annotated[
    Literal["same", "valid"] | Whole | Edges,
    Expect("a whole number, 0 or more, a list with one number or [before, after] for each side, or one of same, valid"),
]
Rounding: TypeAlias = Annotated[Literal["floor", "ceil", "exact"], Expect("one of floor, ceil, exact")]
Axis: TypeAlias = Annotated[Literal["channels"] | Annotated[int, Field(ge=0, le=2)], Expect("channels, or the number of a side: 0, 1 or 2")]
AnyAxis: TypeAlias = Annotated[Axis | None, Expect("channels, or the number of a side: 0, 1 or 2")]
Several: TypeAlias = Annotated[list[str], Field(min_length=2), Expect("a list of two names or more")]


class Registry(Mapping[str, Any]):
    """Kinds by name, and what messages call one of them. The modules that fill it are imported when it is first looked into."""

    def __init__(self, noun: str, *modules: str) -> None:
        self.noun = noun
        self._modules = modules
        self._kinds: dict[str, Any] = {}

    def add(self, kind: str, model: Any) -> None:
        self._kinds[kind] = model

    def __getitem__(self, kind: str) -> Any:
        return self._filled()[kind]

    def __iter__(self) -> Iterator[str]:
        return iter(self._filled())

    def __len__(self) -> int:
        return len(self._filled())

    def _filled(self) -> dict[str, Any]:
        modules, self._modules = self._modules, ()
        for module in modules:
            import_module(module)
        return self._kinds


class OneOf(NamedTuple):
    """Marks a field that holds a choice: a kind, or {kind: options}. `many` asks for a list of them."""

    registry: Registry
    many: bool = False


class NameMap(NamedTuple):
    """Marks a field that maps full names (or their beginnings) to the options of one model."""

    model: type[BaseModel]


class Options(BaseModel):
    """Base of whatever is written as {option: value}: the fields are the YAML keys."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True, arbitrary_types_allowed=True)


class Formula:
    """Marks a text that is a formula over x."""


class Kind(Options):
    """Options that are chosen by a kind. A family is a subclass that names its registry; every class below it
    that has a docstring registers itself under its name in lower case with underscores."""

    registry: ClassVar[Registry]
    kind: ClassVar[str] = ""
    formula: ClassVar[str] = ""
    example: ClassVar[str] = ""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "registry" in cls.__dict__ or not cls.__doc__ or cls.__name__.startswith("_"):
            return
        cls.kind = cls.__dict__.get("kind") or re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", cls.__name__).lower()
        cls.registry.add(cls.kind, cls)


class Structure:
    """Marks a field that is no plain value: document.py reads it."""


class ItemList(Structure):
    """A list of items."""


class SlotMap(Structure):
    """Names to slots: an item, or a list of them."""


class Columns(Structure):
    """IDs to lists of values."""


class Values(Structure):
    """IDs to values."""


class Arguments(Structure):
    """IDs to defaults, or null for what must be given."""


class BlockMap(Structure):
    """Names to block definitions."""


class OutputMap(Structure):
    """Names to outputs."""


Probability: TypeAlias = Annotated[float, Field(ge=0, le=1), Expect("a number from 0 to 1")]
Between: TypeAlias = Annotated[float, Field(gt=0, lt=1), Expect("a number between 0 and 1")]

MaybeCount: TypeAlias = Annotated[Count | None, Expect("a whole number, 1 or more")]
MaybePositive: TypeAlias = Annotated[Positive | None, Expect("a number above 0")]
MaybeShare: TypeAlias = Annotated[Share | None, Expect("a number from 0 up to, but not including, 1")]
MaybeText: TypeAlias = Annotated[Text | None, Expect("a text")]
Names: TypeAlias = Annotated[list[Text], Field(min_length=1), Expect("a list of names")]

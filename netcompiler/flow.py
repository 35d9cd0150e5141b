"""What surrounds an item while a net is expanded: the value that flows in, names in sight, full names, values of `$`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from netcompiler.diagnostics import Call, Mistake
from netcompiler.graph import Node
from netcompiler.layers.layer import Shape
from netcompiler.net import Item


class Unknown(Exception):
    """A value is asked for that an earlier mistake has left open."""


@dataclass(frozen=True, eq=False)
class Value:
    """What flows from item to item. After a mistake the node is missing, and perhaps the shape too."""

    node: Node | None = None
    shape: Shape | None = None


@dataclass(eq=False)
class Frame:
    """The names of one list of items, for REFs: values, and what lies inside named compositions."""

    outer: Frame | None = None
    values: dict[str, Value] = field(default_factory=dict)
    inner: dict[str, Frame] = field(default_factory=dict)

    def find(self, ref: str) -> Value | None:
        """The value of a dotted name that stands in this list, or in one around it."""
        first, *rest = ref.split(".")
        frame: Frame | None = self
        while frame and first not in frame.values:
            frame = frame.outer
        for step in rest:
            frame, first = frame.inner.get(first) if frame else None, step
        return frame.values.get(first) if frame else None

    def lost(self, ref: str) -> bool:
        """Whether a dotted name leads into what an earlier mistake has left open."""
        outermost = self.find(ref.split(".")[0])
        return outermost is not None and outermost.node is None

    def visible(self) -> Iterator[str]:
        yield from self.values
        if self.outer:
            yield from self.outer.visible()


class Scope:
    """Full names that begin alike, and the running number of what has no name."""

    def __init__(self, prefix: str = "") -> None:
        self.prefix = prefix
        self.count = 0
        self.joins = 0

    def full(self, name: str) -> str:
        return f"{self.prefix}.{name}" if self.prefix else name

    def number(self) -> str:
        self.count += 1
        return str(self.count - 1)

    def join(self) -> str:
        """The name of a concatenation inside a dense composition."""
        self.joins += 1
        return self.full(f"concat{self.joins}")


@dataclass(frozen=True)
class Around:
    """Everything that surrounds an item."""

    values: dict[str, Any]
    scope: Scope
    frame: Frame
    received: Value | None
    """What the block received; None at the top of a net with several inputs."""
    calls: tuple[Call, ...] = ()
    only: str = ""
    same: tuple[Item, Around] | None = None
    """In a patch: the item that it replaces, and what surrounds that."""


class Sight:
    """Looks up the names of an expression: variables, arguments, columns, and the input of the item it stands in."""

    def __init__(self, around: Around, value: Value | None) -> None:
        self.values = around.values
        self.value = value

    def __call__(self, name: str) -> Any:
        if name in self.values:
            return self.values[name]
        if name not in ("in", "size"):
            raise Unknown  # document.py has reported it
        if self.value is None:
            raise Mistake("unknown-variable", f"`${name}` is what an item receives, and nothing is received here")
        if self.value.shape is None:
            raise Unknown
        return self.value.shape[0] if name == "in" else list(self.value.shape[1:])

"""A layer of netc as its description in JSON has it."""

from __future__ import annotations

from typing import Any, NamedTuple

from .torch_windows import Window


class Layer(NamedTuple):
    """As net_data() of the compiler describes it; `x` is the shape of the first input, `y` of the output, channels first."""

    name: str
    kind: str
    options: dict[str, Any]
    inputs: list[int]
    x: list[int]
    y: list[int]
    windows: list[Window]
    parameters: dict[str, list[int]]
    fixed: list[str]
    formula: Any
    in_place: bool

    @property
    def sides(self) -> int:
        return len(self.x) - 1

    def option(self, name: str) -> list[Any]:
        """A number for each side."""
        value = self.options[name]
        return value if isinstance(value, list) else [value] * self.sides

"""Two recipes, option by option; and which options a run that has begun can no longer change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from netcompiler.options import Kind, Options

SETTLED = ("data", "batch", "seed", "normalize", "validation.share", "init", "weights", "fresh")
"""What has decided already how a run began, or where it stands in its data; where that lies may change."""

SETTLED_OF_LAYERS = ("init", "bias_init", "freeze")
SETTLED_KINDS = ("optimizer",)
"""The kind stays; its options may change."""


class Difference(NamedTuple):
    option: str
    before: Any
    now: Any

    @property
    def settled(self) -> bool:
        """Whether it cannot change any more."""
        if self.option.startswith("layers."):
            return self.option.rpartition(".")[2] in SETTLED_OF_LAYERS
        moved = self.option.startswith("data.") and self.option.endswith("path")
        return not moved and (self.option in SETTLED_KINDS or any(f"{self.option}.".startswith(f"{name}.") for name in SETTLED))

    def __str__(self) -> str:
        return f"{self.option} {_shown(self.before)} -> {_shown(self.now)}"


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[Difference]:
    """Of two flat recipes."""
    names = dict.fromkeys((*before, *now))
    return [Difference(name, before.get(name), now.get(name)) for name in names if before.get(name) != now.get(name)]


def flat(options: Options, prefix: str = "") -> dict[str, Any]:
    """Every option by its dotted name, as JSON can hold it; a choice gives its kind, and the options of that below it."""
    found: dict[str, Any] = {}
    for name in type(options).model_fields:
        found.update(_flat(getattr(options, name), f"{prefix}{name}"))
    return found


def _flat(value: Any, name: str) -> dict[str, Any]:
    if isinstance(value, Options):
        kind = {name: value.kind} if isinstance(value, Kind) else {}
        return {**kind, **flat(value, f"{name}.")}
    if isinstance(value, dict):
        return {key: inner for part, one in value.items() for key, inner in _flat(one, f"{name}.{part}").items()}
    if isinstance(value, list) and any(isinstance(one, Options) for one in value):
        return {key: inner for place, one in enumerate(value) for key, inner in _flat(one, f"{name}.{place}").items()}
    return {name: value}


def _shown(value: Any) -> str:
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)

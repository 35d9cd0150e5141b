"""netc: a compiler for neural-network specs. load() gives the graph of a spec and all that is to be said about it;
compile() gives a plan, which runtime.open() runs."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netcompiler.compilation import compile
    from netcompiler.loading import Loaded, UnreadableSpec, load
    from netcompiler.plan import Plan

__all__ = ["Loaded", "Plan", "UnreadableSpec", "compile", "load"]

HOMES = {"Loaded": "loading", "Plan": "plan", "UnreadableSpec": "loading", "compile": "compilation", "load": "loading"}


def __getattr__(name: str) -> Any:
    """Each name is imported when it is asked for: `netc --help` reads no spec, and `netc check` makes no plan."""
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"netcompiler.{HOMES[name]}"), name)

"""netc: a compiler for neural-network specs. load() gives the graph of a spec and all that is to be said about it;
compile() gives a plan, which runtime.open() runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netcompiler.load import Loaded, UnreadableSpec, load

if TYPE_CHECKING:
    from netcompiler.compilation import compile
    from netcompiler.plan import Plan

__all__ = ["Loaded", "Plan", "UnreadableSpec", "compile", "load"]


def __getattr__(name: str) -> Any:
    """What only those need who go on to a plan is imported when they ask for it: reading a spec stays quick."""
    if name == "compile":
        from netcompiler.compilation import compile

        return compile
    if name == "Plan":
        from netcompiler.plan import Plan

        return Plan
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

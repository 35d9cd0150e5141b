"""The runtime: a plan -> numbers. Of the compiler it knows the plan, the scalar language and the recipe, nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runtime.session import InputError, Session, open

__all__ = ["InputError", "Session", "open"]


def __getattr__(name: str) -> Any:
    """NumPy is imported when a session is: the command line sets its threads before."""
    if name in __all__:
        from runtime import session

        return getattr(session, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

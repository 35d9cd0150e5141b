"""Which target runs a plan when nobody says: the best that works here, and why it is that one."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

from netcompiler.cli import Refusal
from netcompiler.targets import AUTO, TARGETS, best, oracle

GPU = "cuda"


class Taken(NamedTuple):
    """A target, and why it was taken where nobody asked for it by name."""

    target: str
    why: str = ""


def of(name: str, dtype: str = "f32") -> Taken:
    """The target of a name; Refusal where it cannot run here."""
    if name != AUTO:
        if why := fault(name):
            raise Refusal(f"target {name} cannot run here: {why}; `netc doctor` tells more")
        return Taken(name)
    if dtype != "f32" or GPU not in TARGETS:
        return _processor(dtype)
    why = fault(GPU)
    return _processor(dtype, why) if why else Taken(GPU, _gpu())


def chosen(name: str, dtype: str = "f32") -> str:
    return of(name, dtype).target


def trained_on(summary: Mapping[str, Any]) -> str:
    """What a run was trained on; where that is not here, the best that is, which gives other last digits."""
    trained = summary.get("target", AUTO)
    why = "" if trained == AUTO else fault(trained)
    if trained != AUTO and not why:
        return str(trained)
    target = chosen(AUTO)
    if why:
        print(f"netc: the run was trained on {trained}, and {target} runs it here: {why}", file=sys.stderr)
    return target


@cache
def fault(target: str) -> str:
    """Why a target is of no use here, and what to do about it, if so."""
    if target == GPU:
        from runtime.kernels.cuda import presence

        return presence.fault()
    return _no_llvm() if target == "cpu" else ""


def _processor(dtype: str, why: str = "") -> Taken:
    """Where kernels cannot be compiled, what needs none; that is said once."""
    target = best(dtype)
    if wrong := fault(target):
        print(f"netc: kernels for this processor cannot be compiled, and the slow reference runs instead: {wrong}", file=sys.stderr)
        return Taken(oracle(), why)
    return Taken(target, why)


def _gpu() -> str:
    from runtime.kernels.cuda import presence

    found = presence.seen()
    assert found
    return found.gpus[0][0]


def _no_llvm() -> str:
    try:
        from runtime.kernels.cpu import machine

        machine.works()
    except (ImportError, OSError, RuntimeError) as error:
        return f"{error}; `pip install --force-reinstall llvmlite` may help"
    return ""

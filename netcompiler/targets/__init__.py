"""Targets as data: what each offers to run, under which conditions, and what that costs. One file a target."""

from __future__ import annotations

from netcompiler.targets.choice import Choice, Chooser, NoOffer
from netcompiler.targets.cpu import CPU
from netcompiler.targets.cuda import CUDA
from netcompiler.targets.numpy import NUMPY
from netcompiler.targets.target import Offer, Target

TARGETS: dict[str, Target] = {target.name: target for target in (NUMPY, CPU, CUDA)}

AUTO = "auto"
"""The best target for what is to be computed."""


def best(dtype: str) -> str:
    """Compiled kernels compute in 32 bits."""
    return CPU.name if dtype == "f32" else oracle()


def oracle() -> str:
    """What runs everything, everywhere."""
    return NUMPY.name


__all__ = ["AUTO", "TARGETS", "Choice", "Chooser", "NoOffer", "Offer", "Target", "best", "oracle"]

"""Targets as data: what each offers to run, under which conditions, and what that costs. One file a target."""

from __future__ import annotations

from netcompiler.targets.numpy import NUMPY
from netcompiler.targets.target import Offer, Target

TARGETS: dict[str, Target] = {NUMPY.name: NUMPY}

__all__ = ["TARGETS", "Offer", "Target"]

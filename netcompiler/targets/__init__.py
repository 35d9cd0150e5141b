"""Targets as data: what each offers to run, under which conditions, and what that costs. One file a target."""

from __future__ import annotations

from netcompiler.targets.cpu import CPU
from netcompiler.targets.numpy import NUMPY
from netcompiler.targets.target import Offer, Target

TARGETS: dict[str, Target] = {target.name: target for target in (NUMPY, CPU)}

__all__ = ["TARGETS", "Offer", "Target"]

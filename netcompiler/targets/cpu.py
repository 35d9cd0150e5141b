"""Compiled kernels for processors; what has none of its own is run by the oracle's."""

from __future__ import annotations

from netcompiler.instructions import OPS
from netcompiler.targets.target import Offer, Target

ORACLE = Offer("oracle", speed=0.02, stream=0.02)

CPU = Target(
    name="cpu",
    offers={
        **dict.fromkeys(OPS, (ORACLE,)),
        "fused": (ORACLE,),
        "flat": (ORACLE,),
    },
    flops=200e9,
    bytes=40e9,
)

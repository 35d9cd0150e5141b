"""The oracle: every instruction has one kernel of its own name; a fused one is run by its body."""

from __future__ import annotations

from netcompiler.instructions import OPS
from netcompiler.targets.target import Offer, Target

NUMPY = Target(
    name="numpy",
    offers={
        **{op: (Offer(op, speed=0.3, stream=0.3),) for op in OPS},
        "fused": (Offer("body", speed=0.3, stream=0.3),),
        "flat": (Offer("map", speed=0.3, stream=0.3),),
    },
    flops=50e9,
    bytes=20e9,
)

"""Compiled kernels for processors; what has none of its own is run by the oracle's."""

from __future__ import annotations

from netcompiler.instructions import OPS
from netcompiler.targets.convolutions import CONVOLUTIONS
from netcompiler.targets.forms import FORMS
from netcompiler.targets.packing import FORMS as PACKED
from netcompiler.targets.sweeps import SWEEPS
from netcompiler.targets.target import Offer, Target
from netcompiler.targets.windows import WINDOWS

ORACLE = Offer("oracle", speed=0.01, stream=0.01, resort=True)

COMPILED = {
    **CONVOLUTIONS,
    **FORMS,
    **SWEEPS,
    **WINDOWS,
    "pack": tuple(Offer("pack", form, refuses=PACKED[form], stream=0.5) for form in PACKED),
}

CPU = Target(
    name="cpu",
    offers={op: (*COMPILED.get(op, ()), ORACLE) for op in (*OPS, "fused", "flat")},
    flops=235e9,
    bytes=45e9,
)

"""Maps and reductions on GPUs."""

from __future__ import annotations

from netcompiler.targets.target import Offer

MAP = Offer("map")

SWEEPS = {
    "map": (MAP,),
    "flat": (MAP,),
}

"""How state starts. Each tensor has its own stream of random numbers, so a new layer leaves the others' weights as they are."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from netcompiler.plan import State

Array = np.ndarray[Any, Any]


def initial(state: State, seed: int) -> Array | float | None:
    """The first values of a state, in its stored order; None leaves zeros."""
    if state.segment not in ("parameters", "statistics", "frozen"):
        return None if isinstance(state.start, str) else state.start
    name = state.parameter.rpartition(".")[2]
    shape = state.value.shape
    if name in ("running_var",) or (name == "weight" and len(shape) == 1):
        return 1.0
    if name != "weight":
        return 0.0
    reach = 1 / (state.value.elements // shape[0]) ** 0.5
    return stream(state.parameter, seed).uniform(-reach, reach, shape)


def stream(name: str, seed: int) -> np.random.Generator:
    digest = hashlib.blake2b(f"{seed}\0{name}".encode(), digest_size=16).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest, "little")))

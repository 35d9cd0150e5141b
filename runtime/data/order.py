"""The order in which pictures are seen: a function of the seed and the epoch alone, so that any step can be done again."""

from __future__ import annotations

import hashlib

import numpy as np

from runtime.data.fit import Array
from runtime.kernels.numpy.philox import philox


def shuffled(count: int, seed: int, purpose: str, turn: int = 0) -> Array:
    """A permutation of 0 to count - 1: places in the order of 64 random bits, each a function of the place and the turn."""
    digest = hashlib.blake2b(f"{seed}\0{purpose}".encode(), digest_size=8).digest()
    key = int.from_bytes(digest[:4], "little"), int.from_bytes(digest[4:], "little")
    zero = np.array(0)
    low, high, _, _ = philox((np.arange(count), np.array(turn), zero, zero), key)
    return np.argsort(high.astype(np.uint64) << np.uint64(32) | low, kind="stable")


def held_out(count: int, share: float, seed: int) -> tuple[Array, Array]:
    """The places to train on and those to validate on, each in their order; of both there is at least one."""
    places = shuffled(count, seed, "validation")
    cut = min(max(1, round(share * count)), count - 1)
    return np.sort(places[cut:]), np.sort(places[:cut])

"""Philox4x32-10 (Salmon, Moraes, Dror & Shaw 2011): a counter and a key give four words of 32 random bits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from runtime.kernels.numpy.frame import Array

ROUNDS = 10
MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
KEY_STEPS = (0x9E3779B9, 0xBB67AE85)
MASK = 0xFFFFFFFF
LOW, HALF = np.uint64(MASK), np.uint64(32)


def philox(counter: Sequence[Array], key: tuple[int, int]) -> tuple[Array, ...]:
    """Four words for each counter; the words of the counter are broadcast, and below 2**32."""
    a, b, c, d = (word.astype(np.uint64) for word in np.broadcast_arrays(*counter))
    for turn in range(ROUNDS):
        k, m = (np.uint64((start + turn * step) & MASK) for start, step in zip(key, KEY_STEPS, strict=True))
        first, second = a * np.uint64(MULTIPLIERS[0]), c * np.uint64(MULTIPLIERS[1])
        a, b, c, d = (second >> HALF) ^ b ^ k, second & LOW, (first >> HALF) ^ d ^ m, first & LOW
    return tuple(word.astype(np.uint32) for word in (a, b, c, d))

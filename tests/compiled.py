"""Runs compiled kernels as a plan would: results are views with gaps between their pixels, filled with NaN; operands have gaps, too."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, prod
from typing import Any, TypeAlias
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from netcompiler.scalar import Expr
from runtime.arrays import aligned, dtype_of, write
from runtime.kernels import cpu, numpy
from runtime.kernels.behind import Behind
from runtime.kernels.cpu import caches
from runtime.kernels.cpu.driver import Table

Array: TypeAlias = NDArray[Any]
Types = Sequence[tuple[Sequence[int], Any]]
THREADS = ((1, inf), (2, inf), (3, 0))
"""And from how many bytes on results go past the caches."""
GAP = 3
AROUND = 128


Ending = tuple[Sequence[Expr], Sequence[Array | None]]
"""A map behind a core, and what it reads; None is the core."""


def results(kernel: str, types: Types, /, *operands: Array, gap: int = 0, behind: Ending | None = None, **attributes: Any) -> list[Array]:
    """What a compiled kernel writes: the same for any number of threads, past the caches or into them, and nothing around it or
    between its pixels."""
    seen, read = [], [spaced(x, gap) for x in operands]
    beside = [x if x is None else spaced(x, gap) for x in behind[1]] if behind else []
    for threads, large in THREADS:
        rooms = [Room(shape, dtype, gap) for shape, dtype in types]
        made = [room.array for room in rooms]
        own, made = ({"behind": Behind(behind[0], made, beside)}, made[:1]) if behind else ({}, made)
        with patch.object(caches, "large", lambda large=large: large):
            Table(list(cpu.KERNELS[kernel](*made, *read, **attributes, **own)), threads)()
        seen.append([room.content() for room in rooms])
    for others in seen[1:]:
        for one, other in zip(seen[0], others, strict=True):
            np.testing.assert_array_equal(one, other)
    return seen[0]


class Room:
    """An array for a result, poisoned, with a gap behind each pixel and poison all around."""

    def __init__(self, shape: Sequence[int], dtype: Any, gap: int) -> None:
        whole = (*shape[:-1], shape[-1] + gap) if shape else ()
        self.bytes = aligned((prod(whole) + 2 * AROUND) * np.dtype(dtype).itemsize).view(dtype)
        self.bytes[...] = poison(dtype)
        inside = self.bytes[AROUND:-AROUND].reshape(whole)
        self.array = inside[..., : shape[-1]] if shape else inside

    def content(self) -> Array:
        """What was written; the rest must be as it was."""
        written = np.array(self.array)
        self.array[...] = poison(self.array.dtype)
        np.testing.assert_array_equal(self.bytes, poison(self.bytes.dtype))
        return written


def expected(op: str, types: Types, /, *operands: Array, **attributes: Any) -> list[Array]:
    """What the oracle says, in double precision where numbers are real."""
    wide = [(shape, np.float64 if dtype == np.float32 else dtype) for shape, dtype in types]
    answers = [np.empty(shape, dtype) for shape, dtype in wide]
    numpy.KERNELS[op](*answers, *(x.astype(np.float64) if x.dtype == np.float32 else x for x in operands), **attributes)
    return answers


def spaced(x: Array, gap: int) -> Array:
    """The same numbers with a gap behind each pixel; a kernel must not write them."""
    if not x.ndim:
        return x
    whole = np.full((*x.shape[:-1], x.shape[-1] + gap), poison(x.dtype), x.dtype)
    whole[..., : x.shape[-1]] = x
    whole.setflags(write=False)
    return whole[..., : x.shape[-1]]


def poison(dtype: Any) -> Any:
    if dtype == dtype_of("bf16"):
        return np.array((0x7FC0,), dtype)
    return np.dtype(dtype).type(np.nan if np.dtype(dtype).kind == "f" else 77)


def narrowed(x: Array, dtype: str) -> Array:
    """As it is kept in a dtype."""
    y = np.empty(x.shape, dtype_of(dtype))
    write(y, x)
    return y


def normal(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng([seed, *shape]).normal(size=shape).astype(np.float32)


def close(answer: Array, wanted: Array, error: float = 1e-5) -> None:
    """Within a share of the largest number; NaN where NaN is due."""
    largest = np.nanmax(np.abs(wanted), initial=0) or 1
    np.testing.assert_allclose(answer, wanted, rtol=0, atol=error * largest)

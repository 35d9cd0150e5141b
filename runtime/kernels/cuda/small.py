"""Kernels of a single thread, for what is no instruction: a number set, figures gathered, a moment waited.

They run in every step, so their texts are made once.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import cache

from runtime.arrays import Array, name_of
from runtime.kernels.cuda.code import TYPES, indented
from runtime.kernels.cuda.driver import ENTRY
from runtime.kernels.cuda.prelude import PRELUDE
from runtime.kernels.cuda.steps import Launch
from runtime.kernels.layout import address

ONE = (1, 1, 1)
CYCLES = 200_000
"""Of a pause: a tenth of a millisecond."""


def number(to: Array, value: float) -> Launch:
    """A value from outside; it travels as a parameter."""
    whole = to.dtype.kind in "iub"
    [bits] = [int(value)] if whole else struct.unpack("<q", struct.pack("<d", value))
    return Launch(_setting(name_of(to), whole), ONE, ONE, (bits, address(to)), (), (to,))


def gathered(place: Array, numbers: Sequence[Array]) -> Launch:
    """Single numbers as f64, side by side."""
    source = _gathering(tuple(name_of(x) for x in numbers))
    return Launch(source, ONE, ONE, (address(place), *map(address, numbers)), numbers, (place,))


def pause() -> Launch:
    return Launch(_pausing(), ONE, ONE, (CYCLES,))


@cache
def _setting(dtype: str, whole: bool) -> str:
    value = "t.n[0]" if whole else f"({'double' if dtype == 'f64' else 'float'})__longlong_as_double(t.n[0])"
    return _text(2, [f"*({TYPES[dtype]}*)t.n[1] = Stored<{TYPES[dtype]}>::of({value});"])


@cache
def _gathering(dtypes: Sequence[str]) -> str:
    lines = [f"((double*)t.n[0])[{i}] = widened(*(const {TYPES[dtype]}*)t.n[{i + 1}]);" for i, dtype in enumerate(dtypes)]
    return _text(1 + len(dtypes), lines)


@cache
def _pausing() -> str:
    return _text(1, ["const i64 begin = clock64();", "while (clock64() - begin < t.n[0]);"])


def _text(length: int, lines: Sequence[str]) -> str:
    head = f'extern "C" __global__ void {ENTRY}(const Table t) {{'
    return "\n".join([PRELUDE, f"struct Table {{ i64 n[{length}]; }};", head, *indented(lines), "}\n"])

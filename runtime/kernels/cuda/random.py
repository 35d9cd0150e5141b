"""Philox4x32-10: a thread draws the four words of a counter."""

from __future__ import annotations

from collections.abc import Iterator

from runtime.arrays import Array, name_of
from runtime.kernels.cuda.code import TYPES
from runtime.kernels.cuda.steps import Launch
from runtime.kernels.cuda.text import Kernel, blocks
from runtime.kernels.cuda.walk import striding
from runtime.kernels.layout import address
from runtime.kernels.numpy.philox import KEY_STEPS, MULTIPLIERS, ROUNDS

BLOCK = 256
WORDS = 4
PHILOX = f"""
__device__ inline void philox(u32 (&c)[{WORDS}], u32 k, u32 m) {{
    #pragma unroll
    for (int turn = 0; turn < {ROUNDS}; ++turn, k += {KEY_STEPS[0]:#x}u, m += {KEY_STEPS[1]:#x}u) {{
        const u32 a = c[0], b = c[2];
        c[0] = __umulhi(b, {MULTIPLIERS[1]:#x}u) ^ c[1] ^ k;
        c[1] = b * {MULTIPLIERS[1]:#x}u;
        c[2] = __umulhi(a, {MULTIPLIERS[0]:#x}u) ^ c[3] ^ m;
        c[3] = a * {MULTIPLIERS[0]:#x}u;
    }}
}}
"""


def random(y: Array, row: Array, tick: Array, *, key: tuple[int, int], rows: int, columns: int) -> Iterator[Launch]:
    kernel, counters = Kernel(), -(-columns // WORDS)
    step = row.strides[0] if row.ndim else 0
    whole = columns % WORDS == 0 and not (address(y) | y.strides[0]) % (WORDS * y.itemsize)
    many = kernel.number(counters)
    first, last = (f"*(const {TYPES[name_of(x)]}*)({kernel.address(x)}" for x in (row, tick))
    keys = [kernel.number(half) for half in key]
    to = f"(u32*)({kernel.address(y)} + row * {kernel.number(y.strides[0])}) + {WORDS} * block"
    left = f"for (int w = 0; w < {WORDS} && {WORDS} * block + w < {kernel.number(columns)}; ++w) ({to})[w] = c[w];"
    body = [
        f"const i64 row = i / {many}, block = i % {many};",
        f"const i64 place = {first} + row * {kernel.number(step)}) + row * {kernel.number(0 if row.ndim else 1)};",
        f"u32 c[{WORDS}] = {{(u32)block, (u32)place, (u32)(place >> 32), (u32){last})}};",
        f"philox(c, (u32){keys[0]}, (u32){keys[1]});",
        f"*(Pack<u32, {WORDS}>*)({to}) = Pack<u32, {WORDS}>{{c[0], c[1], c[2], c[3]}};" if whole else left,
    ]
    kernel.functions.append(PHILOX)
    kernel.lines = striding("i64", kernel.number(rows * counters), body)
    yield kernel.launch(blocks(rows * counters, BLOCK), (BLOCK, 1, 1), (row, tick), (y,))

"""A kernel under construction: its text, and beside it the table of numbers that it is launched with.

Texts depend on structure alone: whatever may differ between two uses of a kernel is a number of the table.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from runtime.arrays import Array
from runtime.kernels.cuda.code import TYPES, indented
from runtime.kernels.cuda.driver import ENTRY
from runtime.kernels.cuda.prelude import PRELUDE
from runtime.kernels.cuda.steps import Launch

MOST_BLOCKS = 4096
"""Of a kernel that strides over its work: enough to fill every GPU."""


class Kernel:
    """`number`, `real` and `address` put a number into the table and give the text that reads it."""

    def __init__(self) -> None:
        self.table: list[int] = []
        self.functions: list[str] = []
        self.lines: list[str] = []

    def number(self, value: int) -> str:
        self.table.append(int(value))
        return f"t.n[{len(self.table) - 1}]"

    def real(self, value: float, dtype: str) -> str:
        [bits] = struct.unpack("<q", struct.pack("<d", value))
        text = f"__longlong_as_double({self.number(bits)})"
        return text if dtype == "f64" else f"({TYPES[dtype]}){text}"

    def address(self, array: Array) -> str:
        return f"(char*){self.number(array.__array_interface__['data'][0])}"

    def launch(
        self,
        grid: tuple[int, int, int],
        block: tuple[int, int, int],
        reads: Sequence[Array],
        writes: Sequence[Array],
        resident: int = 0,
    ) -> Launch:
        """Registers for so many blocks at a time on one processor; else the compiler may spill some to have room for more blocks."""
        bounds = ", ".join([str(block[0] * block[1] * block[2]), *[str(resident)] * (resident > 0)])
        text = "\n".join(
            [
                PRELUDE,
                f"struct Table {{ i64 n[{max(1, len(self.table))}]; }};",
                *self.functions,
                f'extern "C" __global__ void __launch_bounds__({bounds}) {ENTRY}(const Table t) {{',
                *indented(self.lines),
                "}\n",
            ]
        )
        return Launch(text, grid, block, tuple(self.table), reads, writes)


def blocks(work: int, block: int) -> tuple[int, int, int]:
    """For kernels that stride over their work."""
    return (max(1, min(MOST_BLOCKS, -(-work // block))), 1, 1)

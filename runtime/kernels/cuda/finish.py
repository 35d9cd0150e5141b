"""What becomes of a core's sums while they are in registers: a map over them, whose results are written where they belong."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from netcompiler.scalar import index
from runtime.arrays import Array, name_of
from runtime.kernels.behind import Behind
from runtime.kernels.cuda.code import TYPES, function
from runtime.kernels.cuda.text import Kernel
from runtime.kernels.expressions import canonical, indexes, with_leaves


class Finish:
    """`arrays` are all that lies in memory, results first, each broadcast to the shape of the core's result; `axes` are
    those whose positions the map asks for."""

    def __init__(self, behind: Behind) -> None:
        exprs, order, self.literals = canonical(behind.exprs)
        self.axes = sorted(indexes(exprs))
        self.exprs = with_leaves(exprs, {index(axis): index(-place) for place, axis in enumerate(self.axes, 1)})
        self.operands = [behind.operands[i] for i in order]
        self.results, self.many = behind.results, len(behind.results)
        self.read = [x for x in self.operands if x is not None]
        self.beside = [np.broadcast_to(x, self.results[0].shape) for x in self.read]
        self.arrays: list[Array] = [*self.results, *self.beside]
        self.dtypes = [name_of(array) for array in self.arrays]

    def lines(self, kernel: Kernel, total: str, places: Sequence[str], width: int = 1, positions: Sequence[str] = ()) -> list[str]:
        """Lines that finish packs of sums, written as an expression of lane l; `places` are the addresses of the arrays, and
        `positions` are those along the axes."""
        types = ["f32" if x is None else name_of(x) for x in self.operands] + ["f32"] * len(self.literals)
        kernel.functions.append(function("completed", self.exprs, self.dtypes[: self.many], types, len(self.axes), "f32"))
        packs = [f"Pack<{TYPES[dtype]}, {width if self._dense(i) else 1}>" for i, dtype in enumerate(self.dtypes)]
        loads = [f"const {packs[i]} e{i} = *(const {packs[i]}*)({places[i]});" for i in range(self.many, len(self.arrays))]
        numbers = iter(range(self.many, len(self.arrays)))
        values = [total if x is None else self._loaded(next(numbers)) for x in self.operands]
        values += [kernel.real(value, "f32") for value in self.literals]
        results = [f"e{i}.at[l]" for i in range(self.many)]
        return [
            *loads,
            *(f"{packs[i]} e{i};" for i in range(self.many)),
            *["#pragma unroll", f"for (int l = 0; l < {width}; ++l) completed({', '.join([*results, *values, *positions])});"],
            *(f"*({packs[i]}*)({places[i]}) = e{i};" for i in range(self.many)),
        ]

    def _loaded(self, i: int) -> str:
        return f"widened(e{i}.at[{'l' if self._dense(i) else '0'}])"

    def _dense(self, i: int) -> bool:
        """Whether it varies along a row."""
        return bool(self.arrays[i].strides[-1])

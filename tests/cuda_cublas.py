"""cuBLASLt's functions on this processor, by the numbers of its header: what is set, checked and computed, column by column."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from runtime.arrays import Array, dtype_of, numbers, write

TYPES = {0: dtype_of("f32"), 2: dtype_of("f16"), 14: dtype_of("bf16")}
OPERATION = {"transa": (3, 4), "transb": (4, 4), "epilogue": (7, 4), "bias": (8, 8), "bias type": (26, 4)}
LAYOUT = {"count": (5, 4), "offset": (6, 8)}
PREFERENCE = {"workspace": (1, 8), "reductions": (3, 4), "a": (5, 4), "b": (6, 4), "c": (7, 4), "d": (8, 4)}
NAMES = {"MatmulDesc": OPERATION, "MatrixLayout": LAYOUT, "MatmulPreference": PREFERENCE}
NOT_SUPPORTED, INVALID = 15, 7
ALGORITHMS = ((11, 1 << 40), (12, 512), (13, 0))
"""Their first word, and the workspace that they need."""


class Blas:
    """Descriptors are dictionaries behind numbers. `calls` are the names of all calls, `made` what is described."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.made: dict[int, dict[str, Any]] = {}
        self.streams: list[int] = []

    def __getattr__(self, name: str) -> Callable[..., int]:
        if name.startswith("cublasLt") and name.endswith("SetAttribute"):
            return lambda *args: self._set(NAMES[name.removeprefix("cublasLt").removesuffix("SetAttribute")], *args)
        raise AttributeError(name)

    def cublasLtCreate(self, made: Any) -> int:  # noqa: N802
        return self._make(made, kind="handle")

    def cublasLtMatmulDescCreate(self, made: Any, compute: int, scale: int) -> int:  # noqa: N802
        return self._make(made, kind="operation", compute=compute, scale=scale, transa=0, transb=0, epilogue=1, bias=0)

    def cublasLtMatrixLayoutCreate(self, made: Any, dtype: int, rows: Any, columns: Any, ld: Any) -> int:  # noqa: N802
        assert ld.value >= rows.value
        own = {"rows": rows.value, "columns": columns.value, "ld": ld.value}
        return self._make(made, kind="layout", dtype=dtype, count=1, offset=0, **own)

    def cublasLtMatmulPreferenceCreate(self, made: Any) -> int:  # noqa: N802
        return self._make(made, kind="preference", a=256, b=256, c=256, d=256)

    def cublasLtMatmulPreferenceDestroy(self, preference: Any) -> int:  # noqa: N802
        del self.made[preference.value]
        return 0

    def cublasLtMatmulAlgoGetHeuristic(  # noqa: N802
        self, handle: Any, operation: Any, a: Any, b: Any, c: Any, d: Any, preference: Any, asked: int, results: Any, count: Any
    ) -> int:
        self.wanted = dict(self._own(preference, "preference"))
        assert self.wanted["reductions"] == 2, "sums are kept in f32"
        for own in (a, b, c, d):
            self._own(own, "layout")
        able = [(first, room) for first, room in ALGORITHMS if room <= self.wanted["workspace"]]
        for result, (first, room) in zip(results, able[:asked], strict=False):
            result.algorithm.data[0], result.workspace, result.status = first, room, 0
        count._obj.value = len(able)
        return 0

    def cublasLtMatmulAlgoCheck(self, handle: Any, operation: Any, a: Any, b: Any, c: Any, d: Any, algorithm: Any, result: Any) -> int:  # noqa: N802
        room = dict(ALGORITHMS).get(algorithm._obj.data[0])
        if room is None:
            return NOT_SUPPORTED
        result._obj.workspace, result._obj.status = room, 0
        return 0

    def cublasLtMatmul(  # noqa: N802
        self, handle: Any, operation: Any, alpha: Any, a: Any, la: Any, b: Any, lb: Any, beta: Any, c: Any, lc: Any, d: Any, ld: Any,
        algorithm: Any, workspace: Any, size: Any, stream: Any,
    ) -> int:  # fmt: skip
        self._own(handle, "handle")
        self.streams.append(stream.value or 0)
        own = self._own(operation, "operation")
        assert dict(ALGORITHMS)[algorithm._obj.data[0]] <= size.value
        for matrix, name in ((a, "a"), (b, "b"), (c, "c"), (d, "d")):
            assert matrix.value % self.wanted[name] == 0, f"{name} lies otherwise than told"
        left, right, third, result = (self._at(x.value, layout) for x, layout in ((a, la), (b, lb), (c, lc), (d, ld)))
        left, right = (numbers(x.swapaxes(1, 2) if own[key] else x) for x, key in ((left, "transa"), (right, "transb")))
        total = alpha._obj.value * np.matmul(left.astype(np.float64), right)
        if beta._obj.value:
            total = total + beta._obj.value * numbers(third)
        if own["epilogue"] & 4:
            bias = _strided(own["bias"], (result.shape[1],), (1,), TYPES[own["bias type"]])
            total = total + numbers(bias)[:, None]
        write(result, np.maximum(total, 0) if own["epilogue"] & 2 else total)
        return 0

    def _make(self, made: Any, **own: Any) -> int:
        number = 1000 + len(self.made)
        self.made[number] = own
        made._obj.value = number
        return 0

    def _set(self, names: dict[str, tuple[int, int]], of: Any, attribute: int, value: Any, size: Any) -> int:
        for name, (number, bytes_) in names.items():
            if number == attribute and bytes_ == size.value == ctypes.sizeof(value._obj):
                self.made[of.value][name] = value._obj.value
                return 0
        return INVALID

    def _own(self, of: Any, kind: str) -> dict[str, Any]:
        assert self.made[of.value]["kind"] == kind
        return self.made[of.value]

    def _at(self, address: int, layout: Any) -> Array:
        """matrices, rows, columns"""
        own = self._own(layout, "layout")
        shape = (own["count"], own["rows"], own["columns"])
        return _strided(address, shape, (own["offset"], 1, own["ld"]), TYPES[own["dtype"]])


def _strided(address: int, shape: tuple[int, ...], steps: tuple[int, ...], dtype: Any) -> Array:
    size = 1 + sum((n - 1) * step for n, step in zip(shape, steps, strict=True))
    memory = np.frombuffer((ctypes.c_uint8 * (size * dtype.itemsize)).from_address(address), dtype)
    return as_strided(memory, shape, [step * dtype.itemsize for step in steps])

"""Products of matrices by cuBLASLt: what is to be done, described as its C functions want it, and the algorithm that does it.

It thinks in columns: of matrices that lie row by row it sees the turned ones, and y = a b is y' = b' a' to it. So b goes first.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple

from runtime.arrays import Array, name_of
from runtime.device import Refused
from runtime.kernels.cuda import library
from runtime.kernels.layout import address

DTYPES = {"f32": 0, "f16": 2, "bf16": 14}
"""cudaDataType_t"""
SINGLE, TF32 = 68, 77
"""cublasComputeType_t: sums in f32, of products of all that the operands hold or of 11 bits."""

TRANSPOSED_A, TRANSPOSED_B, EPILOGUE, BIAS, BIAS_TYPE = 3, 4, 7, 8, 26
"""cublasLtMatmulDescAttributes_t"""
BATCH_COUNT, BATCH_OFFSET = 5, 6
"""cublasLtMatrixLayoutAttribute_t"""
MOST_WORKSPACE, REDUCTIONS, ALIGNMENTS = 1, 3, (5, 6, 7, 8)
"""cublasLtMatmulPreferenceAttributes_t; alignments of a, b, c and d."""
SUMS_OF_F32 = 2
"""cublasLtReductionScheme_t: parts of a sum are added in the type that they are computed in, one after the other."""
PLAIN, RELU, ADD_BIAS = 1, 2, 4
"""cublasLtEpilogue_t"""
WIDEST = 256
"""Bytes of the alignment that is worth telling."""
CANDIDATES = 8


class Algorithm(ctypes.Structure):
    _fields_ = (("data", ctypes.c_uint64 * 8),)


class Found(ctypes.Structure):
    """cublasLtMatmulHeuristicResult_t"""

    _fields_ = (
        ("algorithm", Algorithm),
        ("workspace", ctypes.c_size_t),
        ("status", ctypes.c_int),
        ("waves", ctypes.c_float),
        ("reserved", ctypes.c_int * 4),
    )


class Matrix(NamedTuple):
    """Rows as they lie, elements from one to the next, and from one matrix to the next; an address."""

    rows: int
    columns: int
    pitch: int
    next: int
    at: int
    dtype: str


class Task(NamedTuple):
    """y = a b, `many` times; then c is added, the bias, and relu applied."""

    y: Matrix
    a: Matrix
    b: Matrix
    ta: bool
    tb: bool
    many: int = 1
    math: str = ""
    c: Matrix | None = None
    bias: int = 0
    relu: bool = False


class Handle(NamedTuple):
    pointer: ctypes.c_void_p
    stream: int


class Plan(NamedTuple):
    """The arguments of a call; `kept` lives as long as they point to it."""

    arguments: Sequence[Any]
    kept: Any

    def run(self) -> None:
        _checked("cublasLtMatmul", *self.arguments)


def matrix(array: Array) -> Matrix:
    """Of an array of two axes, or three."""
    steps = [step // array.itemsize for step in array.strides]
    rows, columns = array.shape[-2:]
    next_one = steps[0] if array.ndim == 3 and array.shape[0] > 1 else 0
    return Matrix(rows, columns, steps[-2] if rows > 1 else columns, next_one, address(array), name_of(array))


def handle(stream: int) -> Handle:
    """What a driver opens once for its stream."""
    return Handle(_made("cublasLtCreate"), stream)


def planned(task: Task, workspace: Array, engine: str, of: Handle) -> Plan:
    """By the algorithm of that name, or the first that there is."""
    described = _Described(task)
    found = described.named(of, engine) if engine else next(described.found(of, workspace.nbytes), None)
    if found is None or found.workspace > workspace.nbytes:
        raise Refused(f"cuBLASLt has no way {f'{engine} ' * bool(engine)}for it within {workspace.nbytes:,} bytes")
    one, added = ctypes.c_float(1), ctypes.c_float(bool(task.c))
    a, b, y = (ctypes.c_void_p(own.at) for own in (task.a, task.b, task.y))
    c = ctypes.c_void_p(task.c.at) if task.c else y
    (la, lb, lc, ly), algorithm = described.layouts, found.algorithm
    room = (ctypes.c_void_p(address(workspace)), ctypes.c_size_t(workspace.nbytes), ctypes.c_void_p(of.stream))
    operation, points = described.operation, ctypes.byref
    arguments = (of.pointer, operation, points(one), b, lb, a, la, points(added), c, lc, y, ly, points(algorithm), *room)
    return Plan(arguments, (one, added, algorithm, described))


def engines(task: Task, room: int, of: Handle) -> list[str]:
    """The names of what could do it, the most promising first."""
    return list(dict.fromkeys(_name(found.algorithm) for found in _Described(task).found(of, room)))


class _Described:
    """A task as cuBLASLt's descriptors: the operation, and how a, b, c and y lie."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.operation = _made("cublasLtMatmulDescCreate", TF32 if task.math else SINGLE, DTYPES["f32"])
        self._set("MatmulDesc", self.operation, TRANSPOSED_A, ctypes.c_int(task.tb))
        self._set("MatmulDesc", self.operation, TRANSPOSED_B, ctypes.c_int(task.ta))
        epilogue = RELU * task.relu + ADD_BIAS * bool(task.bias) or PLAIN
        self._set("MatmulDesc", self.operation, EPILOGUE, ctypes.c_int(epilogue))
        if task.bias:
            self._set("MatmulDesc", self.operation, BIAS, ctypes.c_void_p(task.bias))
            self._set("MatmulDesc", self.operation, BIAS_TYPE, ctypes.c_int(DTYPES[task.y.dtype]))
        self.layouts = tuple(self._layout(own) for own in (task.a, task.b, task.c or task.y, task.y))

    def found(self, of: Handle, room: int) -> Iterator[Found]:
        preference = _made("cublasLtMatmulPreferenceCreate")
        self._set("MatmulPreference", preference, MOST_WORKSPACE, ctypes.c_uint64(room))
        self._set("MatmulPreference", preference, REDUCTIONS, ctypes.c_uint32(SUMS_OF_F32))
        task = self.task
        for attribute, own in zip(ALIGNMENTS, (task.b, task.a, task.c or task.y, task.y), strict=True):
            self._set("MatmulPreference", preference, attribute, ctypes.c_uint32(_alignment(own)))
        every, count = (Found * CANDIDATES)(), ctypes.c_int()
        a, b, c, y = self.layouts
        status = blas().cublasLtMatmulAlgoGetHeuristic(
            of.pointer, self.operation, b, a, c, y, preference, CANDIDATES, every, ctypes.byref(count)
        )
        _checked("cublasLtMatmulPreferenceDestroy", preference)
        return (found for found in every[: 0 if status else count.value] if not found.status)

    def named(self, of: Handle, engine: str) -> Found | None:
        found, algorithm = Found(), Algorithm.from_buffer_copy(bytes.fromhex(engine).ljust(ctypes.sizeof(Algorithm), b"\0"))
        a, b, c, y = self.layouts
        status = blas().cublasLtMatmulAlgoCheck(of.pointer, self.operation, b, a, c, y, ctypes.byref(algorithm), ctypes.byref(found))
        found.algorithm = algorithm
        return None if status else found

    def _layout(self, own: Matrix) -> ctypes.c_void_p:
        sizes = (ctypes.c_uint64(own.columns), ctypes.c_uint64(own.rows), ctypes.c_int64(own.pitch))
        layout = _made("cublasLtMatrixLayoutCreate", DTYPES[own.dtype], *sizes)
        self._set("MatrixLayout", layout, BATCH_COUNT, ctypes.c_int32(self.task.many))
        self._set("MatrixLayout", layout, BATCH_OFFSET, ctypes.c_int64(own.next))
        return layout

    def _set(self, what: str, of: ctypes.c_void_p, attribute: int, value: Any) -> None:
        _checked(f"cublasLt{what}SetAttribute", of, attribute, ctypes.byref(value), ctypes.c_size_t(ctypes.sizeof(value)))


def _name(algorithm: Algorithm) -> str:
    """All that it is, which cuBLASLt of the same version takes back."""
    return bytes(algorithm).rstrip(b"\0").hex()


def _alignment(own: Matrix) -> int:
    """The largest power of two that addresses are multiples of, up to the widest."""
    return min(WIDEST, own.at & -own.at or WIDEST)


def _made(name: str, *arguments: Any) -> ctypes.c_void_p:
    made = ctypes.c_void_p()
    _checked(name, ctypes.byref(made), *arguments)
    return made


def _checked(name: str, *arguments: Any) -> None:
    status = getattr(blas(), name)(*arguments)
    if status:
        raise Refused(f"{name} of cuBLASLt fails with status {status}")


@cache
def blas() -> Any:
    found = library.opened("cublasLt")
    if found is None:
        raise library.Missing("cuBLASLt is not installed: pip install 'netc[cuda13]', or 'netc[cuda12]' for an older driver")
    return found

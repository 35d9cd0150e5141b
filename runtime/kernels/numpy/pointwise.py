"""Maps: expressions of the scalar language, over the broadcast of their operands."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import numpy as np

from netcompiler.scalar import Expr, nodes, operands
from runtime.arrays import rounded
from runtime.kernels.numpy.frame import Array


def map(*arrays: Array, exprs: Sequence[Expr], shape: Sequence[int], dtype: str) -> None:
    """All is computed before anything is written: a result may lie where an operand does."""
    results, read = arrays[: len(exprs)], arrays[len(exprs) :]
    with np.errstate(all="ignore"):  # infinity and NaN are answers
        values = [
            _evaluate(expr, read, shape, _number(expr, read, y, dtype)).astype(y.dtype) for expr, y in zip(exprs, results, strict=True)
        ]
    for y, value in zip(results, values, strict=True):
        y[...] = value


def _evaluate(expr: Expr, read: Sequence[Array], shape: Sequence[int], number: np.dtype[Any]) -> Array:
    values: dict[Expr, Array] = {}
    for node in nodes(expr):
        values[node] = _compute(node, [values[arg] for arg in node.args], read, shape, number)
    return values[expr]


def _compute(node: Expr, args: list[Array], read: Sequence[Array], shape: Sequence[int], number: np.dtype[Any]) -> Array:
    match node.op:
        case "operand":
            return read[int(node.leaf)]
        case "index":
            return _index(node.leaf, shape)
        case "literal":
            return np.asarray(node.leaf, number)
        case "uniform":
            return _uniform(args[0])
        case "and" | "or" | "not":
            return TRUTHS[node.op](args)
        case "select":
            return np.where(args[0], args[1].astype(number), args[2].astype(number))
        case "cast":
            return _stored(args[0].astype(number), node.leaf)
    return np.asarray(NUMBERS[node.op](*(arg.astype(number, copy=False) for arg in args)))


def _number(expr: Expr, read: Sequence[Array], y: Array, dtype: str) -> np.dtype[Any]:
    """What to compute in: the plan's float; float64 for whole numbers among themselves, which it holds exactly."""
    floats = any(a.dtype.kind == "f" for a in (y, *(read[i] for i in operands(expr))))
    return np.dtype(STORAGE[dtype] if floats else np.float64)


def _index(axis: int, shape: Sequence[int]) -> Array:
    """Positions along an axis, to be broadcast over the others."""
    apart = [1] * len(shape)
    apart[axis] = shape[axis]
    return np.arange(shape[axis]).reshape(apart)


def _uniform(bits: Array) -> Array:
    """The 24 highest bits, all that a float32 holds: equal numbers in either precision, and never 1."""
    return np.asarray((bits >> 8) * 2.0**-24)


STORAGE = {"f64": "f8", "f32": "f4", "f16": "f2", "i64": "i8", "i32": "i4", "u32": "u4", "u16": "u2", "u8": "u1", "b1": "?"}


def _stored(a: Array, dtype: str) -> Array:
    return rounded(a, 16) if dtype == "bf16" else a.astype(STORAGE[dtype])


def _sigmoid(a: Array) -> Array:
    """1 / (1 + exp(-a)), with an exp that never overflows."""
    e = np.exp(-np.abs(a))
    return np.asarray(np.where(a < 0, e, 1) / (1 + e))


def _softplus(a: Array) -> Array:
    """log(1 + exp(a)), likewise."""
    return np.maximum(a, 0) + np.log1p(np.exp(-np.abs(a)))


_erf = np.frompyfunc(math.erf, 1, 1)

TRUTHS: dict[str, Callable[[list[Array]], Array]] = {
    "and": lambda args: reduce(np.logical_and, args),
    "or": lambda args: reduce(np.logical_or, args),
    "not": lambda args: np.logical_not(args[0]),
}

NUMBERS: dict[str, Callable[..., Array]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "neg": np.negative,
    "pow": np.power,
    "max": np.maximum,
    "min": np.minimum,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
    "eq": np.equal,
    "ne": np.not_equal,
    "isfinite": np.isfinite,
    "floor": np.floor,
    "abs": np.abs,
    "sqrt": np.sqrt,
    "rsqrt": lambda a: 1 / np.sqrt(a),
    "exp": np.exp,
    "expm1": np.expm1,
    "log": np.log,
    "log1p": np.log1p,
    "tanh": np.tanh,
    "sin": np.sin,
    "cos": np.cos,
    "sigmoid": _sigmoid,
    "softplus": _softplus,
    "erf": lambda a: np.asarray(_erf(a)).astype(a.dtype),
}

"""The transforms of F(4x4, 3x3) and F(2x2, 5x5) on vectors, along one axis: y = A'[(G w) * (B' x)] at the points 0, 1, -1, 2, -2
and infinity, where B is the same for both.

Their derivative in w is G'[(A dy) * (B' x)]. A `part` of a transform are results that share their sums.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from runtime.kernels.cpu.code import LANES, Code

Vectors = Sequence[Any]
Transform = Callable[[Code, Vectors, int], list[Any]]


def data(code: Code, d: Vectors, part: int) -> list[Any]:
    """B' d, in four parts: 1, 2, 2 and 1 of 6."""
    times = _times(code)
    if part in (0, 3):
        a, b, c = d[0::2] if part == 0 else d[1::2]
        return [times(4.0, a, times(-5.0, b, c))]
    if part == 1:
        even, odd = times(-4.0, d[2], d[4]), times(-4.0, d[1], d[3])
        return [code.fadd(even, odd), code.fsub(even, odd)]
    even, odd = code.fsub(d[4], d[2]), code.fsub(d[3], d[1])
    return [times(2.0, odd, even), times(-2.0, odd, even)]


def gradients(code: Code, y: Vectors, part: int) -> list[Any]:
    """A dy, in the same parts: 6 of 4 or 2."""
    times = _times(code)
    if part in (0, 3):
        return [y[0 if part == 0 else -1]]
    wide = 1.0 if part == 1 else 4.0
    even, odd = (times(wide, y[2], y[0]), times(wide, y[3], y[1])) if y[2:] else y
    if part == 1:
        return [code.fadd(even, odd), code.fsub(even, odd)]
    return [times(2.0, odd, even), times(-2.0, odd, even)]


def results(code: Code, m: Vectors, side: int) -> list[Any]:
    """A' m: 4 or 2 of 6."""
    times = _times(code)
    a, s, g, f = code.fadd(m[1], m[2]), code.fsub(m[1], m[2]), code.fadd(m[3], m[4]), code.fsub(m[3], m[4])
    if side == 2:
        return [code.fadd(code.fadd(m[0], a), g), code.fadd(times(2.0, f, s), m[5])]
    return [code.fadd(code.fadd(m[0], a), g), times(2.0, f, s), times(4.0, g, a), code.fadd(times(8.0, f, s), m[5])]


def weights(code: Code, w: Vectors) -> list[Any]:
    """G w: 6 of 3 or 5."""
    times = _times(code)
    if len(w) == 5:
        return _of_five(code, w)
    ends, middle = code.fadd(w[0], w[2]), code.fmul(_real(code, 1 / 12), w[1])
    sixth = code.fmul(_real(code, -1 / 6), ends)
    wide = times(1 / 24, w[0], code.fmul(_real(code, 1 / 6), w[2]))
    return [
        code.fmul(_real(code, 1 / 4), w[0]),
        times(-2.0, middle, sixth),
        times(2.0, middle, sixth),
        code.fadd(wide, middle),
        code.fsub(wide, middle),
        w[2],
    ]


def _of_five(code: Code, w: Vectors) -> list[Any]:
    times = _times(code)
    near = code.fmul(_real(code, -1 / 6), code.fadd(code.fadd(w[0], w[2]), w[4])), code.fmul(_real(code, -1 / 6), code.fadd(w[1], w[3]))
    far = (
        times(2 / 3, w[4], times(1 / 6, w[2], code.fmul(_real(code, 1 / 24), w[0]))),
        times(1 / 3, w[3], code.fmul(_real(code, 1 / 12), w[1])),
    )
    pairs = [combined for even, odd in (near, far) for combined in (code.fadd(even, odd), code.fsub(even, odd))]
    return [code.fmul(_real(code, 1 / 4), w[0]), *pairs, w[4]]


def weights_gradient(code: Code, m: Vectors, taps: int) -> list[Any]:
    """G' m: 3 or 5 of 6."""
    times = _times(code)
    a, s, g, f = code.fadd(m[1], m[2]), code.fsub(m[2], m[1]), code.fadd(m[3], m[4]), code.fsub(m[3], m[4])
    even, odd = code.fmul(_real(code, -1 / 6), a), code.fmul(_real(code, 1 / 6), s)
    found = [
        times(1 / 4, m[0], times(1 / 24, g, even)),
        times(1 / 12, f, odd),
        times(1 / 6, g, even),
        times(1 / 3, f, odd),
        times(2 / 3, g, even),
    ][:taps]
    return [*found[:-1], code.fadd(found[-1], m[5])]


def _times(code: Code) -> Callable[[float, Any, Any], Any]:
    return lambda factor, a, b: code.fma(_real(code, factor), a, b)


def _real(code: Code, value: float) -> Any:
    return code.real(value, LANES)

"""exp, log, tanh and their like as arithmetic on vectors of f32: a few units in the last place, NaN and infinity included.

The polynomials are those of Cephes (Moshier) and, for tanh and erf, Eigen's. What cancels is computed without fast-math.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from llvmlite import ir

from runtime.kernels.cpu.code import F32, F64, I32, I64, Code

INF, NAN = math.inf, math.nan
SMALLEST = 2.0**-126
ROUND32, ROUND64 = 1.5 * 2.0**23, 1.5 * 2.0**52
"""Added and taken away again, they round to a whole number, which is in the lowest bits meanwhile."""

LN2_HIGH, LN2_LOW = 0.693359375, -2.12194440e-4
EXP = (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1)
LOG = (
    *(7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1),
    *(-1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1),
)
TANH = (
    *(-2.76076847742355e-16, 2.00018790482477e-13, -8.60467152213735e-11, 5.12229709037114e-08),
    *(1.48572235717979e-05, 6.37261928875436e-04, 4.89352455891786e-03),
)
TANH_BELOW = (1.19825839466702e-06, 1.18534705686654e-04, 2.26843463243900e-03, 4.89352518554385e-03)
ERF = (
    *(-2.72614225801306e-10, 2.77068142495902e-08, -2.10102402082508e-06, -5.69250639462346e-05),
    *(-7.34990630326855e-04, -2.95459980854025e-03, -1.60960333262415e-02),
)
ERF_BELOW = (-1.45660718464996e-05, -2.13374055278905e-04, -1.68282697438203e-03, -7.37332916720468e-03, -1.42647390514189e-02)
SIN = (-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1)
COS = (2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2)
HALF_PI_HIGH, HALF_PI_LOW = 1.5707963267948966, 6.123233995736766e-17
FAR = 2.0**45
"""Beyond it pi has too few digits here."""


def exp(code: Code, x: ir.Value) -> ir.Value:
    """2**n e**r with |r| <= ln 2 / 2; twice e**r times half of 2**n, which is never too large."""
    n, r = _reduced(code, clamped(code, x, -87.6, 89.0))
    z = code.b.fmul(r, r)
    p = code.fma(polynomial(code, r, EXP), z, r)
    return code.b.fmul(code.fma(p, like(x, 2.0), like(x, 2.0)), _half_power(code, n))


def expm1(code: Code, x: ir.Value) -> ir.Value:
    """2**n (e**r - 1) + (2**n - 1)"""
    n, r = _reduced(code, clamped(code, x, -18.0, 89.0))
    z = code.b.fmul(r, r)
    p = code.fma(polynomial(code, r, EXP), z, r)
    half = _half_power(code, n)
    return code.b.fmul(code.fma(p, half, code.b.fsub(half, like(x, 0.5))), like(x, 2.0))


def log(code: Code, x: ir.Value) -> ir.Value:
    """e ln 2 + log(1 + f), where x = 2**e (1 + f) and 1 + f lies around 1."""
    b = code.b
    tiny = b.fcmp_ordered("<", x, like(x, SMALLEST))
    bits = b.bitcast(b.select(tiny, b.fmul(x, like(x, 2.0**23)), x), of(I32, x.type))
    power = b.ashr(b.sub(bits, like(bits, 0x3F3504F3)), like(bits, 23))
    e = b.fsub(b.sitofp(power, x.type), b.select(tiny, like(x, 23.0), like(x, 0.0)))
    f = b.fsub(b.bitcast(b.sub(bits, b.shl(power, like(bits, 23))), x.type), like(x, 1.0))
    z = b.fmul(f, f)
    y = code.fma(e, like(x, LN2_LOW), b.fmul(b.fmul(f, z), polynomial(code, f, LOG)))
    y = code.fma(z, like(x, -0.5), y)
    y = code.fma(e, like(x, LN2_HIGH), b.fadd(f, y))
    outside = b.select(b.fcmp_ordered("==", x, like(x, 0.0)), like(x, -INF), like(x, NAN))
    y = b.select(b.fcmp_ordered(">", x, like(x, 0.0)), y, outside)
    return b.select(b.fcmp_ordered("==", x, like(x, INF)), x, y)


def log1p(code: Code, x: ir.Value) -> ir.Value:
    """log(u) + (x - (u - 1)) / u where u = 1 + x: what rounding took from u."""
    b = code.b
    u = b.fadd(x, like(x, 1.0))
    rest = b.fdiv(b.fsub(x, b.fsub(u, like(x, 1.0))), u)
    inside = b.and_(b.fcmp_ordered(">", u, like(x, 0.0)), b.fcmp_ordered("<", u, like(x, INF)))
    return b.fadd(log(code, u), b.select(inside, rest, like(x, 0.0)))


def tanh(code: Code, x: ir.Value) -> ir.Value:
    return _odd_fraction(code, clamped(code, x, -9.0, 9.0), TANH, TANH_BELOW)


def erf(code: Code, x: ir.Value) -> ir.Value:
    return _odd_fraction(code, clamped(code, x, -4.0, 4.0), ERF, ERF_BELOW)


def sigmoid(code: Code, x: ir.Value) -> ir.Value:
    one = like(x, 1.0)
    return code.b.fdiv(one, code.b.fadd(one, exp(code, code.b.fneg(x))))


def softplus(code: Code, x: ir.Value) -> ir.Value:
    """log(1 + e**x), with an exp that never overflows."""
    b = code.b
    positive = b.select(b.fcmp_ordered("<", x, like(x, 0.0)), like(x, 0.0), x)
    return b.fadd(positive, log1p(code, exp(code, b.fneg(code.intrinsic("fabs", x)))))


def sin(code: Code, x: ir.Value) -> ir.Value:
    return _turning(code, x, "sin", 0)


def cos(code: Code, x: ir.Value) -> ir.Value:
    return _turning(code, x, "cos", 1)


def power(code: Code, a: ir.Value, y: ir.Value) -> ir.Value:
    """2**(y log2 |a|) through f64, and the corners that IEEE 754 names."""
    b = code.b
    size, far = code.intrinsic("fabs", a), code.intrinsic("fabs", y)
    zero, one, infinite = like(a, 0.0), like(a, 1.0), like(a, INF)
    result = _exp2(code, b.fmul(_log2(code, size), b.fpext(y, of(F64, a.type))), a.type)
    half = b.fmul(y, like(a, 0.5))
    entire, even = (b.fcmp_ordered("==", v, code.intrinsic("floor", v, fast=())) for v in (y, half))
    signed = b.select(even, result, b.fneg(result))
    signed = b.select(b.or_(entire, b.fcmp_ordered("==", size, infinite)), b.select(entire, signed, result), like(a, NAN))
    result = b.select(b.fcmp_ordered("<", a, zero), signed, result)
    single = b.and_(b.fcmp_ordered("==", size, one), b.fcmp_ordered("==", far, infinite))
    single = b.or_(single, b.or_(b.fcmp_ordered("==", y, zero), b.fcmp_ordered("==", a, one)))
    return b.select(single, one, result)


def quarters(code: Code, a: ir.Value, count: int) -> ir.Value:
    """a ** (count / 4), by roots and products; -inf to a power that is not whole is inf."""
    b = code.b
    if count % 4:
        a = b.fadd(b.select(b.fcmp_ordered("==", a, like(a, -INF)), like(a, INF), a), like(a, 0.0))  # the root of -0 is -0
    half = code.intrinsic("sqrt", a, fast=()) if count % 4 else a
    quarter = code.intrinsic("sqrt", half, fast=()) if count % 2 else a
    factors = [quarter] * (abs(count) % 2) + [half] * (abs(count) // 2 % 2)
    power, rest = a, abs(count) // 4
    while rest:
        factors += [power] * (rest % 2)
        power, rest = b.fmul(power, power), rest // 2
    result: ir.Value = like(a, 1.0)
    for factor in factors:
        result = b.fmul(result, factor)
    return b.fdiv(like(a, 1.0), result) if count < 0 else result


# parts


def like(x: ir.Value, value: float) -> ir.Constant:
    """A constant of x's type."""
    typ = x.type
    number = int(value) if isinstance(getattr(typ, "element", typ), ir.IntType) else float(value)
    return ir.Constant(typ, [number] * typ.count if isinstance(typ, ir.VectorType) else number)


def of(element: ir.Type, typ: ir.Type) -> ir.Type:
    """A type with other elements."""
    return ir.VectorType(element, typ.count) if isinstance(typ, ir.VectorType) else element


def polynomial(code: Code, x: ir.Value, coefficients: Sequence[float]) -> ir.Value:
    total: ir.Value = like(x, coefficients[0])
    for coefficient in coefficients[1:]:
        total = code.fma(total, x, like(x, coefficient))
    return total


def clamped(code: Code, x: ir.Value, low: float, high: float) -> ir.Value:
    """NaN stays NaN."""
    b = code.b
    x = b.select(b.fcmp_ordered("<", x, like(x, low)), like(x, low), x)
    return b.select(b.fcmp_ordered(">", x, like(x, high)), like(x, high), x)


def _reduced(code: Code, x: ir.Value) -> tuple[ir.Value, ir.Value]:
    """n in the lowest bits, and r = x - n ln 2."""
    n = code.fma(x, like(x, math.log2(math.e)), like(x, ROUND32))
    count = code.b.fsub(n, like(x, ROUND32))
    r = code.fma(count, like(x, -LN2_HIGH), x)
    return n, code.fma(count, like(x, -LN2_LOW), r)


def _half_power(code: Code, n: ir.Value) -> ir.Value:
    """2**(n - 1); 0 for n = -126."""
    bits = code.b.bitcast(n, of(I32, n.type))
    shifted = code.b.add(code.b.shl(bits, like(bits, 23)), like(bits, 126 << 23))
    return code.b.bitcast(shifted, n.type)


def _odd_fraction(code: Code, x: ir.Value, above: Sequence[float], below: Sequence[float]) -> ir.Value:
    z = code.b.fmul(x, x)
    return code.b.fdiv(code.b.fmul(x, polynomial(code, z, above)), polynomial(code, z, below))


def _turning(code: Code, x: ir.Value, name: str, ahead: int) -> ir.Value:
    """sin of what is left of a quarter turn, or cos, with the sign of the quarter; cos is one quarter ahead."""
    b = code.b
    wide = b.fpext(x, of(F64, x.type))
    n = code.fma(wide, like(wide, 2 / math.pi), like(wide, ROUND64))
    count = b.fsub(n, like(wide, ROUND64))
    r = b.fptrunc(code.fma(count, like(wide, -HALF_PI_LOW), code.fma(count, like(wide, -HALF_PI_HIGH), wide)), x.type)
    bits = b.trunc(b.bitcast(n, of(I64, x.type)), of(I32, x.type))
    quarter = b.add(bits, like(bits, ahead))
    z = b.fmul(r, r)
    sine = code.fma(b.fmul(r, z), polynomial(code, z, SIN), r)
    cosine = code.fma(b.fmul(z, z), polynomial(code, z, COS), code.fma(z, like(x, -0.5), like(x, 1.0)))
    value = b.select(b.icmp_signed("!=", b.and_(quarter, like(bits, 1)), like(bits, 0)), cosine, sine)
    value = b.select(b.icmp_signed("!=", b.and_(quarter, like(bits, 2)), like(bits, 0)), b.fneg(value), value)
    return _by_libm(code, x, value, name)


def _by_libm(code: Code, x: ir.Value, near: ir.Value, name: str) -> ir.Value:
    """Lane by lane, where one of them is far out."""
    b = code.b
    far = b.fcmp_ordered(">", code.intrinsic("fabs", x, fast=()), like(x, FAR))
    if not isinstance(x.type, ir.VectorType):
        far, x, near = (b.insert_element(ir.Constant(ir.VectorType(v.type, 1), ir.Undefined), v, I32(0)) for v in (far, x, near))
        return b.extract_element(_lanes(code, far, x, near, name), I32(0))
    return _lanes(code, far, x, near, name)


def _lanes(code: Code, far: ir.Value, x: ir.Value, near: ir.Value, name: str) -> ir.Value:
    b, lanes = code.b, x.type.count
    any_ = code.call(f"llvm.vector.reduce.or.v{lanes}i1", ir.IntType(1), [far])
    with code.reduce(0, b.select(any_, I64(lanes), I64(0)), 1, [near]) as carried:
        value = code.intrinsic(name, b.fpext(b.extract_element(x, carried.i), F64), fast=())
        carried.next = [b.insert_element(carried.values[0], b.fptrunc(value, F32), carried.i)]
    return carried.result[0]


def _log2(code: Code, a: ir.Value) -> ir.Value:
    """In f64, of a number that is not negative: e + 2 / ln 2 (s + s**3 / 3 + ...) where s = (m - 1) / (m + 1), a = 2**e m."""
    b = code.b
    x = b.fpext(a, of(F64, a.type))
    bits = b.bitcast(x, of(I64, a.type))
    e = b.ashr(b.sub(bits, like(bits, 0x3FE6A09E667F3BCD)), like(bits, 52))
    m = b.bitcast(b.sub(bits, b.shl(e, like(bits, 52))), x.type)
    s = b.fdiv(b.fsub(m, like(x, 1.0)), b.fadd(m, like(x, 1.0)))
    series = polynomial(code, b.fmul(s, s), [2 / math.log(2) / k for k in (13, 11, 9, 7, 5, 3, 1)])
    y = code.fma(s, series, b.sitofp(b.trunc(e, of(I32, a.type)), x.type))
    y = b.select(b.fcmp_ordered("==", x, like(x, 0.0)), like(x, -INF), y)
    return b.select(b.fcmp_ordered("<", x, like(x, INF)), y, x)


def _exp2(code: Code, y: ir.Value, typ: ir.Type) -> ir.Value:
    """2**y as f32, with two factors for the power, so that it may be larger or smaller than they."""
    b = code.b
    y = clamped(code, y, -160.0, 160.0)
    n = b.fadd(y, like(y, ROUND64))
    r = b.fptrunc(b.fmul(b.fsub(y, b.fsub(n, like(y, ROUND64))), like(y, math.log(2))), typ)
    z = b.fmul(r, r)
    p = b.fadd(code.fma(polynomial(code, r, EXP), z, r), like(r, 1.0))
    count = b.trunc(b.bitcast(n, of(I64, typ)), of(I32, typ))
    first = b.ashr(count, like(count, 1))
    for part in (first, b.sub(count, first)):
        p = b.fmul(p, b.bitcast(b.shl(b.add(part, like(part, 127)), like(part, 23)), typ))
    return p

"""Colour pictures scaled: bytes, three a pixel, each a sum of whole numbers over a window of others, first along lines and then
across them.

Weights have some `bits` behind the point. Read next: runtime/data/scaling.py, which knows them.
"""

from __future__ import annotations

from collections.abc import Sequence

from llvmlite import ir

from runtime.kernels.cpu.code import I8, I32, I64, LANES, Code, Number

COLOURS = 3
LINES = max(1, LANES // 4)
"""Lines that are worked on at once: a pixel of each, with the byte behind it, fills a vector."""
SPARE = 16
"""Bytes behind a picture, and behind each of its lines in between, that are read or written for nothing."""


def along(code: Code, bits: int) -> None:
    """A range of groups of LINES lines: y[line, x] = sum over t of w[x, t] * pixel[line, first[x] + t]."""
    source, pitch, target, target_pitch, windows, weights, longest, width, lines = (code.arg(i) for i in range(9))
    with code.loop(code.lo, code.hi) as group:
        rows = [code.min(code.add(code.mul(group, LINES), i), code.sub(lines, 1)) for i in range(LINES)]
        read = [code.add(source, code.mul(row, pitch)) for row in rows]
        written = [code.add(target, code.mul(row, target_pitch)) for row in rows]
        with code.loop(0, width) as x:
            first, count = _window(code, windows, x)
            begin = code.mul(first, COLOURS)
            with code.reduce(0, count, 1, [_half(bits, 4 * LINES)]) as carried:
                at = code.add(begin, code.mul(carried.i, COLOURS))
                pixels = _joined(code, [code.load(code.add(line, at), "u8", 4) for line in read])
                carried.next = [_added(code, carried.values[0], pixels, _weight(code, weights, longest, x, carried.i))]
            found = code.b.bitcast(_rounded(code, carried.result[0], bits), ir.VectorType(I32, LINES))
            for i, line in enumerate(written):
                pixel = code.b.bitcast(code.b.extract_element(found, I32(i)), ir.VectorType(I8, 4))
                code.store(pixel, code.add(line, code.mul(x, COLOURS)))


def across(code: Code, bits: int) -> None:
    """A range of lines: y[line, byte] = sum over t of w[line, t] * x[first[line] + t, byte], whole vectors, the last ones twice."""
    source, pitch, target, target_pitch, windows, weights, longest, bytes_ = (code.arg(i) for i in range(8))
    with code.loop(code.lo, code.hi) as y:
        first, count = _window(code, windows, y)
        with code.loop(0, bytes_, LANES) as any_:
            byte = code.min(any_, code.sub(bytes_, LANES))
            begin = code.total(source, byte, code.mul(first, pitch))
            with code.reduce(0, count, 1, [_half(bits, LANES)]) as carried:
                values = code.load(code.add(begin, code.mul(carried.i, pitch)), "u8", LANES)
                carried.next = [_added(code, carried.values[0], values, _weight(code, weights, longest, y, carried.i))]
            code.store(_rounded(code, carried.result[0], bits), code.total(target, code.mul(y, target_pitch), byte))


def _window(code: Code, windows: Number, place: Number) -> tuple[Number, Number]:
    """The first of the values that count for a place, and how many they are."""
    pair = [code.load(code.at(windows, code.add(code.mul(place, 2), i), "i32"), "i32") for i in (0, 1)]
    return code.b.sext(pair[0], I64), code.b.sext(pair[1], I64)


def _weight(code: Code, weights: Number, longest: Number, place: Number, t: Number) -> ir.Value:
    return code.load(code.at(weights, code.add(code.mul(place, longest), t), "i32"), "i32")


def _half(bits: int, lanes: int) -> ir.Value:
    return ir.Constant(ir.VectorType(I32, lanes), [1 << (bits - 1)] * lanes)


def _joined(code: Code, pixels: Sequence[ir.Value]) -> ir.Value:
    vector = ir.Constant(ir.VectorType(I32, len(pixels)), ir.Undefined)
    for i, pixel in enumerate(pixels):
        vector = code.b.insert_element(vector, code.b.bitcast(pixel, I32), I32(i))
    return code.b.bitcast(vector, ir.VectorType(I8, 4 * len(pixels)))


def _added(code: Code, total: ir.Value, values: ir.Value, weight: ir.Value) -> ir.Value:
    lanes = values.type.count
    return code.b.add(total, code.b.mul(code.b.zext(values, ir.VectorType(I32, lanes)), code.splat(weight, lanes)))


def _rounded(code: Code, total: ir.Value, bits: int) -> ir.Value:
    """Weights are 0 or more and sum to 1: nothing leaves the range of a byte."""
    lanes = total.type.count
    shift = ir.Constant(total.type, [bits] * lanes)
    return code.b.trunc(code.b.lshr(total, shift), ir.VectorType(I8, lanes))

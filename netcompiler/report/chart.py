"""Curves as a picture: SVG, by itself or inside a page."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape

from netcompiler.report.scale import Scale, scale

WIDTH, HEIGHT = 560, 260
LEFT, RIGHT, TOP, BOTTOM = 56, 12, 34, 36
COLOURS = ("#2563eb", "#d97706", "#059669", "#db2777", "#7c3aed", "#64748b")

Points = Sequence[tuple[float, float]]


def chart(title: str, curves: Mapping[str, Points], across: str = "epoch") -> str:
    """Points that are not finite leave a gap."""
    points = [point for curve in curves.values() for point in curve]
    x = scale([point[0] for point in points])
    x, y = Scale(x.low, x.high), scale([point[1] for point in points])
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="11" role="img">'
    body = [f'<title>{escape(title)}</title><text x="{LEFT}" y="14" font-weight="bold" fill="currentColor">{escape(title)}</text>']
    body += [*_grid(x, y), *_curves(curves, x, y)]
    body += [f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 4}" text-anchor="end" fill="currentColor">{escape(across)}</text>']
    return "\n".join([head, *body, "</svg>"])


def _grid(x: Scale, y: Scale) -> Iterator[str]:
    for tick in y.ticks():
        at = _down(y, tick)
        yield f'<path d="M{LEFT} {at:.1f}H{WIDTH - RIGHT}" stroke="currentColor" stroke-opacity=".15"/>'
        yield f'<text x="{LEFT - 6}" y="{at + 4:.1f}" text-anchor="end" fill="currentColor">{tick:.4g}</text>'
    for tick in x.ticks(8):
        yield f'<text x="{_right(x, tick):.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle" fill="currentColor">{tick:.6g}</text>'


def _curves(curves: Mapping[str, Points], x: Scale, y: Scale) -> Iterator[str]:
    for number, (name, points) in enumerate(curves.items()):
        colour = COLOURS[number % len(COLOURS)]
        path = "".join(_steps(points, x, y))
        yield f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="1.8" stroke-linejoin="round" stroke-linecap="round"/>'
        if len(curves) > 1:
            right = WIDTH - RIGHT - 90 * (len(curves) - 1 - number)
            yield f'<text x="{right}" y="14" text-anchor="end" fill="{colour}">{escape(name)}</text>'


def _steps(points: Points, x: Scale, y: Scale) -> Iterator[str]:
    """A point by itself is a dot."""
    pen = "M"
    for at, value in points:
        if math.isfinite(value):
            yield f"{pen}{_right(x, at):.1f} {_down(y, value):.1f}{'h0' if pen == 'M' else ''}"
            pen = "L"
        else:
            pen = "M"


def _right(x: Scale, value: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * x(value)


def _down(y: Scale, value: float) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * y(value)

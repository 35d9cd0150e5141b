"""Pools and patches. What overlaps is gathered: each cell of a result asks the windows that it is in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from netcompiler.plan import Axis
from runtime.arrays import Array
from runtime.kernels.cuda.frame import Direct, adjoint, count, direct
from runtime.kernels.cuda.slide import Slide, Source, picked, source, summed
from runtime.kernels.cuda.steps import Launch

Window = Sequence[Axis]


def window_sum(y: Array, x: Array, *, axes: Sequence[int], window: Window) -> Iterator[Launch]:
    yield summed(Slide([y], [source(x, axes)], direct(x, axes, window)))


def window_spread(x: Array, y: Array, *, axes: Sequence[int], window: Window, size: Sequence[int]) -> Iterator[Launch]:
    yield summed(Slide([x], [source(y, axes)], adjoint(y, axes, window)))


def patches(p: Array, x: Array, *, window: Window) -> Iterator[Launch]:
    """Each tap has a place of its own in the result."""
    sides, own = _sides(window), _by_side(p, window)
    taps = range(1 + len(window), 1 + 2 * len(window))
    reaches = {axis: Direct(w, x.shape[axis], tap) for axis, w, tap in zip(sides, window, taps, strict=True)}
    steps = (x.strides[0], *(0 for _ in (*sides, *taps)), x.strides[-1])
    yield picked(Slide([own], [Source(x, steps, x.strides[1:-1])], reaches, taps))


def unpatch(x: Array, p: Array, *, window: Window, size: Sequence[int]) -> Iterator[Launch]:
    sides, own = _sides(window), _by_side(p, window)
    steps = (p.strides[0], *(0 for _ in sides), p.strides[-1])
    yield summed(Slide([x], [Source(own, steps, p.strides[1:-2], own.strides[1 + len(window) : -1])], adjoint(p, sides, window)))


def window_max(y: Array, at: Array, x: Array, *, window: Window) -> Iterator[Launch]:
    """The first of the largest, NaN above all; a window that meets nothing but padding gives 0, at tap 0."""
    slide = Slide([y, at], [source(x, _sides(window))], direct(x, _sides(window), window))
    width = slide.way.width
    larger = "!met || v > best[l] || (v != v && best[l] == best[l])"
    yield slide.launch(
        [f"float best[{width}] = {{}};", f"int place[{width}] = {{}};", "bool met = false;"],
        [
            f"const int tap = {_tap(slide, window)};",
            *slide.each(f"const float v = {slide.way.loaded(2, 'l')}; if ({larger}) {{ best[l] = v; place[l] = tap; }}"),
            "met = true;",
        ],
        slide.written("best[l]", "place[l]"),
    )


def window_route(dx: Array, dy: Array, at: Array, *, window: Window, size: Sequence[int]) -> Iterator[Launch]:
    sides = _sides(window)
    slide = Slide([dx], [source(dy, sides), source(at, sides)], adjoint(dy, sides, window))
    value, place = slide.way.loaded(1, "l"), slide.way.loaded(2, "l")
    yield slide.launch(
        [f"float sums[{slide.way.width}] = {{}};"],
        [f"const int tap = {_tap(slide, window)};", *slide.each(f"if ({place} == tap) sums[l] += {value};")],
        slide.written("sums[l]"),
    )


def _sides(window: Window) -> range:
    """The windowed axes of (n, *sides, c)."""
    return range(1, 1 + len(window))


def _by_side(p: Array, window: Window) -> Array:
    """With an axis of taps for each side: a view."""
    return p.reshape(*p.shape[:-2], *(w.kernel for w in window), p.shape[-1])


def _tap(slide: Slide, window: Window) -> str:
    """The number of a tap among all, row by row."""
    text = "t0"
    for j, w in enumerate(window[1:], 1):
        text = f"({text}) * {count(slide.kernel, w)} + t{j}"
    return text

"""What the algorithms of a convolution do on a processor, counted in operations at full speed: the products, with what vectors
and register blocks leave idle, and what is done beside them. Fitted to measured times of 120 kernels on a Zen 4 with AVX-512, of which it
names the fastest but for 7; on other processors, and where it errs, facts decide.
"""

from __future__ import annotations

from math import prod
from typing import NamedTuple

from netcompiler.instructions.op import flops, taps, traffic
from netcompiler.plan import PANEL, SIZES, Axis, Instruction, Value
from netcompiler.targets.target import Work

VECTOR = 16
"""Channels of a vector."""
ROWS = 14
"""Pixels of a register block."""
REACH, POINTS = 6, 36
"""Of a tile of Winograd's: pixels that it reads along an axis, and the points where it is multiplied."""
TRANSFORM, FILTER = 600, 400
"""Operations that a transform of a channel of a tile takes the time of, and that of a filter's gradient."""


class Sizes(NamedTuple):
    """A convolution or one of its gradients, as products: for each pixel of y and each tap, `inner` channels are summed for each
    of `outer`; `y` and `x` are the pictures."""

    x: Value
    y: Value
    window: tuple[Axis, ...]
    groups: int
    inner: int
    outer: int

    @property
    def pixels(self) -> int:
        return prod(self.y.shape[:-1])

    @property
    def tiles(self) -> int:
        """Of the picture that comes out, or in conv_dw of y."""
        n, *sides, _ = self.y.shape
        return n * prod(-(-side // (REACH - axis.kernel + 1)) for side, axis in zip(sides, self.window, strict=True))


def sizes(instruction: Instruction) -> Sizes:
    core = instruction.core
    (a, b), made = core.operands, core.result
    x, y, w = {"conv": (a, made, b), "conv_dx": (made, a, b), "conv_dw": (a, b, made)}[core.op]
    groups, channels = core.attributes["groups"], (w.shape[-1], w.shape[0] // core.attributes["groups"])
    inner, outer = reversed(channels) if core.op == "conv_dx" else channels
    return Sizes(x, y, core.attributes["window"], groups, inner, outer)


def by_rows(instruction: Instruction) -> Work:
    """For each tap of a register block the addresses of its rows are read: a quarter of a panel's channels could be summed meanwhile."""
    s = sizes(instruction)
    each = s.inner * whole(s.outer, VECTOR) + 4 * PANEL * panels(s.outer)
    pixels = s.pixels if instruction.core.op == "conv" else prod(s.x.shape[:-1]) // prod(axis.stride for axis in s.window)
    return done(instruction, 2 * pixels * taps(s.window) * s.groups * each)


def by_outer_rows(instruction: Instruction) -> Work:
    """Sums of a tap are as many rows of vectors as there are channels; about eight more would take no longer."""
    s = sizes(instruction)
    return done(instruction, 2 * s.pixels * taps(s.window) * s.groups * (s.inner + 8) * whole(s.outer, VECTOR))


def by_bands(instruction: Instruction) -> Work:
    """Taps along the width are one run; blocks begin anew with each row of pixels."""
    s = sizes(instruction)
    made = s.x if instruction.core.op == "conv_dx" else s.y
    pixels = prod(made.shape[:-2]) * whole(made.shape[-2], ROWS)
    lines, run = taps(s.window[:-1]), s.window[-1].kernel * s.inner
    return done(instruction, 2 * pixels * lines * (run * whole(s.outer, VECTOR) + 2 * PANEL * panels(s.outer)))


def by_outer_bands(instruction: Instruction) -> Work:
    s = sizes(instruction)
    lines, run = taps(s.window[:-1]), s.window[-1].kernel * s.inner
    return done(instruction, 2 * s.pixels * lines * (run + 2) * whole(s.outer, VECTOR))


def by_tiles(instruction: Instruction) -> Work:
    """Filters are four times as large, and come from memory where they are many."""
    s = sizes(instruction)
    tiles = s.tiles if instruction.core.op != "conv_dx" else s._replace(y=s.x).tiles
    products = 2 * POINTS * tiles * s.inner * whole(s.outer, PANEL)
    transforms = TRANSFORM * tiles * (whole(s.inner, VECTOR) + whole(s.outer, VECTOR))
    filters = SIZES["f32"] * POINTS * s.inner * whole(s.outer, PANEL)
    return done(instruction, products + transforms, filters - instruction.core.operands[1].bytes)


GROUP = 64
"""Channels whose sums stay in a cache together: each group of filters and channels transforms its pictures again."""


def by_outer_tiles(instruction: Instruction) -> Work:
    s = sizes(instruction)
    products = 2 * POINTS * s.tiles * whole(s.inner, PANEL) * s.outer
    again = whole(s.inner, VECTOR) * -(-s.outer // GROUP) + whole(s.outer, VECTOR) * -(-s.inner // GROUP)
    return done(instruction, products + TRANSFORM * s.tiles * again + FILTER * s.inner * s.outer)


def done(instruction: Instruction, operations: int, more: int = 0) -> Work:
    """With the map behind it, and `more` bytes than operands and results."""
    behind = flops(instruction) - flops(instruction.core)
    return Work(operations + behind, traffic(instruction) + more)


def whole(n: int, of: int) -> int:
    return -(-n // of) * of


def panels(channels: int) -> int:
    return -(-channels // PANEL)

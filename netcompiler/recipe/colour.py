"""Augmentations that change a picture's values and leave all of it in its place."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from netcompiler.diagnostics import Mistake
from netcompiler.options import Expect, NotNegative
from netcompiler.recipe.families import Augmentation
from netcompiler.recipe.ranges import drawn
from netcompiler.scalar import ONE, ZERO, Expr, compare, index, maximum, minimum, operand, select, unary, wrap

if TYPE_CHECKING:
    from netcompiler.layers.layer import Shape
    from netcompiler.pictures import Pictures
    from netcompiler.plan import Value

GREY = (0.299, 0.587, 0.114)
"""How much of red, green and blue is in the grey of a pixel (ITU-R BT.601)."""


class ColorJitter(Augmentation):
    """Brightness, contrast, saturation and hue, changed in this order; values stay in 0 to 1."""

    example = "augment: [color_jitter: {brightness: 0.4, contrast: 0.4, saturation: 0.4}]"

    brightness: NotNegative = Field(0, description="all values times a factor, uniform in 1 - b to 1 + b, and not below 0")
    contrast: NotNegative = Field(0, description="distances from the picture's mean grey, likewise")
    saturation: NotNegative = Field(0, description="distances from each pixel's grey, likewise")
    hue: Annotated[float, Field(ge=0, le=0.5), Expect("a number from 0 to 0.5")] = Field(
        0, description="turn of the hue, a share of the circle in -h to h"
    )

    def fits(self, x: Shape) -> None:
        super().fits(x)
        if x[0] != 3 and (self.saturation or self.hue):
            option = "saturation" if self.saturation else "hue"
            raise Mistake("augment-shape", f"{option} needs 3 channels, and the input has {x[0]}", "leave it out", option=option)

    def lower(self, pictures: Pictures) -> None:
        light, apart, colour, turn = pictures.draw(self.kind, 4)
        if self.brightness:
            factor = pictures.number(_factor(self.brightness, light))
            pictures.change(_in_range(operand(0) * operand(1)), factor)
        if self.contrast:
            _away(pictures, pictures.number(_factor(self.contrast, apart)), _mean(pictures, _grey(pictures)))
        if self.saturation:
            _away(pictures, pictures.number(_factor(self.saturation, colour)), _grey(pictures))
        if self.hue:
            _turned(pictures, pictures.number(drawn(self.hue, turn)))


def _factor(most: float, u: Expr) -> Expr:
    return drawn([max(0, 1 - most), 1 + most], u)


def _in_range(x: Expr) -> Expr:
    return minimum(maximum(x, ZERO), ONE)


def _away(pictures: Pictures, factor: Value, centre: Value) -> None:
    """Distances from the centre times the factor."""
    pictures.change(_in_range(operand(2) + operand(1) * (operand(0) - operand(2))), factor, centre)


def _grey(pictures: Pictures) -> Value:
    """The grey of each pixel; of other than three channels their mean."""
    x, b = pictures.numbers(), pictures.at.b
    channels = x.shape[-1]
    weights = b.table(GREY if channels == 3 else (1 / channels,) * channels, (channels,))
    return b.sum(b.map(operand(0) * operand(1), x, weights), (3,)) if channels > 1 else x


def _mean(pictures: Pictures, x: Value) -> Value:
    return pictures.at.map(operand(0) / math.prod(pictures.sides), pictures.at.b.sum(x, (1, 2)))


def _turned(pictures: Pictures, turn: Value) -> None:
    """The hue of each pixel turned, with its largest value and its chroma as they were: through HSV and back.

    v - c * max(0, min(k, 4 - k, 1)),  k = (n + 6 * hue) mod 6,  n = 5, 3, 1 for red, green, blue"""
    x, b = pictures.numbers(), pictures.at.b
    r, g, blue = map(operand, range(3))
    colours = [b.slice(x, (0, 0, 0, channel), (*x.shape[:-1], channel + 1)) for channel in range(3)]
    most, least = maximum(maximum(r, g), blue), minimum(minimum(r, g), blue)
    chroma = most - least
    of_green_or_blue = select(compare("eq", most, g), (blue - r) / chroma + 2, (r - g) / chroma + 4)
    sextant = select(compare("eq", most, r), (g - blue) / chroma, of_green_or_blue)
    hue = b.map(select(compare("gt", chroma, ZERO), sextant, ZERO), *colours)
    value, span = b.map(most, *colours), b.map(chroma, *colours)
    sixths = 5 - 2 * index(3) + operand(1) + 6 * operand(4)
    k = sixths - 6 * unary("floor", sixths / 6)
    pictures.change(operand(2) - operand(3) * maximum(minimum(minimum(k, 4 - k), wrap(1)), ZERO), hue, value, span, turn)

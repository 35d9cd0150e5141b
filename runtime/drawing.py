"""Predictions drawn on their pictures: boxes and joints as lines and dots, classes of positions as colours. Pillow draws."""

from __future__ import annotations

import colorsys
import io
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from runtime.arrays import Array
from runtime.data.picture import Pictures, libraries

SMALLEST = 256
"""Smaller pictures are enlarged, so that a line hides little."""
GOLDEN = 0.618034
OPACITY = 0.5

Point = tuple[float, float]


class Mark(NamedTuple):
    """Points as shares of the picture's width and height: the corners of a box, or joints by themselves."""

    points: Sequence[Point]
    closed: bool
    label: str = ""


def points(values: Array, closed: bool) -> list[Point]:
    """x, y, x, y, ...; four numbers of a box are two opposite corners."""
    x = [float(value) for value in values]
    if closed and len(x) == 4:
        left, top, right, bottom = x
        return [(left, top), (right, top), (right, bottom), (left, bottom)]
    return list(zip(x[::2], x[1::2], strict=True))


def drawn(content: bytes, marks: Sequence[Mark], maps: Sequence[Array] = ()) -> bytes:
    """A PNG file: the picture of a file with marks, and with the class numbers of positions as colours; BadRow where it is none."""
    image_of, _ = libraries()
    image = _large(image_of.fromarray(np.moveaxis(Pictures(3).raw(content), 0, -1)), image_of)
    for numbers in maps:
        colours = image_of.fromarray(_colours(numbers)).resize(image.size, image_of.Resampling.NEAREST)
        image = image_of.blend(image, colours, OPACITY)
    for number, mark in enumerate(marks):
        _mark(image, mark, colour(number + 1))
    return _png(image)


def picture(values: Array) -> bytes:
    """A PNG file of (channels, rows, columns), 1 or 3 channels from 0 to 1."""
    image_of, _ = libraries()
    levels = np.rint(255 * np.clip(values, 0, 1)).astype(np.uint8)
    return _png(image_of.fromarray(levels[0] if len(levels) == 1 else np.moveaxis(levels, 0, -1)))


def colour(number: int) -> tuple[int, int, int]:
    """Black for 0, then hues that are far from their neighbours."""
    red, green, blue = colorsys.hsv_to_rgb(number * GOLDEN % 1, 0.7, 1.0 if number else 0.0)
    return round(255 * red), round(255 * green), round(255 * blue)


def _colours(numbers: Array) -> Array:
    table = np.array([colour(number) for number in range(int(numbers.max()) + 1)], np.uint8)
    return table[numbers]


def _large(image: Any, image_of: Any) -> Any:
    times = -(-SMALLEST // min(image.size))
    return image.resize((image.width * times, image.height * times), image_of.Resampling.NEAREST) if times > 1 else image


def _mark(image: Any, mark: Mark, ink: tuple[int, int, int]) -> None:
    from PIL import ImageDraw

    pen = ImageDraw.Draw(image)
    places = [(x * image.width, y * image.height) for x, y in mark.points]
    width = max(2, min(image.size) // 64)
    if mark.closed:
        pen.line([*places, places[0]], fill=ink, width=width)
    for x, y in () if mark.closed else places:
        pen.ellipse((x - 2 * width, y - 2 * width, x + 2 * width, y + 2 * width), fill=ink)
    if mark.label:
        x, y = min(x for x, _ in places), min(y for _, y in places)
        at = (min(max(x, 2), image.width - 2), max(y - 14, 2))
        pen.rectangle(pen.textbbox(at, mark.label), fill=(0, 0, 0))
        pen.text(at, mark.label, fill=ink)


def _png(image: Any) -> bytes:
    content = io.BytesIO()
    image.save(content, "PNG")
    return content.getvalue()

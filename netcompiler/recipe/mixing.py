"""Augmentations that cover a part of a picture, or mix it with another one of its batch."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pydantic import Field

from netcompiler.options import Number, Positive, Probability
from netcompiler.recipe.families import Augmentation
from netcompiler.recipe.motion import extents_of
from netcompiler.recipe.ranges import Parts, PositiveInterval, beta, drawn, drawn_evenly_in_logarithms
from netcompiler.scalar import ONE, ZERO, Expr, compare, index, logical, operand, select, sqrt, unary, wrap

if TYPE_CHECKING:
    from netcompiler.pictures import Pictures
    from netcompiler.plan import Value


class Erasing(Augmentation):
    """A rectangle of the picture, of random place, area and aspect, gets one value."""

    example = "augment: [erasing: {probability: 0.25}]"

    probability: Probability = Field(0.5, description="how often")
    area: Parts = Field([0.02, 1 / 3], description="share of the picture's area, uniform in [low, high]")
    aspect: PositiveInterval = Field([0.3, 10 / 3], description="columns over rows, log-uniform in [low, high]")
    value: Number = Field(0, description="the value, after normalization")

    def lower(self, pictures: Pictures) -> None:
        u, area, aspect, *place = pictures.draw(self.kind, 5)
        extents = extents_of(pictures.sides, drawn(self.area, area), drawn_evenly_in_logarithms(self.aspect, aspect))
        erased = compare("lt", u, wrap(self.probability))
        edges = _edges(pictures, [pictures.known(select(erased, _rounded(extent), ZERO)) for extent in extents], place)
        value = self.value * operand(6) + operand(5) if pictures.scale else wrap(self.value)
        pictures.change(select(_inside(), value, operand(0)), *edges, *pictures.scale)


class _Mixing(Augmentation):
    """Mixes pictures of a batch, and their targets."""

    mixes = True

    alpha: Positive = Field(description="both parameters of the Beta distribution")

    def _share(self, pictures: Pictures) -> Expr:
        """How much of each picture stays; all of it, where the batch drew another mixture."""
        radius, angle = pictures.draw_once(self.kind, 2)
        return pictures.known(select(pictures.chosen(self), beta(self.alpha, radius, angle), ONE))


class Mixup(_Mixing):
    """Each picture is mixed with its neighbour in the batch, and their targets in the same proportion."""

    formula = "y = u * x[i] + (1 - u) * x[j],  u from Beta(alpha, alpha), one for each batch"
    example = "augment: [mixup: 0.2]"
    of_pictures = False

    def lower(self, pictures: Pictures) -> None:
        share = pictures.number(self._share(pictures))
        other = pictures.other(pictures.numbers())
        pictures.change(operand(2) * operand(0) + (1 - operand(2)) * operand(1), other, share)
        pictures.mix(share)


class Cutmix(_Mixing):
    """A rectangle of each picture is taken from its neighbour in the batch, and their targets are mixed by area."""

    formula = "the rectangle has the share 1 - u of the area,  u from Beta(alpha, alpha), one for each batch"
    example = "augment: [cutmix: 1]"
    moves = True

    def lower(self, pictures: Pictures) -> None:
        side = sqrt(1 - self._share(pictures))
        extents = [pictures.known(_rounded(side * cells)) for cells in pictures.sides]
        edges = _edges(pictures, extents, pictures.draw(self.kind, 2))
        other = pictures.other(pictures.numbers())
        pictures.change(select(_inside(), operand(5), operand(0)), *edges, other)
        pictures.mix(pictures.number(1 - extents[0] * extents[1] / math.prod(pictures.sides)))


# rectangles


def _rounded(x: Expr) -> Expr:
    return unary("floor", x + 0.5)


def _edges(pictures: Pictures, extents: list[Expr], place: list[Expr]) -> list[Value]:
    """The first cell and the cell behind the last, of rows and of columns; the rectangle lies in the picture."""
    found = []
    for extent, u, cells in zip(extents, place, pictures.sides, strict=True):
        first = pictures.known(unary("floor", u * (cells + 1 - extent)))
        found += [pictures.number(first), pictures.number(first + extent)]
    return found


def _inside() -> Expr:
    """Whether a cell is in the rectangle of which operands 1 to 4 are the edges."""
    reached = [compare("ge", index(axis), operand(2 * axis - 1)) for axis in (1, 2)]
    left = [compare("lt", index(axis), operand(2 * axis)) for axis in (1, 2)]
    return logical("and", *reached, *left)

"""Augmentations that move a picture: each is a sampling of it, made of numbers that are drawn.

Where a picture is read: rows first, then columns, both counted from its centre. Mirrors and the motion beside them are one sampling.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from netcompiler.diagnostics import Mistake
from netcompiler.options import Expect, Probability, Whole
from netcompiler.recipe.families import Augmentation
from netcompiler.recipe.ranges import MaybeAround0, MaybeAround1, Parts, PositiveInterval, drawn, drawn_evenly_in_logarithms
from netcompiler.scalar import ONE, ZERO, Expr, compare, minimum, select, sqrt, unary, wrap

if TYPE_CHECKING:
    from netcompiler.layers.layer import Shape
    from netcompiler.pictures import Pictures


class _Motion(Augmentation):
    moves = True


class Affine(_Motion):
    """Motions of the picture about its centre, all in one resampling, each drawn uniformly in its range; factors log-uniformly."""

    formula = "y(M p + b) = x(p),  M = scale * stretch * shear * flip * rotation,  b = translation"
    example = "augment: [affine: {rotate: [0, 360], translate: 10, scale: 1.6, flip: 0.5, shear: 20, stretch: 1.3}]"

    rotate: MaybeAround0 = Field(None, description="degrees, anticlockwise: a for -a to a, or [low, high]")
    translate: MaybeAround0 = Field(None, description="pixels, for rows and columns by themselves: a for -a to a, or [low, high]")
    scale: MaybeAround1 = Field(None, description="factor of both sides: a for 1/a to a, or [low, high]")
    flip: Annotated[Probability | None, Expect("a number from 0 to 1")] = Field(
        None, description="probability of a mirrored picture, left for right"
    )
    shear: MaybeAround0 = Field(None, description="degrees: a for -a to a, or [low, high]")
    stretch: MaybeAround1 = Field(None, description="factor of the columns against the rows: a for 1/a to a, or [low, high]")
    border: Annotated[Literal["zero", "edge", "mirror"], Expect("one of zero, edge, mirror")] = Field(
        "zero", description="what lies outside of the picture: zeros, its outermost pixels, or its mirror image"
    )
    filter: Annotated[Literal["nearest", "bilinear"], Expect("one of nearest, bilinear")] = Field(
        "bilinear", description="how values between pixels are read"
    )

    @model_validator(mode="after")
    def _something_moves(self) -> Affine:
        motions = ("rotate", "translate", "scale", "flip", "shear", "stretch")
        if all(getattr(self, motion) is None for motion in motions):
            raise Mistake("augment", "affine moves nothing: all of it is off", f"give one of {', '.join(motions)}")
        return self

    def lower(self, pictures: Pictures) -> None:
        """y(p) = x(A (p - b)), A the inverse of M: rotation * flip * shear * stretch * scale, each turned back."""
        turn, down, across, size, side, slant, wide = pictures.draw(self.kind, 7)
        angle, lean = (drawn(limits, u) * (math.pi / 180) for limits, u in ((self.rotate, turn), (self.shear, slant)))
        cos, sin, tan = unary("cos", angle), unary("sin", angle), unary("sin", lean) / unary("cos", lean)
        mirror, factor = _mirror(self.flip, side), drawn_evenly_in_logarithms(self.scale, size)
        columns = mirror / (factor * drawn_evenly_in_logarithms(self.stretch, wide))
        slope = mirror * tan / factor
        matrix = ((cos / factor + sin * slope, sin * columns), (cos * slope - sin / factor, cos * columns))
        b = drawn(self.translate, down), drawn(self.translate, across)
        rows = tuple((*row, ZERO - (row[0] * b[0] + row[1] * b[1])) for row in matrix)
        pictures.sample(self.kind, rows, pictures.sides, self.filter, self.border)


def _mirror(probability: float | None, u: Expr) -> Expr:
    """-1 with the probability, else 1."""
    return ONE if probability is None else select(compare("lt", u, wrap(probability)), -ONE, ONE)


class Crop(_Motion):
    """A window of the net's input size at a random place of the picture.

    Where the data scales shorter sides, windows are cut out of the square in the middle."""

    example = "augment: [crop: {padding: 4}, flip]"
    cuts = True

    padding: Whole = Field(0, description="zeros on each side of the picture, before it is cut")

    def lower(self, pictures: Pictures) -> None:
        rows = []
        for axis, (u, have, want) in enumerate(zip(pictures.draw(self.kind, 2), pictures.sides, pictures.net, strict=True)):
            first = unary("floor", u * (have + 2 * self.padding - want + 1)) - self.padding
            rows.append((*(ONE if axis == other else ZERO for other in range(2)), first + (want - have) / 2))
        pictures.sample(self.kind, tuple(rows), pictures.net)


class RandomResizedCrop(_Motion):
    """A window of random place, area and aspect, scaled to the net's input size. It is no larger than the picture."""

    example = "augment: [random_resized_crop, flip]"
    cuts = True

    area: Parts = Field([0.08, 1.0], description="share of the picture's area, uniform in [low, high]")
    aspect: PositiveInterval = Field([0.75, 4 / 3], description="columns over rows, log-uniform in [low, high]")

    def lower(self, pictures: Pictures) -> None:
        area, aspect, *places = pictures.draw(self.kind, 4)
        rows = []
        extents = extents_of(pictures.sides, drawn(self.area, area), drawn_evenly_in_logarithms(self.aspect, aspect))
        for axis, (u, extent, have, want) in enumerate(zip(places, extents, pictures.sides, pictures.net, strict=True)):
            rows.append((*(extent / want if axis == other else ZERO for other in range(2)), (u - 0.5) * (have - extent)))
        pictures.sample(self.kind, tuple(rows), pictures.net, "bilinear", "edge")


def extents_of(sides: Shape, area: Expr, aspect: Expr) -> tuple[Expr, Expr]:
    """Rows and columns of a window with this share of the area and this aspect, columns over rows; no more than there are."""
    cells = area * math.prod(sides)
    return minimum(sqrt(cells / aspect), wrap(sides[0])), minimum(sqrt(cells * aspect), wrap(sides[1]))


class Flip(_Motion):
    """The mirror image."""

    example = "augment: [flip]"

    probability: Probability = Field(0.5, description="how often")
    direction: Annotated[Literal["horizontal", "vertical"], Expect("one of horizontal, vertical")] = Field(
        "horizontal", description="horizontal: left for right; vertical: top for bottom"
    )

    def lower(self, pictures: Pictures) -> None:
        [u] = pictures.draw(self.kind, 1)
        mirror = _mirror(self.probability, u)
        down, across = (mirror, ONE) if self.direction == "vertical" else (ONE, mirror)
        pictures.sample(self.kind, ((down, ZERO, ZERO), (ZERO, across, ZERO)), pictures.sides, mirrors=True)

"""What happens to training pictures at random, in the order of the list, drawn anew for each picture and epoch.

Every one yields pictures of the net's input size. What is not written is off.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from netcompiler.diagnostics import Mistake
from netcompiler.options import Expect, NotNegative, Number, Positive, Probability, Whole
from netcompiler.recipe.families import Augmentation
from netcompiler.recipe.ranges import MaybeAround0, MaybeAround1, Parts, PositiveInterval

if TYPE_CHECKING:
    from netcompiler.layers.layer import Shape


class _OfPictures(Augmentation):
    """Reads pictures with two sides."""

    def fits(self, x: Shape) -> None:
        if len(x) != 3:
            raise Mistake(
                "augment-shape",
                f"{self.kind} reads pictures of two sides, and the input has {len(x) - 1}",
                "leave it out",
                [f"input: {'x'.join(map(str, x))}"],
            )


class Affine(_OfPictures):
    """Motions of the picture about its centre, all in one resampling, each drawn uniformly in its range; factors log-uniformly."""

    formula = "y(p) = x(A p + b),  A = rotation * flip * shear * stretch * scale,  b = translation"
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


class Crop(_OfPictures):
    """A window of the net's input size at a random place of the picture."""

    example = "augment: [crop: {padding: 4}, flip]"

    padding: Whole = Field(0, description="zeros on each side of the picture, before it is cut")


class RandomResizedCrop(_OfPictures):
    """A window of random place, area and aspect, scaled to the net's input size."""

    example = "augment: [random_resized_crop, flip]"

    area: Parts = Field([0.08, 1.0], description="share of the picture's area, uniform in [low, high]")
    aspect: PositiveInterval = Field([0.75, 4 / 3], description="columns over rows, log-uniform in [low, high]")


class Flip(_OfPictures):
    """The mirror image."""

    example = "augment: [flip]"

    probability: Probability = Field(0.5, description="how often")
    direction: Annotated[Literal["horizontal", "vertical"], Expect("one of horizontal, vertical")] = Field(
        "horizontal", description="horizontal: left for right; vertical: top for bottom"
    )


class ColorJitter(_OfPictures):
    """Brightness, contrast, saturation and hue, changed in this order."""

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


class Erasing(_OfPictures):
    """A rectangle of the picture, of random place, area and aspect, gets one value."""

    example = "augment: [erasing: {probability: 0.25}]"

    probability: Probability = Field(0.5, description="how often")
    area: Parts = Field([0.02, 1 / 3], description="share of the picture's area, uniform in [low, high]")
    aspect: PositiveInterval = Field([0.3, 10 / 3], description="columns over rows, log-uniform in [low, high]")
    value: Number = Field(0, description="the value, after normalization")


class Mixup(Augmentation):
    """Each picture is mixed with another one of its batch, and their targets in the same proportion."""

    formula = "y = u * x[i] + (1 - u) * x[j],  u from Beta(alpha, alpha), one for each batch"
    example = "augment: [mixup: 0.2]"
    mixes = True

    alpha: Positive = Field(description="both parameters of the Beta distribution")


class Cutmix(_OfPictures):
    """A rectangle of each picture is taken from another one of its batch, and their targets are mixed by area."""

    formula = "the rectangle has the share 1 - u of the area,  u from Beta(alpha, alpha), one for each batch"
    example = "augment: [cutmix: 1]"
    mixes = True

    alpha: Positive = Field(description="both parameters of the Beta distribution")

"""What a net is shown of a picture at test time: several views whose probabilities are averaged."""

from __future__ import annotations

from netcompiler.recipe.families import Views


class TenCrop(Views):
    """Windows of the net's input size at the four corners and the centre, and their mirror images, vote by averaged probabilities."""

    example = "test_time: ten_crop"
    count = 10


class Flip(Views):
    """The picture and its mirror image vote by averaged probabilities."""

    example = "test_time: flip"
    count = 2

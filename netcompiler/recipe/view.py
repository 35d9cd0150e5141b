"""What a net is shown of a picture at test time: several views whose probabilities are averaged."""

from __future__ import annotations

from typing import ClassVar

from netcompiler.options import Kind, Registry

VIEWS = Registry("test-time view")


class Views(Kind):
    """Base of all views."""

    registry: ClassVar[Registry] = VIEWS
    count: ClassVar[int]
    """Views of each picture."""


class TenCrop(Views):
    """Windows of the net's input size at the four corners and the centre, and their mirror images, vote by averaged probabilities."""

    example = "test_time: ten_crop"
    count = 10

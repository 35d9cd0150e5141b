"""What may be chosen in a recipe: the base class of each family. The kinds themselves are imported when one is looked up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from netcompiler.diagnostics import Mistake
from netcompiler.options import Kind, Registry

if TYPE_CHECKING:
    from netcompiler.layers.layer import Shape

DATA = Registry("data set", "netcompiler.recipe.data")
NORMALIZATIONS = Registry("normalization", "netcompiler.recipe.normalization")
AUGMENTATIONS = Registry("augmentation", "netcompiler.recipe.augmentation")
VIEWS = Registry("test-time view", "netcompiler.recipe.view")
SCHEDULES = Registry("schedule", "netcompiler.recipe.schedule")
INITIALISERS = Registry("initialiser", "netcompiler.recipe.initialiser")


class Column(NamedTuple):
    """A field of the data. In the shape None stands for what differs from picture to picture; no shape: the file says it."""

    shape: tuple[int | None, ...] | None
    classes: int | None = None
    """The field is the number of one of so many classes."""
    target: bool = False


class Data(Kind):
    """Base of all data."""

    registry: ClassVar[Registry] = DATA

    def yields(self) -> dict[str, Column]:
        """The fields by name: first what goes into the net, then the targets."""
        raise NotImplementedError


class Normalization(Kind):
    """Base of all normalizations."""

    registry: ClassVar[Registry] = NORMALIZATIONS
    formula = "y[c] = (x[c] - mean[c]) / std[c]"

    def fits(self, x: Shape) -> None:
        """Raises Mistake where the net's input has other channels."""


class Augmentation(Kind):
    """Base of all augmentations."""

    registry: ClassVar[Registry] = AUGMENTATIONS
    mixes: ClassVar[bool] = False
    """Joins pictures of a batch, and their targets. Of several such, each batch draws one."""

    def fits(self, x: Shape) -> None:
        """Raises Mistake where inputs of this shape cannot be augmented so."""


class Views(Kind):
    """Base of all views."""

    registry: ClassVar[Registry] = VIEWS
    count: ClassVar[int]
    """Views of each picture."""


class Schedule(Kind):
    """Base of all schedules."""

    registry: ClassVar[Registry] = SCHEDULES

    def scale(self, e: float, epochs: float, history: Sequence[float] = ()) -> float:
        """The factor of the rate; history is the watched figure of each validation so far."""
        raise NotImplementedError


class Initialiser(Kind):
    """Base of all initialisers."""

    registry: ClassVar[Registry] = INITIALISERS
    axes: ClassVar[int] = 1
    """The fewest axes of a parameter that it can fill."""

    def fits(self, w: Shape) -> None:
        """Raises Mistake where a parameter of this shape cannot start so."""
        if len(w) < self.axes:
            raise Mistake(
                "init-shape",
                f"{self.kind} needs a parameter with {self.axes} axes or more, and this one has {len(w)}",
                "take constant, normal or uniform",
                [f"shape: {'x'.join(map(str, w))}"],
            )

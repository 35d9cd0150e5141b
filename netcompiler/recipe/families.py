"""What may be chosen in a recipe: the base class of each family. The kinds themselves are imported when one is looked up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from netcompiler.diagnostics import Mistake
from netcompiler.options import Kind, Registry

if TYPE_CHECKING:
    from netcompiler.layers.layer import Shape
    from netcompiler.pictures import Pictures

DATA = Registry("data set", "netcompiler.recipe.data")
NORMALIZATIONS = Registry("normalization", "netcompiler.recipe.normalization")
AUGMENTATIONS = Registry("augmentation", *(f"netcompiler.recipe.{family}" for family in ("motion", "colour", "mixing")))
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
    in_bytes: ClassVar[bool] = False
    """Its pictures are always whole numbers from 0 to 255."""

    def yields(self) -> dict[str, Column]:
        """The fields by name: first what goes into the net, then the targets."""
        raise NotImplementedError

    def sides(self) -> Shape | None:
        """Those of every picture, once it is scaled and the square in its middle is cut out; None where nothing says it."""
        return None


class Normalization(Kind):
    """Base of all normalizations."""

    registry: ClassVar[Registry] = NORMALIZATIONS
    formula = "y[c] = (x[c] - mean[c]) / std[c]"

    def fits(self, x: Shape) -> None:
        """Raises Mistake where the net's input has other channels."""

    def starts(self) -> tuple[Any, Any]:
        """Means and deviations before they were measured."""
        return 0.0, 1.0


class Augmentation(Kind):
    """Base of all augmentations."""

    registry: ClassVar[Registry] = AUGMENTATIONS
    mixes: ClassVar[bool] = False
    """Joins pictures of a batch, and their targets. Of several such, each batch draws one."""
    moves: ClassVar[bool] = False
    """What was in one place of a picture is in another one."""
    cuts: ClassVar[bool] = False
    """Takes windows of the net's size out of pictures that may be larger."""
    of_pictures: ClassVar[bool] = True
    """Reads pictures with two sides."""

    def fits(self, x: Shape) -> None:
        """Raises Mistake where inputs of this shape cannot be augmented so."""
        if self.of_pictures and len(x) != 3:
            raise Mistake(
                "augment-shape",
                f"{self.kind} reads pictures of two sides, and the input has {len(x) - 1}",
                "leave it out",
                [f"input: {'x'.join(map(str, x))}"],
            )

    def lower(self, pictures: Pictures) -> None:
        """Changes the pictures of a batch."""
        raise NotImplementedError(self.kind)


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

"""How values are brought to mean 0 and deviation 1 before the net sees them. Pixels are numbers from 0 to 1 by then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, model_validator

from netcompiler.diagnostics import Mistake
from netcompiler.options import Expect, Number, Positive
from netcompiler.recipe.families import Normalization

if TYPE_CHECKING:
    from netcompiler.layers.layer import Shape


class Auto(Normalization):
    """Mean and deviation of each channel are measured over the training pictures once, and kept with the weights; of pictures that lie
    in files of their own, over 4,096 at even distances."""

    example = "normalize: auto"


class Channels(Normalization):
    """Mean and deviation are given for each channel."""

    example = "normalize: {channels: {mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225]}}"

    mean: Annotated[list[Number], Field(min_length=1), Expect("a list with a number for each channel")] = Field(
        description="what is subtracted from each channel"
    )
    std: Annotated[list[Positive], Field(min_length=1), Expect("a list with a number above 0 for each channel")] = Field(
        description="what each channel is then divided by"
    )

    @model_validator(mode="after")
    def _lengths_agree(self) -> Channels:
        if len(self.mean) != len(self.std):
            raise Mistake(
                "normalize", f"mean has {len(self.mean)} entries, and std has {len(self.std)}", "write one for each channel", option="std"
            )
        return self

    def starts(self) -> tuple[Any, Any]:
        return tuple(self.mean), tuple(self.std)

    def fits(self, x: Shape) -> None:
        if len(self.mean) != x[0]:
            raise Mistake(
                "normalize",
                f"mean has {len(self.mean)} entries, and the input has {x[0]} channels",
                "write one for each channel",
                option="mean",
            )

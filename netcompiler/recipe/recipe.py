"""The `train` section as a class: its fields are the YAML keys, and it is frozen.

Annotations here are no texts (no __future__ import): pydantic would compile them one by one, 3 ms at each start.
Read next: families.py for what may be chosen, data.py, schedule.py, augmentation.py beside it; optimisers/ and losses/.
"""

import re
from collections.abc import Sequence
from decimal import Decimal
from functools import cache
from typing import Annotated, Literal

from pydantic import Field

from netcompiler.optimisers import OPTIMIZERS, Optimizer
from netcompiler.options import (
    Count,
    Expect,
    MaybeCount,
    MaybePositive,
    MaybeShare,
    MaybeText,
    NameMap,
    Names,
    NotNegative,
    OneOf,
    Options,
    Share,
    Truth,
    Whole,
)
from netcompiler.recipe.families import (
    AUGMENTATIONS,
    DATA,
    INITIALISERS,
    NORMALIZATIONS,
    SCHEDULES,
    VIEWS,
    Augmentation,
    Data,
    Initialiser,
    Normalization,
    Schedule,
    Views,
)
from netcompiler.recipe.warmup import WarmUp
from netcompiler.recipe.watch import EarlyStop, Metric

UNITS = {"kB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
MEMORY = re.compile(rf"([0-9]+(?:\.[0-9]+)?) ?({'|'.join(UNITS)})")

PRECISIONS = ("fp32", "tf32", "bf16", "fp16", "exact")
Precision = Annotated[Literal["fp32", "tf32", "bf16", "fp16", "exact"], Expect("one of fp32, tf32, bf16, fp16, exact")]
Init = Annotated[Initialiser | None, OneOf(INITIALISERS), Expect("an initialiser")]


class LayerSettings(Options):
    """What training does differently in some layers."""

    init: Init = Field(None, description="how the weights start")
    bias_init: Init = Field(None, description="how the biases start; without it at 0")
    rate: NotNegative = Field(1, description="factor of the learning rate")
    decay: NotNegative = Field(1, description="factor of the weight decay")
    freeze: Truth = Field(False, description="the parameters keep their values, and running means theirs")


class Validation(Options):
    """What is measured while training goes on."""

    share: Share = Field(0, description="share of the training pictures that is held out for it; 0 takes the data's own test pictures")
    every: Count = Field(1, description="epochs from one to the next")


class Recipe(Options):
    """How a net is trained."""

    data: Annotated[Data | None, OneOf(DATA), Expect("a data set")] = Field(None, description="what it is trained on")
    batch: Count = Field(16, description="pictures in a step, over all devices and accumulated turns")
    epochs: Count = Field(5, description="how often every picture is seen")
    steps: MaybeCount = Field(None, description="stop after so many steps instead of `epochs`")
    optimizer: Annotated[Optimizer | None, OneOf(OPTIMIZERS), Expect("an optimizer")] = Field(
        None, description="the rule that changes the weights; training needs one"
    )
    schedule: Annotated[Schedule | None, OneOf(SCHEDULES), Expect("a schedule")] = Field(
        None, description="how the rate changes with time; without it constant"
    )
    warmup: Annotated[WarmUp | None, Expect("{epochs: number} or {steps: number}")] = Field(
        None, description="a rise of the rate at the beginning, in front of any schedule"
    )
    augment: Annotated[list[Augmentation], OneOf(AUGMENTATIONS, many=True), Expect("a list of augmentations")] = Field(
        [], description="random changes of the training pictures, in this order"
    )
    normalize: Annotated[Normalization | None, OneOf(NORMALIZATIONS), Expect("a normalization")] = Field(
        None, description="values of the input are brought to mean 0 and deviation 1; without it pixels are 0 to 1"
    )
    test_time: Annotated[Views | None, OneOf(VIEWS), Expect("a test-time view")] = Field(
        None, description="several views of each test picture vote; without it one, the centre"
    )
    precision: Annotated[Precision | None, Expect("one of fp32, tf32, bf16, fp16, exact")] = Field(
        None,
        description="how products are computed and values kept; state is fp32 always. exact: fp32, and no kernel that approximates. "
        "Without it the target's own choice",
    )
    memory: Annotated[str | None, Field(pattern=f"^{MEMORY.pattern}$"), Expect('a text such as "2GB" or "512MiB"')] = Field(
        None, description="what a step may use at most: more is then computed again instead of kept"
    )
    accumulate: Count = Field(1, description="a step adds up the gradients of so many parts of its batch, one after another")
    clip: MaybePositive = Field(None, description="the whole gradient is shortened to this norm when it is longer")
    ema: MaybeShare = Field(
        None, description="validate and save a running average of the weights that keeps this share a step, such as 0.9999"
    )
    on_bad_data: Annotated[Literal["stop", "skip"], Expect("one of stop, skip")] = Field(
        "stop", description="a row of the data that cannot be read, or has no such class, ends training, or is left out and counted"
    )
    seed: Whole = Field(0, description="where all random numbers start")
    metrics: Annotated[list[Metric] | None, Expect("a list of top1, top5, mean_iou, mae, rmse")] = Field(
        None,
        description="what the validation measures beside the loss; without it top1 where there are classes, else mae. mean_iou is the mean "
        "over the batches, and `netc eval` counts over all pictures",
    )
    validation: Annotated[Validation | None, Expect("{share: …, every: …}")] = Field(
        None, description="what is measured while training goes on; without it the data's test pictures, every epoch"
    )
    early_stop: Annotated[EarlyStop | None, Expect("{patience: number}")] = Field(
        None, description="end when a figure of the validation stalls, with the best weights"
    )
    init: Init = Field(
        None,
        description="how the weights of convolutions and linear layers start where `layers` says nothing; "
        "without it evenly in -1/sqrt(fan_in) to 1/sqrt(fan_in)",
    )
    layers: Annotated[dict[str, LayerSettings], NameMap(LayerSettings), Expect("{name: {option: value}}")] = Field(
        {}, description="settings for layers by full name, or its beginning: each option comes from the longest name that gives it"
    )
    weights: MaybeText = Field(
        None,
        description="fine-tuning: start from the weights of this file or run; a layer that it lacks is an error unless `fresh` names it",
    )
    fresh: Annotated[Names | None, Expect("a list of names")] = Field(
        None, description="with `weights`: layers that start anew, by full name or its beginning"
    )

    @property
    def budget(self) -> int | None:
        """`memory` in bytes."""
        size = MEMORY.fullmatch(self.memory or "")
        return int(Decimal(size[1]) * UNITS[size[2]]) if size else None

    def settings(self, name: str) -> LayerSettings:
        """The settings of a layer by its full name."""
        if not self.layers:
            return _usual()
        found = sorted((key for key in self.layers if f"{name}.".startswith(f"{key}.")), key=len)
        written = {option: getattr(self.layers[key], option) for key in found for option in self.layers[key].model_fields_set}
        return LayerSettings.model_construct(**written)

    def rate(self, step: int, steps_per_epoch: float, history: Sequence[float] = ()) -> float:
        """The learning rate of a step, counted from 0; history is the schedule's watched figure of each validation so far."""
        assert self.optimizer is not None
        epochs = self.steps / steps_per_epoch if self.steps else self.epochs
        scale = self.schedule.scale(step / steps_per_epoch, epochs, history) if self.schedule else 1
        return self.optimizer.rate * scale * (self.warmup.scale(step, steps_per_epoch) if self.warmup else 1)


@cache
def _usual() -> LayerSettings:
    """What a layer has that no recipe names."""
    return LayerSettings()

"""The training recipe: what stands under `train`. Frozen, and all that the runtime knows of a spec beside its plan.

Read next: recipe.py.
"""

from netcompiler.recipe.families import (
    AUGMENTATIONS,
    DATA,
    INITIALISERS,
    NORMALIZATIONS,
    SCHEDULES,
    VIEWS,
    Augmentation,
    Column,
    Data,
    Initialiser,
    Normalization,
    Schedule,
    Views,
)
from netcompiler.recipe.recipe import PRECISIONS, LayerSettings, Recipe
from netcompiler.recipe.warmup import WarmUp
from netcompiler.recipe.watch import EarlyStop, Metric

__all__ = [
    "AUGMENTATIONS",
    "DATA",
    "INITIALISERS",
    "NORMALIZATIONS",
    "PRECISIONS",
    "SCHEDULES",
    "VIEWS",
    "Augmentation",
    "Column",
    "Data",
    "EarlyStop",
    "Initialiser",
    "LayerSettings",
    "Metric",
    "Normalization",
    "Recipe",
    "Schedule",
    "Views",
    "WarmUp",
]

"""The training recipe: what stands under `train`. Frozen, and all that the runtime knows of a spec beside its plan.

Read next: recipe.py.
"""

from netcompiler.recipe.augmentation import AUGMENTATIONS, Augmentation
from netcompiler.recipe.data import DATA, Column, Data
from netcompiler.recipe.initialiser import INITIALISERS, Initialiser
from netcompiler.recipe.normalization import NORMALIZATIONS, Normalization
from netcompiler.recipe.recipe import LayerSettings, Recipe
from netcompiler.recipe.schedule import SCHEDULES, Schedule, WarmUp
from netcompiler.recipe.view import VIEWS, Views
from netcompiler.recipe.watch import EarlyStop, Metric

__all__ = [
    "AUGMENTATIONS",
    "DATA",
    "INITIALISERS",
    "NORMALIZATIONS",
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

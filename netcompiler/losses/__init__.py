"""Every loss of the language. Importing this package fills LOSSES."""

from netcompiler.losses import classification, regression
from netcompiler.losses.loss import LOSSES, Loss

__all__ = ["LOSSES", "Loss", "classification", "regression"]

"""Every optimizer of the language. Importing this package fills OPTIMIZERS."""

from netcompiler.optimisers import adaptive, momentum
from netcompiler.optimisers.optimizer import OPTIMIZERS, Optimizer

__all__ = ["OPTIMIZERS", "Optimizer", "adaptive", "momentum"]

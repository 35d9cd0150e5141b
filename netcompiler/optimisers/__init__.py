"""Every optimizer of the language."""

from netcompiler.optimisers.optimizer import OPTIMIZERS, Optimizer

__all__ = ["OPTIMIZERS", "Optimizer"]

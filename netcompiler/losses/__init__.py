"""Every loss of the language."""

from netcompiler.losses.loss import LOSSES, Loss

__all__ = ["LOSSES", "Loss"]

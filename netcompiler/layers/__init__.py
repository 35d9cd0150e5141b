"""Every layer of the language. Importing this package fills KINDS."""

from netcompiler.layers import activation, conv, form, linear, mapped, merge, neocognitron, noise, norm, pool, resample
from netcompiler.layers.layer import KINDS

__all__ = ["KINDS", "activation", "conv", "form", "linear", "mapped", "merge", "neocognitron", "noise", "norm", "pool", "resample"]

"""Every layer of the language. Importing this package fills KINDS."""

from netcompiler.layers import conv
from netcompiler.layers.layer import KINDS

__all__ = ["KINDS", "conv"]

"""Every layer of the language. Importing this package fills KINDS."""

from netcompiler.layers import (
    activation,
    conv,
    conv_transpose,
    form,
    linear,
    local,
    mapped,
    merge,
    neocognitron,
    noise,
    norm,
    pool,
    resample,
)
from netcompiler.layers.layer import KINDS

__all__ = [
    "KINDS",
    "activation",
    "conv",
    "conv_transpose",
    "form",
    "linear",
    "local",
    "mapped",
    "merge",
    "neocognitron",
    "noise",
    "norm",
    "pool",
    "resample",
]

"""The readable oracle: what every instruction means, in float32 and float64. Clear before fast.

A family is a file; each public function of its own is the kernel of the instruction of its name.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import isfunction

from runtime.kernels.numpy import collective, conv, form, matmul, packing, pointwise, random, reduction, sampling, window

FAMILIES = (collective, conv, form, matmul, packing, pointwise, random, reduction, sampling, window)

KERNELS: dict[str, Callable[..., None]] = {
    name: function
    for family in FAMILIES
    for name, function in vars(family).items()
    if isfunction(function) and function.__module__ == family.__name__ and not name.startswith("_")
}

"""GPUs by NVIDIA: cuDNN and cuBLASLt for products, kernels of our own for everything else."""

from __future__ import annotations

from collections.abc import Mapping

from netcompiler.targets.cuda.convolutions import CONVOLUTIONS
from netcompiler.targets.cuda.forms import FORMS
from netcompiler.targets.cuda.matmul import MATMUL
from netcompiler.targets.cuda.products import PRODUCTS
from netcompiler.targets.cuda.sweeps import SWEEPS
from netcompiler.targets.cuda.windows import WINDOWS
from netcompiler.targets.target import Offer, Target


def _joined(*families: Mapping[str, tuple[Offer, ...]]) -> dict[str, tuple[Offer, ...]]:
    """All offers for each op."""
    ops = sorted({op for family in families for op in family})
    return {op: tuple(offer for family in families for offer in family.get(op, ())) for op in ops}


CUDA = Target(
    name="cuda",
    offers=_joined(CONVOLUTIONS, MATMUL, PRODUCTS, FORMS, SWEEPS, WINDOWS),
    flops=60e12,
    bytes=3e12,
    math="tf32",
    channels=8,
    depth=64,
)
"""The speed is that of an H100 in f32. Tensor cores read eight channels at a time."""

"""GPUs by NVIDIA: cuDNN and cuBLASLt for products, kernels of our own for everything else."""

from __future__ import annotations

from netcompiler.targets.cuda.forms import FORMS
from netcompiler.targets.cuda.sweeps import SWEEPS
from netcompiler.targets.cuda.windows import WINDOWS
from netcompiler.targets.target import Target

CUDA = Target(name="cuda", offers={**FORMS, **SWEEPS, **WINDOWS}, flops=60e12, bytes=3e12)
"""The speed is that of an H100 in f32."""

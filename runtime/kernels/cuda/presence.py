"""What a machine has for this target: driver, GPUs, packages; and what to do where something is missing. CUDA itself is not loaded."""

from __future__ import annotations

from collections.abc import Iterator
from ctypes.util import find_library
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from runtime.kernels import kept
from runtime.kernels.cuda import library
from runtime.kernels.cuda.machine import NEWEST, OLDEST, Seen, seen

PACKAGES = {
    "CuPy": ("cupy-cuda{}x",),
    "NVRTC": ("nvidia-cuda-nvrtc", "nvidia-cuda-nvrtc-cu{}"),
    "cuBLAS": ("nvidia-cublas", "nvidia-cublas-cu{}"),
    "cuDNN": ("nvidia-cudnn-cu{}",),
    "cuDNN front end": ("nvidia-cudnn-frontend",),
    "NCCL": ("nvidia-nccl-cu{}",),
}
"""What the extras bring, by the name of its package for a CUDA."""

__all__ = ["MODULES", "PACKAGES", "NoGpu", "Seen", "about", "check", "fault", "installed", "seen"]

MODULES = {"cupy": "CuPy", "cudnn": "cuDNN's front end"}
"""Those that are imported."""


class NoGpu(Exception):
    """Plans of this target cannot be run here; what to do about it is part of the message."""


def fault() -> str:
    """Why plans of this target cannot be run, and what to do; nothing where they can."""
    return next(_faults(seen()), "")


def check() -> None:
    if why := fault():
        raise NoGpu(why)


def installed(package: str) -> str:
    """The version of a package of the extras, whichever CUDA it is for."""
    for name in PACKAGES[package]:
        for cuda in range(NEWEST, OLDEST - 1, -1):
            try:
                return version(name.format(cuda))
            except PackageNotFoundError:
                continue
    return ""


def about() -> dict[str, Any]:
    """What measured seconds hold for."""
    found = seen()
    gpu = found.gpus[0][0] if found and found.gpus else None
    versions = {package: installed(package) for package in PACKAGES}
    return {"gpu": gpu, "driver": found and found.cuda, "packages": versions, "kernels": kept.sources(Path(__file__).parent)}


def _faults(found: Seen | None) -> Iterator[str]:
    if found is None:
        yield "there is no NVIDIA GPU with a driver"
        return
    if not found.gpus:
        yield "the driver shows no GPU: look at CUDA_VISIBLE_DEVICES and --device"
    if found.cuda[0] < OLDEST:
        yield f"the driver knows CUDA {found.cuda[0]}.{found.cuda[1]}, and {OLDEST}.0 is needed: install a newer driver"
    for module, package in MODULES.items():
        if not find_spec(module):
            yield f"{package} is not installed: pip install 'netc[{found.extra}]'"
    for package, name in (("cuDNN", "cudnn"), ("cuBLAS", "cublasLt")):
        if not (installed(package) or find_library(name)):
            yield f"{package} is not installed: pip install 'netc[{found.extra}]'"
    try:
        major, minor = library.version()
    except library.NoCompiler:
        yield f"NVRTC is not installed: pip install 'netc[{found.extra}]'"
        return
    if major > found.cuda[0]:
        yield f"NVRTC is of CUDA {major}.{minor}, and the driver knows {found.cuda[0]}.{found.cuda[1]}: pip install 'netc[{found.extra}]'"

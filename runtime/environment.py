"""What a run runs on: versions, the machine, the threads."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path
from typing import Any

import numpy as np

DECIDING = ("netc", "numpy", "blas", "processor", "target", "gpu")
"""What numbers may depend on to their last bit."""


def environment(version: str, target: str) -> dict[str, Any]:
    return {
        "netc": version,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "blas": _blas(),
        "system": platform.platform(),
        "processor": processor(),
        "cores": os.cpu_count(),
        "memory": memory(),
        "target": target,
        **({"gpu": _gpu()} if target == "cuda" else {}),
        "command": ["netc", *sys.argv[1:]],
    }


def _gpu() -> str:
    """Its name, and the libraries that compute on it."""
    from runtime.kernels.cuda import presence

    found = presence.seen()
    names = [name for name, _ in found.gpus[:1]] if found else []
    return " ".join([*names, *(f"{package} {presence.installed(package)}" for package in ("cuDNN", "cuBLAS"))])


def changed(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """What differs of that which decides on numbers: `numpy 2.1 then, 2.4 now`."""
    return [f"{name} {before[name]} then, {now[name]} now" for name in DECIDING if name in before and before[name] != now.get(name)]


def processor() -> str:
    """Its name, where the system tells it."""
    return _field(Path("/proc/cpuinfo"), "model name") or platform.processor() or platform.machine()


def memory() -> int:
    """Bytes in all."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def available() -> int:
    """Bytes that a new process can have."""
    kilobytes = _field(Path("/proc/meminfo"), "MemAvailable").partition(" ")[0]
    return int(kilobytes) * 1024 if kilobytes else memory()


def resident() -> int:
    """Bytes that this process has in memory."""
    found = Path("/proc/self/statm")
    return int(found.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE") if found.exists() else 0


def _field(path: Path, name: str) -> str:
    """A field of a file of `name : value` lines."""
    if not path.exists():
        return ""
    lines = (line.partition(":") for line in path.read_text(encoding="utf-8", errors="replace").splitlines())
    return next((value.strip() for key, _, value in lines if key.strip() == name), "")


def _blas() -> str:
    config: dict[str, Any] = np.show_config(mode="dicts")  # type: ignore[assignment]
    found = config.get("Build Dependencies", {}).get("blas", {})
    return f"{found.get('name', 'unknown')} {found.get('version', '')}".strip()

"""What is said where plans of target cuda cannot be run: what is missing, and the command that brings it."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from runtime.kernels.cuda import library, presence
from runtime.kernels.cuda.presence import Seen

ALL = "cupy cudnn libcudnn libcublasLt"
HERE = (("NVIDIA H100", 80 * 2**30),)


def there(monkeypatch: pytest.MonkeyPatch, seen: Seen | None, modules: str = ALL, nvrtc: tuple[int, int] = (12, 9)) -> None:
    monkeypatch.setattr(presence, "seen", lambda: seen)
    monkeypatch.setattr(presence, "find_spec", lambda name: ModuleSpec(name, None) if name in modules.split() else None)
    monkeypatch.setattr(presence, "find_library", lambda name: f"lib{name}.so" if f"lib{name}" in modules.split() else None)
    monkeypatch.setattr(presence, "installed", lambda package: "")
    monkeypatch.setattr(library, "version", lambda: nvrtc)


FAULTS: list[tuple[Seen | None, str, tuple[int, int], str]] = [
    (None, ALL, (12, 9), "there is no NVIDIA GPU with a driver"),
    (Seen((13, 0), ()), ALL, (12, 9), "the driver shows no GPU: look at CUDA_VISIBLE_DEVICES and --device"),
    (Seen((11, 8), HERE), ALL, (12, 9), "the driver knows CUDA 11.8, and 12.0 is needed: install a newer driver"),
    (Seen((12, 4), HERE), "", (12, 9), "CuPy is not installed: pip install 'netc[cuda12]'"),
    (Seen((14, 1), HERE), "", (12, 9), "CuPy is not installed: pip install 'netc[cuda13]'"),
    (Seen((12, 4), HERE), "cupy", (12, 9), "cuDNN's front end is not installed: pip install 'netc[cuda12]'"),
    (Seen((12, 4), HERE), "cupy cudnn", (12, 9), "cuDNN is not installed: pip install 'netc[cuda12]'"),
    (Seen((12, 4), HERE), "cupy cudnn libcudnn", (12, 9), "cuBLAS is not installed: pip install 'netc[cuda12]'"),
    (Seen((12, 4), HERE), ALL, (13, 5), "NVRTC is of CUDA 13.5, and the driver knows 12.4: pip install 'netc[cuda12]'"),
    (Seen((13, 0), HERE), ALL, (13, 5), ""),
]


@pytest.mark.parametrize(("seen", "modules", "nvrtc", "fault"), FAULTS)
def test_the_first_thing_that_is_missing(
    seen: Seen | None, modules: str, nvrtc: tuple[int, int], fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    there(monkeypatch, seen, modules, nvrtc)
    assert presence.fault() == fault
    if fault:
        with pytest.raises(presence.NoGpu, match="^" + fault[:20]):
            presence.check()


def test_without_nvrtc(monkeypatch: pytest.MonkeyPatch) -> None:
    def version() -> tuple[int, int]:
        raise library.NoCompiler

    there(monkeypatch, Seen((12, 2), HERE))
    monkeypatch.setattr(library, "version", version)
    assert presence.fault() == "NVRTC is not installed: pip install 'netc[cuda12]'"


@pytest.mark.parametrize(("capability", "code"), [("80", "sm_80"), ("89", "sm_89"), ("90", "sm_90a"), ("120", "sm_120a")])
def test_the_code_of_an_architecture(capability: str, code: str) -> None:
    assert library.architecture(capability) == code
    assert library.compiled('extern "C" __global__ void kernel() {}', code)[0]


def test_a_compiler_that_the_driver_understands_is_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("cu13/lib/libnvrtc.so.13", "cuda_nvrtc/lib/libnvrtc.so.12", "cuda_nvrtc/lib/libnvrtc.alt.so.12"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    spec = ModuleSpec("nvidia", None, is_package=True)
    spec.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setattr(library, "find_spec", lambda name: spec)
    for cuda, first in (((12, 4), "libnvrtc.so.12"), ((13, 1), "libnvrtc.so.13")):
        monkeypatch.setattr(library, "seen", lambda cuda=cuda: Seen(cuda, HERE))
        assert next(path.name for path in library._installed("nvrtc")) == first
    monkeypatch.setattr(library, "seen", lambda: None)
    assert [path.name for path in library._installed("nvrtc")] == ["libnvrtc.so.13", "libnvrtc.so.12"]


def test_without_a_gpu_there_is_nothing_to_measure() -> None:
    """CUDA shows none, wherever this runs."""
    script = Path(__file__).parent / "benchmarks" / "gpu.py"
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": str(Path(__file__).parent.parent)}
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 1
    assert done.stdout.startswith("nothing can be measured here: ")

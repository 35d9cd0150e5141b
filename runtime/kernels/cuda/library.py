"""Texts compiled by NVRTC to code for one architecture, kept in a private folder where the next process finds it."""

from __future__ import annotations

import ctypes
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn

from runtime.kernels import kept
from runtime.kernels.cuda.machine import NEWEST, seen

CUBINS = "cubins"
OPTIONS = ("--std=c++17",)
HOPPER = 90

Progress = Callable[[int, int], None]
_hears: list[Progress] = []


class CompileError(Exception):
    """NVRTC does not take a text: a fault of ours, never of a spec."""


class Missing(Exception):
    """A library is not installed."""


class NoCompiler(Missing):
    """NVRTC is not."""


def cubin(source: str, architecture: str) -> bytes:
    """The code of a text for an architecture, such as sm_90a."""
    name = kept.digest(architecture, *OPTIONS, str(version()), source)
    code = kept.stored(CUBINS, name)
    if not code:
        code, _ = compiled(source, architecture)
        kept.keep(CUBINS, name, code)
    return code


def cubins(sources: Sequence[str], architecture: str) -> Iterator[tuple[str, bytes]]:
    """The code of each text; several are compiled at a time, with progress for who wants to hear it."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for done, source, code in zip(
            range(len(sources)), sources, pool.map(partial(cubin, architecture=architecture), sources), strict=True
        ):
            for hears in _hears:
                hears(done, len(sources))
            yield source, code


@contextmanager
def heard(progress: Progress) -> Iterator[None]:
    """Tells how many of how many kernels are there while they are made."""
    _hears.append(progress)
    try:
        yield
    finally:
        _hears.remove(progress)


def architecture(capability: str) -> str:
    """The code that a GPU runs: sm_80, and from Hopper on the kind that knows all its instructions."""
    return f"sm_{capability}a" if int(capability) >= HOPPER else f"sm_{capability}"


def version() -> tuple[int, int]:
    major, minor = ctypes.c_int(), ctypes.c_int()
    _check(_nvrtc().nvrtcVersion(ctypes.byref(major), ctypes.byref(minor)))
    return major.value, minor.value


def compiled(source: str, architecture: str, *options: str) -> tuple[bytes, str]:
    """The code, and what the compiler says."""
    nvrtc, program = _nvrtc(), ctypes.c_void_p()
    _check(nvrtc.nvrtcCreateProgram(ctypes.byref(program), source.encode(), b"netc.cu", 0, None, None))
    try:
        words = [f"--gpu-architecture={architecture}".encode(), *(option.encode() for option in (*OPTIONS, *options))]
        failed = nvrtc.nvrtcCompileProgram(program, len(words), (ctypes.c_char_p * len(words))(*words))
        said = _bytes(program, "ProgramLog").rstrip(b"\0").decode()
        if failed:
            raise CompileError(f"{said}\n{source}")
        return _bytes(program, "CUBIN"), said
    finally:
        _check(nvrtc.nvrtcDestroyProgram(ctypes.byref(program)))


def _bytes(program: ctypes.c_void_p, what: str) -> bytes:
    size = ctypes.c_size_t()
    _check(getattr(_nvrtc(), f"nvrtcGet{what}Size")(program, ctypes.byref(size)))
    room = ctypes.create_string_buffer(size.value)
    _check(getattr(_nvrtc(), f"nvrtcGet{what}")(program, room))
    return room.raw


def _check(status: int) -> None:
    if status:
        _nvrtc().nvrtcGetErrorString.restype = ctypes.c_char_p
        raise CompileError(_nvrtc().nvrtcGetErrorString(status).decode())


@cache
def _nvrtc() -> Any:
    return opened("nvrtc") or _missing()


def _missing() -> NoReturn:
    raise NoCompiler("NVRTC is not installed: pip install 'netc[cuda13]', or 'netc[cuda12]' for an older driver")


def opened(name: str) -> Any:
    """One of CUDA's libraries: of the newest CUDA among the installed packages, else the system's; None if there is none."""
    for path in _installed(name):
        parts = sorted(path.parent.glob(f"lib{name}-builtins.so*"))
        *_, loaded = [ctypes.CDLL(str(library), mode=ctypes.RTLD_GLOBAL) for library in (*parts, path)]
        return loaded
    try:
        return ctypes.CDLL(f"lib{name}.so")
    except OSError:
        return None


def _installed(name: str) -> list[Path]:
    """The newest first; in front of all those of a CUDA that the driver knows, which does not load newer code."""
    spec, found = find_spec("nvidia"), seen()
    homes = [Path(place) for place in (spec.submodule_search_locations or ())] if spec else []
    pattern = f"*/bin/**/{name}64_*.dll" if sys.platform == "win32" else f"*/lib/lib{name}.so.*"
    paths = [path for home in homes for path in home.glob(pattern) if "alt" not in path.name]
    known = found.cuda[0] if found else NEWEST
    return sorted(paths, key=lambda path: (_major(path) <= known, _major(path), path), reverse=True)


def _major(path: Path) -> int:
    """Of libnvrtc.so.13 or nvrtc64_130_0.dll."""
    [number] = re.findall(r"(?:so\.|64_)(\d\d)", path.name)
    return int(number)

"""Compiled kernels on disk: found again, built again where they are damaged, and done without where there is no room."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from runtime import atomic
from runtime.cache import folder
from runtime.kernels.cpu import library
from runtime.kernels.cpu.code import Code
from runtime.kernels.cpu.driver import Step, Table


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("NETC_CACHE", str(tmp_path / "cache"))
    folder.cache_clear()
    yield tmp_path / "cache" / library.KERNELS
    folder.cache_clear()


def counting(code: Code, by: int) -> None:
    """x[i] = by * i"""
    with code.loop(code.lo, code.hi) as i:
        code.store(code.whole(code.mul(i, by)), code.at(code.arg(0), i, "i64"))


def multiples(by: int) -> list[int]:
    """As a new process would have them."""
    library._addresses.pop((counting, by), None)
    x = np.full(4, -1)
    Table([Step((counting, by), (x.ctypes.data,), 4)], 1)()
    return x.tolist()


def test_a_kernel_is_built_once(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert multiples(3) == [0, 3, 6, 9]
    [file] = home.iterdir()
    assert (home.stat().st_mode & 0o777) == 0o700
    monkeypatch.setattr(library, "assembled", lambda text: pytest.fail("it is there"))
    assert multiples(3) == [0, 3, 6, 9]
    assert list(home.iterdir()) == [file]


@pytest.mark.parametrize("content", [b"", b"x", lambda whole: whole[:-1], lambda whole: whole[:20] + b"?" + whole[21:]])
def test_a_damaged_kernel_is_built_again(home: Path, content: object) -> None:
    multiples(5)
    [file] = home.iterdir()
    whole = file.read_bytes()
    file.write_bytes(content(whole) if callable(content) else content)  # type: ignore[arg-type]
    assert multiples(5) == [0, 5, 10, 15]
    assert file.read_bytes() == whole


def test_what_cannot_be_kept_works_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("NETC_CACHE", str(tmp_path / "file"))
    folder.cache_clear()
    assert multiples(7) == [0, 7, 14, 21]


def test_a_full_disk_is_no_fault(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, content: bytes) -> None:
        raise atomic.Unwritten(path, OSError("no space left"))

    monkeypatch.setattr(atomic, "write", full)
    assert multiples(11) == [0, 11, 22, 33]
    assert not list(home.iterdir())

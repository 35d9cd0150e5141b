"""Runs tests with kernels for vectors of so many lanes: python tests/narrow.py LANES TESTS ..."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
NAME = "runtime.kernels.cpu.machine"


def narrowed(lanes: int) -> None:
    """Kernels are written for the machine that they find when they are imported."""
    found = importlib.util.spec_from_file_location(NAME, ROOT / Path(*NAME.split(".")).with_suffix(".py"))
    assert found
    assert found.loader
    sys.modules[NAME] = module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    other = module.Machine(f"{lanes} lanes of {module.machine().name}", 4 * lanes, 16, 6, 2)
    module.machine = lambda: other  # type: ignore[attr-defined]


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    narrowed(int(sys.argv[1]))
    sys.exit(pytest.main(["-n", "0", "-x", "-p", "no:cacheprovider", *sys.argv[2:]]))

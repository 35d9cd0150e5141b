"""What the front half costs, as whole processes: generous bounds on processor time, exact ones on memory and on what is imported.

`make bench` measures the time that a user waits.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from processes import netc


@pytest.mark.parametrize("spec", ["densenet:201", "resnet:152"])
def test_a_deep_net(spec: str) -> None:
    cost = netc("check", spec)
    assert cost.seconds < 0.9  # 0.27 on a quiet machine, budget 0.30
    assert cost.megabytes < 80


def test_help() -> None:
    cost = netc("--help")
    assert cost.seconds < 0.3  # 0.02 on a quiet machine, budget 0.15
    assert cost.megabytes < 30


def long_net(path: Path, layers: int) -> str:
    lines = (f"  - {{name: c{i}, conv: {{filters: 8, kernel: 3, padding: same}}}}\n  - relu\n" for i in range(layers // 2))
    path.write_text("netc: 1\nname: long\ninput: [8, 16, 16]\nlayers:\n" + "".join(lines), encoding="utf-8")
    return str(path)


def test_time_is_linear_in_layers(tmp_path: Path) -> None:
    path = tmp_path / "long.yaml"
    few, many = netc("check", long_net(path, 2_500)), netc("check", long_net(path, 10_000))
    assert many.seconds < 6  # 1.7 on a quiet machine, budget 3
    assert many.seconds < 8 * few.seconds
    assert many.megabytes < 200


def modules(words: Sequence[str]) -> set[str]:
    """The packages that netc imports for a command."""
    code = "import sys; from netcompiler.cli import main; main(sys.argv[1:]); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code, *words], check=True, capture_output=True, text=True)
    return {name.partition(".")[0] for name in done.stderr.splitlines()[-1].split()}


@pytest.mark.parametrize(
    "words", [["check", "resnet:50"], ["expand", "lenet"], ["diff", "vgg:A", "vgg:B"], ["zoo"], ["layers"], ["schema"]]
)
def test_reading_a_net_imports_no_arrays(words: list[str]) -> None:
    assert modules(words).isdisjoint({"numpy", "cupy", "numba", "jax", "torch", "rich", "runtime"})


def test_help_imports_no_parser() -> None:
    assert modules(["--help"]).isdisjoint({"pydantic", "yaml", "numpy"})

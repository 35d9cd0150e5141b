"""Whole nets on compiled kernels against the reference in float64: loss, every gradient, ten steps; and what holds for any net."""

from __future__ import annotations

import os
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small
from test_nets import NETS, Small, loaded, targets

import netcompiler
from netcompiler.compilation import Job, stages
from netcompiler.graph import Graph
from netcompiler.plan import Plan
from netcompiler.recipe import Recipe
from runtime.kernels.cpu import driver
from runtime.kernels.kept import DIGEST
from runtime.session import Session

ROOT = Path(__file__).parent.parent
WINOGRAD = 1e-3
"""The error of a gradient, as a share of its largest number, where convolutions may be Winograd's; without:"""
EXACT = 1e-5
LEAST = 0.01
"""Gradients are not measured by less: that of a bias in front of a norm is 0, and its sums in float32 are not."""
SLACK = 10
"""So many times the error that the reference itself makes in float32: some gradients are sums of numbers that nearly cancel."""


def planned(graph: Graph, recipe: Recipe, rows: int, target: str, exact: bool = False, dtype: str = "f32") -> Plan:
    recipe = recipe.model_copy(update={"precision": "exact"}) if exact else recipe
    job = Job(graph, recipe, "train", rows, target, dtype)
    *_, (_, plan) = stages(job, checked=True)
    return plan


def off(found: Any, wanted: Any) -> float:
    largest = float(np.max(np.abs(wanted), initial=0.0))
    return float(np.max(np.abs(found - wanted), initial=0.0)) / max(largest, LEAST)


@pytest.mark.parametrize("exact", [False, True], ids=["fast", "exact"])
@pytest.mark.parametrize("net", NETS, ids=lambda net: net.spec)
def test_gradients(net: Small, exact: bool) -> None:
    graph, recipe = loaded(net.text())
    rng = np.random.default_rng(zlib.crc32(net.spec.encode()))
    x = {node.name: rng.normal(size=(net.rows, *node.shape)).astype(np.float32) for node in graph.inputs}
    target = targets(graph, net.rows, rng)
    reference = Session(planned(graph, recipe, net.rows, "numpy", dtype="f64"))
    own = Session(planned(graph, recipe, net.rows, "cpu", exact))
    single = Session(planned(graph, recipe, net.rows, "numpy"))
    for session in (own, single):
        session.load(reference.parameters())
    loss, gradients = reference.gradients(x, target)
    found, mine = own.gradients(x, target)
    rounded = single.gradients(x, target)[1]
    assert found == pytest.approx(loss, rel=1e-4)
    allowed = EXACT if exact else WINOGRAD
    worst = max((off(mine[name], own) - SLACK * off(rounded[name], own), name) for name, own in gradients.items())
    assert worst[0] <= allowed, worst


@pytest.mark.parametrize(
    ("spec", "exact", "error"), [("lenet", False, 1e-4), ("resnet-cifar:20", True, 1e-4), ("resnet-cifar:20", False, 1e-4)]
)
def test_ten_steps(spec: str, exact: bool, error: float) -> None:
    graph, recipe = loaded(f"{{netc: 1, name: ten, extends: {spec}, train: {{augment: []}}}}")
    reference = Session(planned(graph, recipe, 8, "numpy", dtype="f64"))
    own = Session(planned(graph, recipe, 8, "cpu", exact))
    own.load(reference.parameters())
    rng = np.random.default_rng(0)
    for _ in range(10):
        x = {node.name: rng.normal(size=(8, *node.shape)).astype(np.float32) for node in graph.inputs}
        target = targets(graph, 8, rng)
        for session in (reference, own):
            session.arrays["rate"][...] = 0.001
        assert own.step(x, target)["loss"] == pytest.approx(reference.step(x, target)["loss"], rel=error)


def test_dropout_drops_the_same() -> None:
    spec = small.text("\n  - {name: drop, dropout: 0.5}\n  - flatten\n  - {name: fc, linear: 5}\n")
    single = {target: Session(small.planned(spec, dtype="f32", target=target), seed=3) for target in ("numpy", "cpu")}
    x, y = np.ones((4, 2, 6, 6), np.float32), small.labels(4)
    masks = {target: session.gradients(x, y)[1]["fc.weight"] == 0 for target, session in single.items()}
    np.testing.assert_array_equal(masks["cpu"], masks["numpy"])
    assert 0.2 < masks["cpu"].mean() < 0.8 or masks["cpu"].any()


def steps(threads: int, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setattr(driver, "available", lambda: threads)
    monkeypatch.setattr("runtime.kernels.cpu.available", lambda: threads)
    session = Session(small.planned(small.text(small.MIXED), dtype="f32", target="cpu"))
    for seed in range(3):
        session.step(small.pictures(4, seed=seed).astype(np.float32), small.labels(4))
    return session.parameters()


def test_results_do_not_depend_on_the_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    one, *others = (steps(threads, monkeypatch) for threads in (1, 2, 3))
    for other in others:
        for name, value in one.items():
            np.testing.assert_array_equal(value, other[name], err_msg=name)


def test_memory_that_holds_nothing_is_never_read() -> None:
    plan = small.planned(small.text(small.MIXED), dtype="f32", target="cpu")
    plain, poisoned = Session(plan), Session(plan, poison=True)
    x, y = small.pictures(4).astype(np.float32), small.labels(4)
    for _ in range(2):
        assert plain.step(x, y) == poisoned.step(x, y)
    small.same(plain.parameters(), poisoned.parameters(), 0.0)


def test_what_is_not_a_number_changes_nothing_and_is_seen() -> None:
    session = Session(small.planned(small.text(small.NORMED), dtype="f32", target="cpu"))
    x, y = small.pictures(4).astype(np.float32), small.labels(4)
    session.step(x, y)
    before = session.parameters()
    session.arrays["in.input"][...] = np.nan
    figures = session._figures("step", 4)()
    assert np.isnan(figures["loss"])
    small.same(session.parameters(), before, 0.0)


def test_a_plan_says_what_it_is_for() -> None:
    assert netcompiler.compile("lenet", batch=1).target == "cpu"
    assert netcompiler.compile("lenet", batch=1, dtype="float64").target == "numpy"


# kernels on disk


RUN = """
import netcompiler, runtime, numpy as np
s = runtime.open(netcompiler.compile("mlp", mode="infer", batch=1))
x = np.ones((1, 1, 28, 28), "f4")
print(s.run(x).sum())
"""


def run(cache: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    variables = {**os.environ, "NETC_CACHE": str(cache), "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run([sys.executable, "-c", RUN], env=variables, capture_output=True, text=True, timeout=300, check=True)


def test_kernels_are_kept_and_damaged_ones_are_built_again(tmp_path: Path) -> None:
    first = run(tmp_path).stdout
    kept = sorted((tmp_path / "kernels").iterdir())
    assert kept
    assert (tmp_path / "kernels").stat().st_mode & 0o777 == 0o700
    whole = kept[0].read_bytes()
    kept[0].write_bytes(whole[: len(whole) // 2])
    kept[-1].write_bytes(b"")
    assert run(tmp_path).stdout == first
    assert kept[0].read_bytes()[DIGEST:] == whole[DIGEST:]


def test_a_home_that_cannot_be_written_is_no_hindrance(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    assert run(blocked).stdout == run(tmp_path / "other").stdout


def test_without_llvm_the_reference_runs_and_says_why(tmp_path: Path) -> None:
    (tmp_path / "llvmlite.py").write_text("raise ImportError('no LLVM here')\n", encoding="utf-8")
    command = [sys.executable, "-c", "import sys; from netcompiler.cli import main; sys.exit(main(sys.argv[1:]))"]
    words = ["train", "mlp", "--data", "digits", "--epochs", "1", "--run-dir", str(tmp_path / "run"), "--set", "train.augment=[]"]
    variables = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    done = subprocess.run([*command, *words], env=variables, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert "no LLVM here" in done.stderr
    assert "the slow reference runs instead" in done.stderr


def test_two_processes_do_not_stall_each_other(tmp_path: Path) -> None:
    """Each has threads for all cores: together they take no more than twice as long, and some for starting."""
    timed = f"{RUN}import time\nb = time.perf_counter()\nfor _ in range(300): s.run(x)\nprint(time.perf_counter() - b)\n"
    variables = {**os.environ, "NETC_CACHE": str(tmp_path), "PYTHONPATH": str(ROOT), "NETC_THREADS": "2"}
    run(tmp_path, NETC_THREADS="2")

    def seconds(processes: int) -> float:
        started = [
            subprocess.Popen([sys.executable, "-c", timed], env=variables, stdout=subprocess.PIPE, text=True) for _ in range(processes)
        ]
        return max(float(process.communicate(timeout=300)[0].split()[-1]) for process in started)

    alone = min(seconds(1) for _ in range(2))
    assert min(seconds(2) for _ in range(3)) < 8 * alone

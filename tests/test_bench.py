"""netc bench: its figures, the alternation of its sides, and what it says where there is no peer."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from netcompiler import load
from netcompiler.cli import main
from netcompiler.report.peer import net_data
from runtime.bench.contest import alternate, apart

TINY = """netc: 1
name: tiny
input: [1, 8, 8]
layers:
  - {name: conv, conv: {filters: 4, kernel: 3}}
  - relu
  - flatten
  - {name: fc, linear: 10}
"""
LOSS = "loss: cross_entropy\n"
EVEN = f"{TINY}  - map: 0 * x\n{LOSS}"
"""Whatever the weights are, all ten classes are equally likely."""

SIDE = """
import json, sys

TIMES = {"eager": [3.0, 2.0, 4.0], "channels_last": [5.0, 5.0, 5.0], "compile": None}
times = TIMES[json.loads(sys.stdin.readline())["variant"]]
if times is None:
    print(json.dumps({"unable": "no compiler is here"}))
    raise SystemExit
print(json.dumps({"name": "Fake 1.0", "first": [LOSS, LOSS], "seconds": 1.0}), flush=True)
for turn, line in enumerate(sys.stdin):
    print(json.dumps({"seconds": times[turn % 3], "peak_rss": 3 * 2**20}), flush=True)
"""
"""A peer that only says how long it took."""

Ask = Callable[..., tuple[int, str, str]]


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Ask:
    """Runs netc in a folder with three specs: tiny.yaml, silent.yaml, which has no loss, and even.yaml, whose loss is known."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent.parent))
    monkeypatch.chdir(tmp_path)
    Path("tiny.yaml").write_text(TINY + LOSS, encoding="utf-8")
    Path("silent.yaml").write_text(TINY, encoding="utf-8")
    Path("even.yaml").write_text(EVEN, encoding="utf-8")

    def ask(*words: str) -> tuple[int, str, str]:
        try:
            status = main(words)
        except SystemExit as leave:
            status = int(leave.code or 0)
        return status, *capsys.readouterr()

    return ask


def interpreter(script: str, folder: Path) -> str:
    """Something that is started like an interpreter, and does something else."""
    path = folder / "python"
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return str(path)


def fake(folder: Path, loss: float) -> str:
    (folder / "side.py").write_text(SIDE.replace("LOSS", str(loss)), encoding="utf-8")
    return interpreter(f'exec "{sys.executable}" "{folder}/side.py"', folder)


FIGURES = {"ms_min", "ms_median", "images_per_s", "peak_rss_mb"}


@pytest.mark.parametrize("mode", ["train", "infer"])
def test_figures_of_netc_alone(ask: Ask, mode: str) -> None:
    status, out, _ = ask("bench", "tiny.yaml", "--batch", "4", "--mode", mode, "--rounds", "2", "--threads", "1", "--json")
    found = json.loads(out)
    assert status == 0
    assert list(found) == ["spec", "batch", "target", "mode", "netc", "peer", "ratio"]
    assert (found["spec"], found["batch"], found["target"], found["mode"]) == ("tiny.yaml", 4, "cpu", mode)
    assert (found["peer"], found["ratio"]) == (None, None)
    ours = found["netc"]
    assert set(ours) == FIGURES
    assert 0 < ours["ms_min"] <= ours["ms_median"]
    assert ours["images_per_s"] == pytest.approx(4e3 / ours["ms_min"])
    assert 10 < ours["peak_rss_mb"] < 500


def test_the_fastest_variant_counts(ask: Ask, tmp_path: Path) -> None:
    python = fake(tmp_path, math.log(10))
    status, out, _ = ask("bench", "even.yaml", "--peer", "torch", "--peer-python", python, "--rounds", "3", "--threads", "1", "--json")
    found = json.loads(out)
    assert status == 0
    assert found["peer"] == {
        "name": "Fake 1.0",
        "variant": "eager",
        "ms_min": 2000,
        "ms_median": 3000,
        "images_per_s": 8,
        "peak_rss_mb": 3,
    }
    assert found["ratio"]["best"] == pytest.approx(2000 / found["netc"]["ms_min"])
    assert found["ratio"]["median"] == pytest.approx(3000 / found["netc"]["ms_median"])


def test_unequal_work_is_no_comparison(ask: Ask, tmp_path: Path) -> None:
    python = fake(tmp_path, 1.001 * math.log(10))
    status, out, err = ask("bench", "even.yaml", "--peer", "torch", "--peer-python", python, "--rounds", "1", "--threads", "1")
    assert (status, out) == (1, "")
    assert "do not compute the same" in err
    assert "the loss is apart by 1.0e-03, more than 0.0001" in err


def test_a_peer_without_pytorch(ask: Ask, tmp_path: Path) -> None:
    python = interpreter(f'exec "{sys.executable}" -S "$@"', tmp_path)
    status, out, err = ask("bench", "tiny.yaml", "--peer", "torch", "--peer-python", python, "--threads", "1")
    assert (status, out) == (1, "")
    assert "has no PyTorch: " in err
    assert "-m pip install torch" in err


def test_a_side_that_breaks_down(ask: Ask, tmp_path: Path) -> None:
    python = interpreter("echo out of memory >&2; exit 7", tmp_path)
    status, _, err = ask("bench", "tiny.yaml", "--peer", "torch", "--peer-python", python, "--threads", "1")
    assert (status, err) == (1, "netc: a side broke down with status 7: out of memory\n")


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["silent.yaml", "--mode", "train"], 1, "there is nothing to train: no output has a loss"),
        (["tiny.yaml", "--peer", "torch", "--peer-python", "no/such/python"], 2, "no/such/python is no interpreter"),
        (["no-such-net"], 2, "there is no net called `no-such-net`"),
        (["tiny.yaml", "--set", "train.precision=exactly"], 1, "exactly"),
        (["tiny.yaml", "--set", "train.memory=1kB", "--batch", "64"], 1, "take a smaller batch"),
    ],
)
def test_what_cannot_be_measured(ask: Ask, words: list[str], status: int, message: str) -> None:
    found, out, err = ask("bench", *words, "--rounds", "1")
    assert (found, out) == (status, "")
    assert message in err


# sides and numbers


class Counted:
    """A side that writes down its turns."""

    def __init__(self, name: str, log: list[str]) -> None:
        self.name, self.log, self.rounds = name, log, [9.0]

    def round(self) -> None:
        self.log.append(self.name)
        self.rounds.append(float(len(self.log)))


def test_rounds_alternate_and_older_ones_are_forgotten() -> None:
    log: list[str] = []
    ours, peer = Counted("ours", log), Counted("peer", log)
    alternate([ours, peer], 3)  # type: ignore[list-item]
    assert log == ["ours", "peer"] * 3
    assert (ours.rounds, peer.rounds) == ([1, 3, 5], [2, 4, 6])


@pytest.mark.parametrize(
    ("mine", "other", "error"),
    [(2.0, 2.0, 0), (2.0, 1.0, 0.5), (0.0, 0.5, 0.5), ([1.0, -4.0], [1.0, -3.0], 0.25), ([0.0, 0.0], [0.0, 0.0], 0)],
)
def test_differences_are_relative_to_the_largest_number(mine: Any, other: Any, error: float) -> None:
    assert apart(mine, other) == error


@pytest.mark.parametrize(("mine", "other"), [(1.0, float("nan")), ([1.0, 2.0], [float("nan"), 2.0]), ([float("nan"), 1.0], [1.0, 1.0])])
def test_nan_is_never_near(mine: Any, other: Any) -> None:
    assert not apart(mine, other) <= 1


# the description of a net


def data(layers: str, mode: str = "train", more: str = LOSS) -> dict[str, Any]:
    graph = load("-", stdin_text=f"netc: 1\nname: small\ninput: [2, 7, 6]\nlayers:\n{layers}{more}").graph
    assert graph
    return net_data(graph, mode)


def test_windows_are_worked_out() -> None:
    [conv, pool] = data("  - conv: {filters: 3, kernel: [3, 2], padding: same}\n  - max_pool: {kernel: 2, rounding: ceil}\n")["layers"]
    assert conv["windows"] == [[3, 1, 1, 1, 1, 7, 7], [2, 1, 0, 1, 1, 6, 6]]
    assert pool["windows"] == [[2, 2, 0, 0, 1, 7, 4], [2, 2, 0, 0, 1, 6, 3]]
    assert conv["parameters"] == {"weight": [3, 2, 3, 2], "bias": [3]}


@pytest.mark.parametrize(
    ("layers", "written_over"),
    [
        ("  - conv: {filters: 3, kernel: 3}\n  - relu\n", [False, True]),
        ("  - tanh\n  - relu\n", [False, False]),  # the derivative of tanh reads what it gave
        ("  - relu\n", [False]),  # the input is the user's
        ("  - {name: a, conv: {filters: 3, kernel: 3}}\n  - relu\n  - add: [above, a]\n", [False, False, False]),
    ],
)
def test_activations_are_written_over_what_nothing_else_reads(layers: str, written_over: list[bool]) -> None:
    assert [layer["in_place"] for layer in data(layers)["layers"]] == written_over


def test_what_only_training_needs_is_left_out_of_inference() -> None:
    more = "outputs:\n  main: {loss: cross_entropy}\n  aux: {conv: {filters: 2, kernel: 1}, from: a, loss: l2, only: train}\n"
    layers = "  - {name: a, conv: {filters: 3, kernel: 3}}\n  - relu\n"
    assert [layer["name"] for layer in data(layers, "train", more)["layers"]] == ["a", "1", "aux"]
    assert [output["from"] for output in data(layers, "train", more)["outputs"]] == [2, 3]
    assert [layer["name"] for layer in data(layers, "infer", more)["layers"]] == ["a", "1"]


def test_a_formula_is_a_tree() -> None:
    [layer] = data("  - map: x * tanh(0.5) if x > 0 else -x\n")["layers"]
    assert layer["formula"] == ["if", [">", "x", 0.0], ["*", "x", ["tanh", 0.5]], ["negate", "x"]]

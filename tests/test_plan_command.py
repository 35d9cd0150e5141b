"""netc plan, and netc check --plan."""

from __future__ import annotations

import json
import re
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import runtime
from netcompiler import compile, load
from netcompiler.cli import main
from netcompiler.cli.plan import NAMES
from netcompiler.cli.target import fault
from netcompiler.compilation import Job, stages
from runtime.arrays import Array
from runtime.comparison import compare
from runtime.kernels import numpy
from runtime.kernels.cuda import presence

ROOT = Path(__file__).parent.parent
RESIDUAL = str(ROOT / "tests/plans/residual.yaml")
BROKEN = "netc: 1\nname: broken\ninput: [1, 8, 8]\nlayers: [convv: 3]\n"
AIMLESS = "netc: 1\nname: aimless\ninput: [1, 8, 8]\nlayers: [relu]\n"


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Runs netc in an empty folder: its status, and what it prints."""
    monkeypatch.chdir(tmp_path)
    Path("broken.yaml").write_text(BROKEN, encoding="utf-8")
    Path("aimless.yaml").write_text(AIMLESS, encoding="utf-8")

    def ask(*words: str) -> tuple[int, str, str]:
        try:
            status = main(words)
        except SystemExit as leave:
            status = int(leave.code or 0)
        return status, *capsys.readouterr()

    return ask


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["lenet"], 0),
        (["lenet:caffe", "--set", "classes=3", "--batch", "2"], 0),
        (["aimless.yaml"], 0),
        (["lenet", "--check"], 0),
        (["broken.yaml"], 1),
        (["aimless.yaml", "--mode", "train"], 1),
        (["lenet", "--set", "train.memory=1MB"], 1),
        (["nobody"], 2),
        (["lenet", "--stage", "lowest"], 2),
        (["lenet", "--program", "stop"], 2),
        (["lenet", "--memory", "--stage", "fuse"], 2),
        (["lenet", "--batch", "0"], 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_exit_status(ask, words: list[str], status: int) -> None:
    answer, out, err = ask("plan", *words)
    assert answer == status, err
    assert bool(out) == (status == 0)
    assert bool(err) == (status != 0)
    assert "Traceback" not in err


@pytest.mark.parametrize("stage", NAMES)
def test_every_stage_prints_every_instruction_with_its_line(ask, stage: str) -> None:
    status, out, _ = ask("plan", RESIDUAL, "--stage", stage, "--program", "infer")
    assert status == 0
    lines = [line for line in out.splitlines() if re.match(r"  %\d+.* = ", line)]
    assert lines
    assert all(re.search(r"   ; .*residual\.yaml:\d+ \w+$", line) for line in lines)


def test_one_program_alone(ask) -> None:
    _, out, _ = ask("plan", "lenet", "--program", "step")
    assert out.startswith("program step\n")
    assert out.count("program ") == 1
    assert "  ; backward\n" in out


def test_why(ask) -> None:
    """The gradient of the first relu would have to hold both of its parts instead of their sum."""
    _, out, _ = ask("plan", RESIDUAL, "--why", "--program", "step")
    assert re.search(
        r"step: %\d+ is not computed in each of its 2 readers: [\d,]+ bytes more would live until %\d+   ; .*residual.yaml:7 2", out
    )
    assert re.search(r"step: %\d+ is kept: ", out)
    assert "infer: " not in out


def test_what_stops_a_norm_from_being_part_of_the_weights(ask) -> None:
    front = "netc: 1\nname: two\ninput: [1, 8, 8]\nlayers:\n  - {name: a, conv: {filters: 2, kernel: 1, bias: false}}\n"
    spec = front + "  - batch_norm\n  - add: [above, a]\n"
    Path("two.yaml").write_text(spec, encoding="utf-8")
    _, out, _ = ask("plan", "two.yaml", "--why")
    assert re.search(r"is not part of the weights: 2 read the product %\d+   ; two.yaml:6 1", out)


def test_the_memory_map(ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    _, out, _ = ask("plan", RESIDUAL, "--memory", "--program", "step", "--batch", "16")
    assert all(len(line) <= 80 for line in out.splitlines())
    assert "what lives at once at the fullest moment" in " ".join(out.split())
    assert re.search(r"[░▒▓] %\d+ conv1 [░▒▓]", out)
    assert "┬ backward ─" in out


def test_the_check_finds_what_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    """An instruction that does not give what its body means is told by name, and no other."""
    *_, (_, plan) = stages(job(RESIDUAL))
    assert max(difference.error for difference in compare(plan)) < 1e-4
    meant = numpy.KERNELS["conv"]

    def more(y: Array, *read: Array, **how: Any) -> None:
        meant(y, *read, **how)
        y *= 1.01

    monkeypatch.setitem(numpy.KERNELS, "conv", more)
    wrong = [difference for difference in compare(plan) if difference.error > 1e-3]
    assert {difference.instruction.core.op for difference in wrong} == {"conv"}
    assert {difference.program for difference in wrong} >= {"step", "evaluate", "infer"}


def test_what_numbers_cannot_hold_is_no_difference_and_no_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    *_, (_, plan) = stages(job(RESIDUAL))
    meant = numpy.KERNELS["conv"]

    def beyond(y: Array, *read: Array, **how: Any) -> None:
        meant(y, *read, **how)
        y[0] = np.inf

    monkeypatch.setitem(numpy.KERNELS, "conv", beyond)
    first = next(difference for difference in compare(plan) if not difference.finite)
    assert (first.error, first.instruction.core.op) == (inf, "conv")


def job(spec: str) -> Job:
    loaded = load(spec)
    assert loaded.graph
    return Job(loaded.graph, loaded.recipe, "train", 2, "cpu", "f32")


def test_check_tells_exactly_what_a_session_takes(ask) -> None:
    _, out, _ = ask("check", RESIDUAL, "--plan", "--batch", "4", "--format", "json")
    told = json.loads(out)["totals"]["memory"]["plan"]
    for key, mode in (("inference", "infer"), ("training", "train")):
        plan = compile(RESIDUAL, mode, batch=4, target="numpy")
        held = sum(array.nbytes for array in runtime.open(plan).binding.memory.values())
        assert sum(told[key].values()) == held == sum(plan.segments.values())


@pytest.mark.parametrize("format", ["text", "markdown"])
def test_check_shows_what_plans_take_in_place_of_an_estimate(ask, format: str) -> None:
    status, out, _ = ask("check", "lenet", "--batch", "8", "--format", format)
    assert status == 0
    assert re.search(r"(?m)^(\| )?training +(\| )?242 KiB +(\| )?242 KiB +(\| )?242 KiB", out)
    assert "to the byte: " in out
    assert "An estimate" not in out


@pytest.mark.parametrize(
    ("words", "compiled"),
    [
        (["resnet:18"], True),
        (["resnet:50"], False),
        (["resnet:50", "--plan"], True),
        (["lenet", "--scan", "40x36"], False),
        (["lenet", "--set", "train.precision=bf16"], True),
    ],
)
def test_small_nets_are_compiled_for_their_memory(ask, words: list[str], compiled: bool) -> None:
    _, out, _ = ask("check", *words, "--batch", "2", "--depth", "1")
    assert ("to the byte: " in out) == compiled
    assert ("An estimate" in out) != compiled
    assert ("bf16, weights in float32" in out) == ("bf16" in words[-1])


def test_the_budget_is_held_against_the_plan(ask) -> None:
    _, out, _ = ask("check", "lenet", "--plan", "--batch", "8", "--format", "json")
    exact = sum(json.loads(out)["totals"]["memory"]["plan"]["training"].values())
    assert ask("check", "lenet", "--plan", "--batch", "8", "--max-memory", str(exact))[0] == 0
    assert ask("check", "lenet", "--plan", "--batch", "8", "--max-memory", str(exact - 1))[0] == 1


def test_a_net_that_cannot_fit_is_a_diagnostic(ask) -> None:
    status, _, err = ask("check", "lenet", "--plan", "--set", "train.memory=1MB")
    assert status == 1
    assert "error[memory]" in err


def test_kernels_of_a_plan_for_gpus(ask) -> None:
    status, out, _ = ask("plan", RESIDUAL, "--target", "cuda", "--stage", "kernels", "--program", "infer", "--emit", "cuda")
    assert status == 0
    launched, texts = set(re.findall(r"//     kernel (\d+), \d+ blocks of \d+ threads", out)), re.findall(r"^// kernel (\d+)$", out, re.M)
    assert launched == set(texts)
    assert len(texts) == out.count('extern "C" __global__')
    assert out.count("struct bf16") == 1, "what all of them begin with is said once"


WITHOUT = [
    (("--stage", "kernels"), "--stage kernels shows the kernels of --target cuda: those of cpu are made as machine code"),
    (("--emit", "cuda"), "--emit goes with --stage kernels"),
    (("--target", "cuda", "--check"), "target cuda cannot run here: there is no NVIDIA GPU with a driver; `netc doctor` tells more"),
]


@pytest.mark.parametrize(("words", "told"), WITHOUT)
def test_kernels_that_cannot_be_shown_or_run(ask, words: tuple[str, ...], told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presence, "seen", lambda: None)
    fault.cache_clear()
    status, _, err = ask("plan", RESIDUAL, *words)
    assert status == 2
    fault.cache_clear()
    assert told in err

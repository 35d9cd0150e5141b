"""netc train and netc eval: what they learn, what they leave behind, and how they end."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from netcompiler.cli import main, progress
from netcompiler.recipe import Recipe
from runtime import checkpoint
from runtime.checkpoint import CheckpointError
from runtime.data.scale import Scale
from runtime.metrics import Means, better, find
from runtime.runs import Run, create
from runtime.trainer import Trainer

TINY = """netc: 1
name: tiny
input: [1, 8, 8]
layers:
  - {name: conv, conv: {filters: 8, kernel: 3}}
  - {name: bn, batch_norm}
  - relu
  - max_pool: 2
  - flatten
  - {name: fc, linear: 10}
loss: cross_entropy
train:
  data: digits
  batch: 50                     # 1,498 pictures: the last batch of an epoch has 48
  epochs: 2
  optimizer: {adam: 0.01}
  normalize: auto
"""
VECTOR = """netc: 1
name: vector
input: [2]
layers: [linear: 3]
loss: cross_entropy
train:
  data: {npz: points.npz}
  optimizer: {sgd: 0.1}
  validation: {share: 0.25}
  epochs: 2
"""


class Answer(NamedTuple):
    status: int
    out: str
    err: str


Ask = Callable[..., Answer]


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Ask:
    """Runs netc in this process, in an empty folder that holds two specs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLUMNS", raising=False)
    Path("tiny.yaml").write_text(TINY, encoding="utf-8")
    Path("vector.yaml").write_text(VECTOR, encoding="utf-8")

    def ask(*words: str, stdin: str = "") -> Answer:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        try:
            status = main(words)
        except SystemExit as leave:
            status = int(leave.code or 0)
        return Answer(status, *capsys.readouterr())

    return ask


def summary(run: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((Path(run) / "summary.json").read_text(encoding="utf-8"))
    return found


def metrics(run: str) -> list[dict[str, str]]:
    return list(csv.DictReader((Path(run) / "metrics.csv").read_text(encoding="utf-8").splitlines()))


# what a run learns and leaves


def test_two_epochs_of_digits(ask: Ask) -> None:
    answer = ask("train", "tiny.yaml")
    assert answer.status == 0, answer.err
    assert sorted(path.name for path in Path("runs/tiny-1").iterdir()) == [
        "best.safetensors",
        "environment.json",
        "events.jsonl",
        "facts.json",
        "last.safetensors",
        "metrics.csv",
        "plots",
        "report.html",
        "resolved.yaml",
        "spec.yaml",
        "states",
        "summary.json",
    ]
    assert Path("runs/tiny-1/spec.yaml").read_text(encoding="utf-8") == TINY
    first, second = metrics("runs/tiny-1")
    assert float(second["loss"]) < float(first["loss"]) < 2.3
    assert float(second["val_top1"]) > 0.9
    assert [row["step"] for row in (first, second)] == ["30", "60"]
    assert re.search(r"^tiny    *\d", answer.out)
    assert "1,498 pictures to train on, 299 to validate on, 1x8x8" in answer.out
    assert re.search(
        r"^epoch 2/2  loss 0\.\d+  top1 .*  val loss .*  val top1 9.*pictures/s  waiting for data \d+%  .* [MG]iB  0:00 left",
        answer.out,
        re.MULTILINE,
    )


def test_digits_that_turn_and_lose_parts_are_learned_as_well(ask: Ask) -> None:
    """Each epoch has other pictures, so what is learned by heart is less; and a second run draws the same."""
    augmented = ["--set", "train.augment=[affine: {rotate: 10, translate: 0.7, scale: 1.1}, erasing: {probability: 0.1}]"]
    for more in ([], augmented, augmented):
        assert ask("train", "tiny.yaml", "--quiet", "--epochs", "6", *more).status == 0
    plain, first, second = (metrics(f"runs/tiny-{number}") for number in (1, 2, 3))
    assert float(first[-1]["loss"]) > 2 * float(plain[-1]["loss"])
    assert float(first[-1]["val_top1"]) > float(plain[-1]["val_top1"]) - 0.01 > 0.93
    assert [row["loss"] for row in first] == [row["loss"] for row in second]


def test_eval_finds_the_recorded_figures_again(ask: Ask) -> None:
    ask("train", "tiny.yaml", "--quiet", "--epochs", "1")
    answer = ask("eval", "tiny-1")
    assert answer.status == 0, answer.err
    assert "as training recorded it in epoch 1" in answer.out
    assert f"{summary('runs/tiny-1')['best']['top1']:.1%}" in answer.out
    elsewhere = ask("eval", "runs/tiny-1", "--data", "fashion_mini")
    assert "1,000 pictures" in elsewhere.out
    assert "recorded" not in elsewhere.out


def test_the_weights_have_pytorch_s_names_and_axes(ask: Ask) -> None:
    ask("train", "tiny.yaml", "--quiet", "--epochs", "1")
    weights = load_file("runs/tiny-1/last.safetensors")
    assert {name: array.shape for name, array in weights.items()} == {
        "conv.weight": (8, 1, 3, 3),
        "conv.bias": (8,),
        "bn.weight": (8,),
        "bn.bias": (8,),
        "bn.running_mean": (8,),
        "bn.running_var": (8,),
        "fc.weight": (10, 72),
        "fc.bias": (10,),
    }


def test_the_resolved_spec_trains_the_same_net(ask: Ask) -> None:
    ask("train", "tiny.yaml", "--quiet", "--epochs", "1", "--set", "train.optimizer.adam.rate=0.02")
    resolved = Path("runs/tiny-1/resolved.yaml").read_text(encoding="utf-8")
    assert "epochs: 1" in resolved
    assert "rate: 0.02" in resolved
    assert ask("check", "runs/tiny-1/resolved.yaml").status == 0


def test_a_run_is_a_function_of_its_seed(ask: Ask) -> None:
    for seed in "001":
        ask("train", "tiny.yaml", "--quiet", "--epochs", "1", "--seed", seed)
    first, again, other = (load_file(f"runs/tiny-{n}/last.safetensors") for n in (1, 2, 3))
    assert all((first[name] == again[name]).all() for name in first)
    assert (first["fc.weight"] != other["fc.weight"]).any()


def test_the_rate_follows_the_schedule(ask: Ask) -> None:
    ask("train", "tiny.yaml", "--quiet", "--epochs", "3", "--set", "train.schedule={step: {every: 1, factor: 0.1}}", "--batch", "500")
    assert [float(row["rate"]) for row in metrics("runs/tiny-1")] == pytest.approx([0.01, 0.001, 0.0001])


def test_early_stop_and_plateau_see_the_history(ask: Ask) -> None:
    still = ["--set", "train.optimizer={sgd: 1e-30}", "--set", "train.normalize={channels: {mean: [0], std: [1]}}", "--batch", "500"]
    no_norm = TINY.replace("  - {name: bn, batch_norm}\n", "")
    answer = ask("train", "-", *still, "--epochs", "9", "--set", "train.early_stop={patience: 2}", stdin=no_norm)
    assert answer.status == 0, answer.err
    assert "it stalled" in answer.out
    assert summary("runs/tiny-1")["epochs"] == 3
    ask("train", "-", *still, "--epochs", "3", "--set", "train.schedule={plateau: {factor: 0.5, patience: 1}}", stdin=no_norm)
    assert [float(row["rate"]) for row in metrics("runs/tiny-2")] == pytest.approx([1e-30, 1e-30, 5e-31])


def test_steps_and_the_interval_of_validations(ask: Ask) -> None:
    ask("train", "tiny.yaml", "--quiet", "--batch", "500", "--set", "train.steps=8", "--set", "train.validation={every: 2}")
    rows = metrics("runs/tiny-1")
    assert [row["step"] for row in rows] == ["3", "6", "8"]
    assert [bool(row["val_loss"]) for row in rows] == [False, True, True]


def test_a_step_in_parts_learns_the_same(ask: Ask) -> None:
    no_norm = TINY.replace("  - {name: bn, batch_norm}\n", "")
    for parts in "13":
        answer = ask("train", "-", "--quiet", "--epochs", "1", "--batch", "150", "--set", f"train.accumulate={parts}", stdin=no_norm)
        assert answer.status == 0, answer.err
    whole, parted = (load_file(f"runs/tiny-{n}/last.safetensors") for n in (1, 2))
    assert all(np.allclose(whole[name], parted[name], atol=2e-3) for name in whole)


def test_the_average_of_the_weights_is_what_is_measured_and_kept(ask: Ask) -> None:
    assert ask("train", "tiny.yaml", "--quiet", "--epochs", "1", "--set", "train.ema=0.9").status == 0
    ask("train", "tiny.yaml", "--quiet", "--epochs", "1")
    averaged, plain = (load_file(f"runs/tiny-{n}/best.safetensors") for n in (1, 2))
    assert (averaged["fc.weight"] != plain["fc.weight"]).any()
    assert "as training recorded it" in ask("eval", "tiny-1").out


def test_arrays_of_one_s_own(ask: Ask) -> None:
    random = np.random.default_rng(0)
    y = random.integers(0, 3, 400)
    np.savez("points.npz", x=np.stack([np.cos(2 * y), np.sin(2 * y)], 1) + 0.1 * random.normal(size=(400, 2)), y=y)
    assert ask("train", "vector.yaml").status == 0
    assert summary("runs/vector-1")["best"]["top1"] > 0.9
    assert "300 pictures to train on, 100 to validate on" in ask("train", "vector.yaml", "--data", "points.npz").out


def test_named_data_is_scaled_to_the_net_and_the_run_remembers(ask: Ask) -> None:
    answer = ask("train", "lenet", "--data", "digits", "--set", "train.steps=2")
    assert answer.status == 0, answer.err
    assert "1x8x8 made 1x32x32" in answer.out
    assert "as training recorded it" in ask("eval", "lenet-1").out


def test_a_spec_that_extends_another_file_is_measured_again(ask: Ask) -> None:
    text = "netc: 1\nname: wide\nextends: ./tiny.yaml\npatch: {conv: [conv: {filters: 9, kernel: 3}]}\n"
    Path("wide.yaml").write_text(text, encoding="utf-8")
    answer = ask("train", "wide.yaml", "--quiet", "--epochs", "1")
    assert answer.status == 0, answer.err
    again = ask("eval", "wide-1")
    assert "as training recorded it" in again.out, again.err


# tried


def test_a_dry_run_looks_at_everything_and_writes_nothing(ask: Ask) -> None:
    answer = ask("train", "tiny.yaml", "--dry-run", "--epochs", "3")
    assert answer.status == 0, answer.err
    assert "1,498 pictures to train on" in answer.out
    assert re.search(r"memory +\d.* for the plan, .* for data, .* for saving a state; .* are free\n", answer.out)
    assert re.search(r"disk +\d.* for weights and 2 states; .* are free\n", answer.out)
    assert re.search(r"time +\S+ ms a step \(.* pictures/s\), .* s a validation: about 0:0\d for 90 steps in 3 epochs\n", answer.out)
    assert answer.out.endswith("all is well; nothing was written\n")
    assert not Path("runs").exists()


def test_a_dry_run_finds_what_cannot_work(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = ask("train", "tiny.yaml", "--dry-run", "--set", "train.optimizer={sgd: 1e30}")
    assert (answer.status, "a smaller rate helps" in answer.err) == (1, True)
    monkeypatch.setattr("runtime.environment.available", lambda: 2**10)
    answer = ask("train", "tiny.yaml", "--dry-run")
    assert answer.status == 1
    assert re.search(r"training takes .* of memory, and 1.00 KiB are free: take a smaller batch", answer.err)


# other weights to start from


def test_fine_tuning_starts_from_what_matches(ask: Ask) -> None:
    ask("train", "tiny.yaml", "--quiet", "--epochs", "1")
    old = load_file("runs/tiny-1/best.safetensors")
    answer = ask("train", "tiny.yaml", "--weights", "tiny-1", "--set", "train.fresh=[fc]", "--set", "train.optimizer={sgd: 1e-30}")
    assert answer.status == 0, answer.err
    assert "weights  6 of 8 tensors from runs/tiny-1/best.safetensors; fc.weight, fc.bias anew\n" in answer.out
    new = load_file("runs/tiny-2/last.safetensors")
    assert (new["conv.weight"] == old["conv.weight"]).all()
    assert (new["fc.weight"] != old["fc.weight"]).any()


def test_fine_tuning_takes_foreign_files(ask: Ask) -> None:
    tensors = {"conv.weight": np.ones((8, 1, 3, 3), np.float16), "fc.weight": np.zeros((3, 72), np.float32), "fc.bias": np.zeros(3)}
    beside = {"bn.num_batches_tracked": np.array(7), "head.weight": np.zeros(2)}
    norm = {f"bn.{name}": np.ones(8, np.float32) for name in ("weight", "bias", "running_mean", "running_var")}
    save_file({**tensors, **beside, **norm, "conv.bias": np.zeros(8, np.float32)}, "foreign.safetensors", {"format": "pt"})
    words = ["train", "tiny.yaml", "--epochs", "1", "--weights", "foreign.safetensors"]
    answer = ask(*words)
    assert answer.status == 1
    assert "fc.weight is [10, 72], and [3, 72] in foreign.safetensors; fc.bias differs, too: " in answer.err
    assert "--set 'train.fresh=[fc]'" in answer.err
    assert (
        "6 of 8 tensors from foreign.safetensors; fc.weight, fc.bias anew; not used: head.weight"
        in ask(*words, "--set", "train.fresh=[fc]").out
    )


# folders


def test_of_two_that_are_always_right_the_more_certain_one_is_the_best() -> None:
    trainer = Trainer.__new__(Trainer)
    trainer.goal = "top1"
    one, other, third = {"top1": 1.0, "loss": 0.6}, {"top1": 1.0, "loss": 0.1}, {"top1": 0.9, "loss": 0.01}
    assert trainer._outdoes(other, one)
    assert not trainer._outdoes(one, other)
    assert not trainer._outdoes(one, one)
    assert not trainer._outdoes(third, one)


def test_a_run_never_overwrites(ask: Ask, tmp_path: Path) -> None:
    assert [create(tmp_path / "r", "a").folder.name for _ in range(3)] == ["a-1", "a-2", "a-3"]
    Path("mine").mkdir()
    answer = ask("train", "tiny.yaml", "--run-dir", "mine")
    assert answer.status == 1
    assert "mine is there already" in answer.err
    assert not list(Path("mine").iterdir())
    assert ask("train", "tiny.yaml", "--quiet", "--epochs", "1", "--run-dir", "new/one").status == 0
    assert Path("new/one/best.safetensors").exists()


def test_nothing_half_written_is_left(ask: Ask) -> None:
    ask("train", "tiny.yaml", "--quiet", "--epochs", "1")
    assert not [path for path in Path("runs/tiny-1").iterdir() if path.name.startswith(".")]


# mistakes


@pytest.mark.parametrize(
    ("words", "status", "hint"),
    [
        (["train", "tiny.yaml", "--data", "digitz"], 2, "did you mean `digits`?"),
        (["train", "tiny.yaml", "--data", "."], 2, "holds no data that netc knows"),
        (["train", "tiny.yaml", "--data", "none.npz"], 1, "none.npz: there is no such file"),
        (["train", "vector.yaml"], 1, "points.npz: there is no such file"),
        (["train", "tiny.yaml", "--set", "train.data=cifar10"], 1, "3 channels"),
        (["train", "lenet", "--set", "train.data=digits"], 1, "resize: [32, 32]"),
        (["train", "tiny.yaml", "--set", "train.early_stop={patience: 1, watch: mae}"], 1, "no figure `mae` to watch"),
        (["train", "tiny.yaml", "--set", "train.validation={share: 0.1}", "--set", "layers=[relu]"], 1, "error["),
        (["train", "tiny.yaml", "--set", "train.validashun=1"], 1, "error["),
        (["train", "nobody.yaml"], 2, "no such file"),
        (["train", "fully-convolutional"], 2, "no `train` section"),
        (["train", "fully-convolutional", "--data", "digits"], 2, "no optimizer"),
        (["train", "tiny.yaml", "--epochs", "0"], 2, "1 or more"),
        (["eval", "nothing"], 2, "no training run"),
        (["train", "tiny.yaml", "--weights", "none.safetensors"], 1, "no such file, and no such run"),
        (["train", "tiny.yaml", "--weights", "resnet.pth"], 1, "safetensors.torch.save_file(torch.load('resnet.pth'"),
        (["train", "tiny.yaml", "--weights", "tiny.yaml"], 1, "tiny.yaml is no readable safetensors file"),
        (["train"], 2, "name a spec to train, or a run with --resume"),
        (["train", "--resume", "nothing"], 1, "nothing is no training run"),
        (["train", "tiny.yaml", "--resume", "nothing"], 2, "a run has its own"),
        (["train", "tiny.yaml", "--every", "often"], 2, "write '500 steps' or '10 min'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_mistakes_are_told_in_plain_words(ask: Ask, words: list[str], status: int, hint: str) -> None:
    answer = ask(*words)
    assert answer.status == status, answer
    assert hint in answer.err
    assert "Traceback" not in answer.err
    assert not Path("runs").exists()


def test_a_loss_that_is_not_finite_ends_training_with_the_weights_before_it(ask: Ask) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        answer = ask("train", "tiny.yaml", "--set", "train.optimizer={sgd: 1e30}")
    assert answer.status == 1
    assert re.search(r"not finite in step \d+, first in \w+ of .*: a smaller rate helps", answer.err)
    assert "--set train.optimizer.sgd.rate=1e+29` goes on" in answer.err
    assert summary("runs/tiny-1")["ended"] == "not finite"
    assert all(np.isfinite(array).all() for array in load_file("runs/tiny-1/last.safetensors").values())


def test_damaged_runs_are_told(ask: Ask) -> None:
    ask("train", "tiny.yaml", "--quiet", "--epochs", "1")
    best = Path("runs/tiny-1/best.safetensors")
    content = bytearray(best.read_bytes())
    content[-1] ^= 1
    best.write_bytes(content)
    assert "its checksum is another" in ask("eval", "tiny-1").err
    best.write_bytes(content[:-9])
    assert "no readable safetensors file" in ask("eval", "tiny-1").err
    Path("runs/tiny-1/summary.json").write_text("{", encoding="utf-8")
    answer = ask("eval", "tiny-1")
    assert (answer.status, "is damaged" in answer.err) == (2, True)


def test_weights_come_back_with_what_the_input_went_through(tmp_path: Path) -> None:
    tensors, scales = {"w": np.arange(6, dtype=np.float32).reshape(2, 3)}, {"in.input": Scale((0.5,), (0.1,))}
    checkpoint.save(tmp_path / "w", tensors, scales)
    found, about = checkpoint.load(tmp_path / "w")
    assert (found["w"] == tensors["w"]).all()
    assert about == scales
    with pytest.raises(CheckpointError, match="no such file"):
        checkpoint.load(tmp_path / "v")


# going on


def test_a_run_that_is_over_goes_on_with_more_epochs(ask: Ask) -> None:
    ask("train", "tiny.yaml", "--quiet", "--epochs", "2", "--run-dir", "whole")
    ask("train", "tiny.yaml", "--quiet", "--epochs", "1")
    assert "best in epoch 1" in ask("train", "--resume", "tiny-1").out
    Path("tiny.yaml").unlink()  # a run has its own copy
    answer = ask("train", "--resume", "tiny-1", "--epochs", "2")
    assert answer.status == 0, answer.err
    assert re.search(r"resumed +runs/tiny-1, after step 30\nchanged +epochs 1 -> 2\n\nepoch 2/2", answer.out)
    assert metrics("runs/tiny-1") == metrics("whole")
    assert "epochs: 2" in Path("runs/tiny-1/resolved.yaml").read_text(encoding="utf-8")
    assert "as training recorded it in epoch 2" in ask("eval", "tiny-1").out
    again = ask("train", "--resume", "tiny-1").out
    assert "changed" not in again
    assert "is left to do: all 2 epochs are done, and --epochs with a larger number goes on" in " ".join(again.split())
    fewer = ask("train", "--resume", "tiny-1", "--epochs", "1")
    assert (fewer.status, "2 epochs are done, and 1 are fewer" in fewer.err) == (2, True)
    assert "epochs: 2" in Path("runs/tiny-1/resolved.yaml").read_text()


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["--batch", "7"], "cannot change batch 50 -> 7"),
        (["--seed", "1", "--set", "train.data=fashion_mini"], "cannot change data digits -> fashion_mini, seed 0 -> 1"),
        (["--set", "train.optimizer={sgd: 0.1}"], "cannot change optimizer adam -> sgd"),
        (["--set", "train.layers={fc: {freeze: true}}"], "cannot change layers.fc.freeze none -> true"),
        (["--set", "name=other"], "--set name=other would change the net"),
        (["--data", "digits"], "--data does not go with --resume"),
        (["--set", "train.ema=0.9"], "cannot change ema none -> 0.9: it would keep other numbers"),
    ],
)
def test_what_a_run_keeps(ask: Ask, words: list[str], hint: str) -> None:
    ask("train", "tiny.yaml", "--quiet", "--epochs", "1")
    answer = ask("train", "--resume", "tiny-1", *words)
    assert answer.status in (1, 2)
    assert hint in answer.err
    assert "epochs: 1" in Path("runs/tiny-1/resolved.yaml").read_text(encoding="utf-8")
    assert ask("train", "--resume", "tiny-1").status == 0


def test_two_processes_on_one_run(ask: Ask) -> None:
    ask("train", "tiny.yaml", "--quiet", "--epochs", "1")
    with Run(Path("runs/tiny-1")).owned():
        answer = ask("train", "--resume", "tiny-1", "--epochs", "2")
    assert (answer.status, "runs/tiny-1 is written by another process now" in answer.err) == (1, True)
    assert len(metrics("runs/tiny-1")) == 1


@pytest.mark.parametrize(
    "setting",
    ["augment=[flip, crop: {padding: 1}]", "clip=1", "accumulate=2", "schedule=cosine", "metrics=[top1]", "optimizer.adam.beta1=0.8"],
)
def test_what_may_change_is_changed(ask: Ask, setting: str) -> None:
    ask("train", "tiny.yaml", "--quiet", "--epochs", "1")
    answer = ask("train", "--resume", "tiny-1", "--epochs", "2", "--set", f"train.{setting}")
    assert answer.status == 0, answer.err
    assert re.search(rf"changed +.*{setting.partition('=')[0].split('.')[0]}", answer.out)
    assert len(metrics("runs/tiny-1")) == 2


def test_another_machine_or_net_is_said(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("wide.yaml").write_text("netc: 1\nname: wide\nextends: ./tiny.yaml\n", encoding="utf-8")
    ask("train", "wide.yaml", "--quiet", "--epochs", "1")
    assert "bit for bit" not in ask("train", "--resume", "wide-1").out
    monkeypatch.setattr("runtime.environment.processor", lambda: "Z80")
    assert re.search(r"but +it is not bit for bit .*: processor .* then, Z80 now", ask("train", "--resume", "wide-1").out)
    Path("tiny.yaml").write_text(TINY.replace("- relu", "- elu"), encoding="utf-8")
    ask("train", "--resume", "wide-1", "--epochs", "2")
    Path("tiny.yaml").write_text(TINY, encoding="utf-8")
    assert re.search(r"but +it is not bit for bit .*: the plan is another", ask("train", "--resume", "wide-1").out)


# interruption and screens


def started(folder: Path, *words: str, **options: Any) -> subprocess.Popen[bytes]:
    (folder / "tiny.yaml").write_text(TINY, encoding="utf-8")
    return subprocess.Popen([sys.executable, "-m", "netcompiler", "train", "tiny.yaml", *words], cwd=folder, **options)


def test_ctrl_c_keeps_the_weights(tmp_path: Path) -> None:
    with started(tmp_path, "--epochs", "1000", stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        limit = time.monotonic() + 20
        while not (tmp_path / "runs/tiny-1/best.safetensors").exists() and time.monotonic() < limit:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert re.fullmatch(
        rb"netc: interrupted after step \d+, whose weights .* `netc train --resume runs/tiny-1` goes on from there\n",
        err.splitlines(True)[-1],
    )
    assert summary(str(tmp_path / "runs/tiny-1"))["ended"] == "interrupted"
    assert checkpoint.load(tmp_path / "runs/tiny-1/last.safetensors")[0].keys() >= {"fc.weight"}


def test_training_goes_on_when_nobody_reads_any_more(tmp_path: Path) -> None:
    """As in `netc train ... | head -1`."""
    with started(tmp_path, "--epochs", "3", stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr
        said = process.stderr.read()
        assert process.wait(60) == 141
    assert b"cannot be written" not in said
    assert json.loads((tmp_path / "runs/tiny-1/summary.json").read_text(encoding="utf-8"))["ended"] == "complete"
    assert (tmp_path / "runs/tiny-1/report.html").exists()


def test_a_terminal_gets_a_table(tmp_path: Path) -> None:
    parent, child = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    with started(tmp_path, stdout=child, env=environment) as process:
        os.close(child)
        shown = b""
        while chunk := _read(parent):
            shown += chunk
        process.wait(20)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())
    assert process.returncode == 0
    assert re.search(r"epoch +rate +loss +top1 +val loss +val top1 +pictures/s", text)
    assert re.search(r"2/2 +0\.01 +0\.\d{4} +\d\d\.\d% .* best", text)


def test_lines_of_json(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every line is one, from the beginning to the end; between epochs only after an interval."""
    monkeypatch.setattr(progress, "INTERVAL", 0.0)
    begin, *steps, end = map(json.loads, ask("train", "tiny.yaml", "--json", "--epochs", "2").out.splitlines())
    assert (begin["event"], begin["run"], begin["classes"]) == ("begin", "runs/tiny-1", list("0123456789"))
    assert [line["event"] for line in steps] == [*["step"] * 30, "epoch"] * 2
    assert [line["step"] for line in steps if line["event"] == "step"] == list(range(1, 61))
    last = steps[-1]
    assert str(last["training"]["loss"]) == metrics("runs/tiny-1")[-1]["loss"]
    assert last["validation"]["top1"] == summary("runs/tiny-1")["last"]["top1"]
    assert last["seconds_left"] == 0
    assert last["memory"] > 10 * 2**20
    assert (end["event"], end["ended"], end["best"]) == ("end", "complete", summary("runs/tiny-1")["best"])
    monkeypatch.setattr(progress, "INTERVAL", 3600.0)
    assert [json.loads(line)["event"] for line in ask("train", "tiny.yaml", "--json", "--epochs", "1").out.splitlines()] == [
        "begin",
        "epoch",
        "end",
    ]
    assert ask("train", "tiny.yaml", "--json", "--quiet").status == 2


def test_a_long_epoch_says_where_it_is(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "INTERVAL", 0.0)
    lines = ask("train", "tiny.yaml", "--epochs", "1").out.splitlines()
    between = [line for line in lines if "step" in line and line.startswith("epoch 1/1  step ")]
    assert len(between) == 30
    assert re.fullmatch(
        r"epoch 1/1  step 30/30  loss \d.*  top1 .*  rate 0.01  [\d,]+ pictures/s  waiting for data \d+%  .* [MG]iB  0:00 left", between[-1]
    )


def test_what_is_not_finite_is_null_in_json() -> None:
    assert json.loads(progress.as_json("epoch", training={"loss": float("nan"), "top1": 0.5})) == {
        "event": "epoch",
        "training": {"loss": None, "top1": 0.5},
    }


def _read(terminal: int) -> bytes:
    """What a terminal shows; nothing once its other end is closed."""
    try:
        return os.read(terminal, 4096)
    except OSError:
        return b""


# figures


def test_means_are_weighted_by_rows_and_roots_stay_roots() -> None:
    means = Means()
    means.add({"loss": 1.0, "rmse": 3.0}, 3)
    means.add({"loss": 5.0, "rmse": 5.0}, 1)
    assert means.figures() == pytest.approx({"loss": 2.0, "rmse": 13**0.5})


def test_figures_by_name() -> None:
    assert find("top1", ["loss", "main.top1", "aux.top1"]) == "main.top1"
    assert better("main.top1", 0.9, 0.8)
    assert better("loss", 0.1, 0.2)
    assert Recipe().early_stop is None

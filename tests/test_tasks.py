"""Nets that do more than choose a class, trained end to end from the command line on sets that are made up.

Each is trained for a few steps here; the slow tests train until a score is reached, within two minutes. What a guess scores is known."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import files
import numpy as np
import pytest
import synthetic
from PIL import Image
from synthetic import Fields
from test_train import Ask, ask, metrics, summary

__all__ = ["ask"]
WITHIN = 120
"""Seconds of training."""

POSE = """netc: 1
name: small-pose
extends: pose
input: [3, 48, 48]
vars: {joints: 4}
patch:
  conv1: {conv: {filters: 24, kernel: 5, stride: 2, padding: same}}
  conv2: {conv: {filters: 32, kernel: 5, padding: same}}
  conv3: {conv: {filters: 48, kernel: 3, padding: same}}
  conv4: {conv: {filters: 48, kernel: 3, padding: same}}
  conv5: {conv: {filters: 64, kernel: 3, padding: same}}
  fc6: {linear: 256}
  "18": []                      # dropout
  fc7: {linear: 256}
  "21": []
"""


class Task(NamedTuple):
    """`scores` are the most that a figure of the validation may be, or with a minus the least; guesses score what stands beside them."""

    spec: str
    made: Callable[[int, int], Fields]
    targets: str
    settings: tuple[str, ...]
    rows: int
    epochs: int
    scores: dict[str, float]


COSINE = ("train.schedule=cosine", "train.batch=32")
TASKS = {
    "detector": Task(
        "detector",
        synthetic.things,
        "class, box",
        (*COSINE, "input=[3,32,32]", "classes=3", "train.optimizer={adam: 1e-3}"),
        2500,
        6,
        {"class.top1": -0.97, "box.mae": 0.05},  # 1/3 and 0.15
    ),
    "pose": Task(
        "small-pose.yaml",
        synthetic.figures,
        "joints",
        (*COSINE, "train.optimizer={adam: 1e-3}", "train.init=he"),
        4000,
        12,
        {"mae": 0.1},  # the middle of 0.1 to 0.9: 0.2
    ),
    "tones": Task("tdnn", synthetic.tones, "y", (), 2000, 20, {"top1": -0.97}),  # 1/3
    "denoising": Task(
        "encoder-decoder",
        synthetic.noisy,
        "clean",
        ("outputs.picture.target=clean", "train.batch=32", "train.metrics=[rmse]"),
        1000,
        6,
        {"rmse": synthetic.NOISE / 2},  # what comes in: 0.2
    ),
}


def train(ask: Ask, task: Task, rows: int, *more: str) -> str:
    """The run's name."""
    Path("small-pose.yaml").write_text(POSE, encoding="utf-8")
    path, test = synthetic.save(Path(), task.made, rows, max(8, rows // 8))
    data = f"train.data={{npz: {{path: {path}, test: {test}, targets: [{task.targets}]}}}}"
    settings = [word for setting in (data, *task.settings, "train.validation={share: 0}", *more) for word in ("--set", setting)]
    answer = ask("train", task.spec, "--quiet", "--run-dir", "run", *settings)
    assert answer.status == 0, answer.err
    return "run"


@pytest.mark.parametrize("name", TASKS)
def test_a_few_steps(ask: Ask, name: str) -> None:
    """The loss falls on what is seen again and again; evaluating finds the figures again."""
    task = TASKS[name]
    run = train(ask, task, 32, "train.epochs=6", "train.batch=16")
    rows = metrics(run)
    assert float(rows[-1]["loss"]) < float(rows[0]["loss"])
    assert {f"val_{score}" for score in task.scores} <= rows[0].keys()
    assert "as training recorded it" in ask("eval", run).out


def test_several_outputs_are_best_where_the_loss_is(ask: Ask) -> None:
    run = train(ask, TASKS["detector"], 32, "train.epochs=3", "train.batch=16")
    losses = [float(row["val_loss"]) for row in metrics(run)]
    assert summary(run)["goal"] == "loss"
    assert summary(run)["best"]["epoch"] == 1 + int(np.argmin(losses))


@pytest.mark.slow
@pytest.mark.parametrize("name", TASKS)
def test_scores(ask: Ask, name: str) -> None:
    task, begin = TASKS[name], time.perf_counter()
    run = train(ask, task, task.rows, f"train.epochs={task.epochs}")
    found = json.loads(ask("eval", run, "--json").out)["figures"]
    for figure, bound in task.scores.items():
        assert found[figure] > -bound if bound < 0 else found[figure] < bound, (figure, found[figure], bound)
    assert time.perf_counter() - begin < WITHIN


@pytest.mark.slow
def test_boxes_are_drawn_where_things_are(ask: Ask) -> None:
    """Pictures that the detector never saw, from files: the box that is said is near the true one, and drawn there."""
    task = TASKS["detector"]
    train(ask, task, task.rows, f"train.epochs={task.epochs}")
    unseen = synthetic.things(20, 99)
    for at, picture in enumerate(unseen["x"]):
        Path(f"{at:02}.png").write_bytes(files.packed(np.moveaxis(picture, 0, -1)))
    names = [f"{at:02}.png" for at in range(20)]
    found: list[Any] = [json.loads(line)["outputs"] for line in ask("predict", "run", *names, "--json", "--draw", "drawn").out.splitlines()]
    right = [each["class"]["top"][0]["class"] == str(label) for each, label in zip(found, unseen["class"], strict=True)]
    assert np.mean(right) >= 0.9
    assert np.abs(np.array([each["box"]["values"] for each in found]) - unseen["box"]).mean() < 0.07
    assert {Image.open(path).size for path in Path("drawn").iterdir()} == {(256, 256)}

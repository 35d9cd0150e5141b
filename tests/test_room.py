"""What does not fit into a GPU is met before training begins, and what is proposed instead fits."""

from __future__ import annotations

import re

import pytest

from netcompiler.cli import room
from netcompiler.cli.opening import Opened, open_spec
from netcompiler.plan import Plan


def takes(plan: Plan) -> int:
    return sum(plan.segments.values())


@pytest.fixture
def opened() -> Opened:
    return open_spec("lenet", ["train.batch=256", "train.precision=fp32"])


def size(opened: Opened, *settings: str) -> int:
    return takes(opened.again([*opened.settings, *settings]).plan("cpu"))


def test_what_fits_is_let_pass(opened: Opened) -> None:
    plan = opened.plan("cpu")
    assert room.told(opened, plan, takes(plan), takes) == ""


@pytest.mark.parametrize("share", [0.9, 0.4, 0.2])
def test_every_way_out_fits_and_the_batch_is_nearly_the_largest(opened: Opened, share: float) -> None:
    plan = opened.plan("cpu")
    free = int(share * takes(plan))
    told = room.told(opened, plan, free, takes)
    assert told.startswith("a step of 256 pictures takes ")
    [batch] = map(int, re.findall(r"--batch (\d+) fits", told))
    assert size(opened, f"train.batch={batch}") <= free < size(opened, f"train.batch={batch + 16}")
    assert "train.accumulate" in told or share < 0.3, "gradients are gathered beside a step"
    assert all(size(opened, setting) <= free for setting in re.findall(r"--set (\S+)", told))
    assert ("--precision bf16" in told) == (size(opened, "train.precision=bf16") <= free)


def test_too_little_for_a_single_picture(opened: Opened) -> None:
    told = room.told(opened, opened.plan("cpu"), 2**16, takes)
    assert told.endswith("and 64.0 KiB are free, which is too little for a single picture: take a smaller net")

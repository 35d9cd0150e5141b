"""netc lr, and the axes and curves that reports are drawn with."""

from __future__ import annotations

import math
import re
import sys
import types
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netcompiler.cli import main
from netcompiler.report.chart import chart
from netcompiler.report.curve import curve
from netcompiler.report.scale import Scale, scale

SPEC = """netc: 1
name: s
input: [64]
layers: [{name: fc, linear: 10}]
loss: cross_entropy
train:
  optimizer: {sgd: 0.5}
  batch: 10
  epochs: 4
"""


def asked(capsys: pytest.CaptureFixture[str], *train: str, words: tuple[str, ...] = ()) -> str:
    Path("s.yaml").write_text(SPEC + "".join(f"  {line}\n" for line in train), encoding="utf-8")
    assert main(["lr", "s.yaml", *words]) == 0
    return capsys.readouterr().out


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")


SAID = [
    ((), (), "first 0.5, highest 0.5 in epoch 0, last 0.5\n4,000 steps, 1,000 an epoch"),
    (("data: digits",), (), "600 steps, 150 an epoch"),
    (("data: digits", "validation: {share: 0.1}"), (), "540 steps, 135 an epoch"),
    ((), ("--pictures", "95"), "40 steps, 10 an epoch"),
    (("steps: 7",), (), "7 steps"),
    (("schedule: {step: 1}",), (), "first 0.5, highest 0.5 in epoch 0, last 0.0005"),
    (("warmup: {epochs: 1}",), (), "first 0.005, highest 0.5 in epoch 1.0"),
    (("schedule: {plateau: {factor: 0.1, patience: 3}}",), (), "times 0.1 whenever loss has not improved for 3 validations"),
    (("layers: {fc: {rate: 10}}",), (), "fc: times 10"),
    (("layers: {fc: {freeze: true}}",), (), "fc: frozen"),
]


@pytest.mark.parametrize(("train", "words", "said"), SAID)
def test_what_is_said(capsys: pytest.CaptureFixture[str], train: tuple[str, ...], words: tuple[str, ...], said: str) -> None:
    out = asked(capsys, *train, words=words)
    assert said in out
    assert all(len(line) <= 80 for line in out.splitlines())


def test_the_curve_has_the_schedule_s_shape(capsys: pytest.CaptureFixture[str]) -> None:
    """Falls of a tenth are stairs of equal height, because they are drawn by their logarithms; a half-wave is drawn as it is."""
    lines = [line.partition("┤")[2] for line in asked(capsys, "schedule: {step: 1}").splitlines() if "┤" in line]
    heights = [
        sum(8 if line[at : at + 1] == "█" else " ▁▂▃▄▅▆▇".find(line[at : at + 1] or " ") for line in lines) for at in range(len(lines[-1]))
    ]
    stairs = sorted(set(heights), reverse=True)
    assert [heights.count(stair) for stair in stairs] == pytest.approx([len(heights) / 4] * 4, abs=1)
    assert [a - b for a, b in pairwise(stairs)] == pytest.approx([32, 32, 31], abs=1)
    half = asked(capsys, "schedule: cosine").splitlines()
    assert half[0].startswith("    0.5 ┤█")
    assert len(half[5].partition("┤")[2]) == pytest.approx(70 / 2, abs=4)


def test_a_picture(capsys: pytest.CaptureFixture[str]) -> None:
    asked(capsys, "schedule: cosine", words=("-o", "rate.svg"))
    root = ElementTree.fromstring(Path("rate.svg").read_text(encoding="utf-8"))
    assert "learning rate of s.yaml" in "".join(root.itertext())
    assert len(root.findall("{*}path")[-1].attrib["d"].split("L")) == 500


def test_other_pictures_take_matplotlib(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    Path("s.yaml").write_text(SPEC, encoding="utf-8")
    assert main(["lr", "s.yaml", "-o", "rate.png"]) == 2
    assert "pip install 'netc[plot]'" in capsys.readouterr().err
    drawn: list[object] = []
    axes = types.SimpleNamespace(plot=lambda *xy: drawn.append(xy), set=lambda **texts: drawn.append(texts))
    figure = types.SimpleNamespace(subplots=lambda: axes, savefig=drawn.append)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", types.SimpleNamespace(Figure=lambda **options: figure))  # type: ignore[arg-type]
    asked(capsys, words=("-o", "rate.png"))
    assert drawn[-1] == Path("rate.png")


def test_a_net_without_a_rate(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lr", "fully-convolutional"]) == 2
    assert "no optimizer" in capsys.readouterr().err


# axes

TICKS = [
    (Scale(0, 1), [0, 0.2, 0.4, 0.6, 0.8, 1]),
    (Scale(0, 97), [0, 20, 40, 60, 80]),
    (Scale(-1, 1), [-1, -0.5, 0, 0.5, 1]),
    (Scale(1e-4, 1, True), [1e-4, 1e-3, 1e-2, 1e-1, 1]),
    (Scale(1e-20, 1, True), [1e-20, 1e-15, 1e-10, 1e-5, 1]),
    (Scale(3, 3), [3]),
]


@pytest.mark.parametrize(("axis", "ticks"), TICKS)
def test_round_numbers(axis: Scale, ticks: list[float]) -> None:
    assert axis.ticks() == pytest.approx(ticks)


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=20))
def test_anything_can_be_drawn(values: list[float]) -> None:
    assert all(0 <= scale(values)(value) <= 1 for value in values if value == value)
    ElementTree.fromstring(chart("<a> & b", {"x": list(enumerate(values)), "y": [(0, 1)]}))


@given(st.lists(st.floats(0, 1e300, allow_subnormal=False), min_size=1, max_size=90))
def test_any_rate_is_a_curve(values: list[float]) -> None:
    lines = curve(values, "0", "1")
    assert max(map(len, lines)) <= len(values) + 10
    assert not any("nan" in line for line in lines)
    assert math.isfinite(scale(values, zero=True)(values[0]))
    assert re.match(r" *\S+ ┤", lines[0])

"""netc profile: what its lines say, and that timing a program leaves it what it is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from cuda_cublas import Blas
from cuda_host import HostDriver
from small import MIXED, labels, pictures, planned, same, text

from netcompiler.cli import main
from netcompiler.plan import Instruction, Program, Value, site
from netcompiler.report.profile import Profile, layer, layer_columns
from netcompiler.scalar import operand
from netcompiler.targets import Chooser, Offer, Target
from runtime.ceilings import ceilings
from runtime.kernels.cuda import cublas
from runtime.kernels.cuda.device import Gpu
from runtime.session import Session

MOMENTUM = "optimizer: {sgd: {rate: 0.1, momentum: 0.9}}"


def test_timing_a_program_is_running_it() -> None:
    plan = planned(text(MIXED, train=MOMENTUM))
    plain, clocked = Session(plan), Session(plan)
    batch = pictures(4), labels(4)
    for session in (plain, clocked):
        session.step(*batch)
    for _ in range(3):
        plain.step(*batch)
    found = clocked.timed("step", runs=3)
    assert [instruction for instruction, _ in found] == list(plan.programs["step"])
    assert all(0 <= seconds < 1 for _, seconds in found)
    same(clocked.parameters(), plain.parameters())


@pytest.mark.parametrize("target", ["numpy", "cpu"])
def test_ceilings_are_those_of_a_machine(target: str) -> None:
    best = ceilings(target)
    assert 1e8 < best.flops < 1e14
    assert 1e8 < best.bytes < 1e13


def test_ceilings_of_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here by kernels on this processor, and products of a size for it."""
    blas = Blas()
    monkeypatch.setattr(cublas, "blas", lambda: blas)
    monkeypatch.setattr("runtime.ceilings.device_of", lambda target: Gpu(HostDriver()))
    for name, value in (("GPU_SIDE", 64), ("GPU_COPIED", 2**12), ("TURNS", 2)):
        monkeypatch.setattr(f"runtime.ceilings.{name}", value)
    for precision in ("fp32", "tf32", "bf16"):
        best = ceilings("cuda", precision)
        assert best.flops > 0
        assert best.bytes > 0
    assert sum(each["kind"] == "operation" for each in blas.made.values()) >= 3, "products are its own"


# lines


def instruction(origin: str) -> Instruction:
    x = Value("%1", "f32", (2, 500))
    return Instruction((x,), "map", (x,), {"exprs": (-operand(0),), "shape": x.shape}, origin=origin)


@pytest.mark.parametrize(
    ("origin", "name"),
    [
        ("specs/lenet.yaml:7 0", "0"),
        ("a.yaml:3 layer1.0.conv1", "layer1.0.conv1"),
        ("update", "update"),
        ("update fc.bias", "update"),
        ("", ""),
    ],
)
def test_the_layer_of_an_instruction(origin: str, name: str) -> None:
    assert layer(instruction(origin)) == name


TARGET = Target(
    "made-up",
    {
        "map": (Offer("map"),),
        "conv": (Offer("direct", speed=0.5), Offer("conv", "winograd4", refuses=lambda each: "its stride is 2")),
    },
    flops=1e3,
    bytes=1e6,
)


def test_why_a_kernel_was_taken() -> None:
    assert Chooser(TARGET).because(instruction("")) == "the only offer"
    x, w = Value("x", "f32", (1, 4, 4, 2)), Value("w", "f32", (5, 1, 1, 2))
    conv = Instruction((Value("y", "f32", (1, 4, 4, 5)),), "conv", (x, w), {"window": (), "groups": 1})
    assert Chooser(TARGET).because(conv) == "direct: 640.000 ms by formula; conv.winograd4: its stride is 2"
    assert Chooser(TARGET, {site(conv): {"direct": 0.5}}).because(conv) == "direct: 500.000 ms measured; conv.winograd4: its stride is 2"


def test_layers_are_added_up_and_the_longest_come_first() -> None:
    """A map of 1,000 numbers is 1,000 operations and 8,000 bytes."""
    rows = [("a:1 one", 1e-3), ("a:2 two", 5e-3), ("a:3 three", 2e-3), ("a:1 one", 2e-3)]
    timed = [(instruction(origin), seconds) for origin, seconds in rows]
    profile = Profile(Program("step", tuple(each for each, _ in timed), {}, forward=3), Chooser(TARGET), timed, flops=1e9, bytes=8e6)
    cells = {column.title: column.cells for column in layer_columns(profile, top=2)}
    assert cells["layer"] == ("two", "one", "1 others", "all")
    assert cells["ms"] == ("5.000", "3.000", "2.000", "10.000")
    assert cells["forward"] == ("5.000", "1.000", "2.000", "8.000")
    assert cells["backward"] == ("0.000", "2.000", "0.000", "2.000")
    assert cells["share"] == ("50.0%", "30.0%", "20.0%", "100.0%")
    assert cells["GB/s"] == ("0.00", "0.01", "0.00", "0.00")
    assert cells["of the best"] == ("20.0% GB/s", "66.7% GB/s", "50.0% GB/s", "40.0% GB/s")


@pytest.mark.parametrize(("mode", "halves"), [("train", True), ("infer", False)])
def test_the_command(mode: str, halves: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    spec = tmp_path / "small.yaml"
    spec.write_text(text(MIXED), encoding="utf-8")
    assert main(["profile", str(spec), "--mode", mode, "--batch", "2", "--runs", "1", "--threads", "1", "--top", "3"]) == 0
    out = capsys.readouterr().out
    assert re.search(
        rf"{'a training step' if mode == 'train' else 'an inference'}, batch 2, float32 on cpu: [0-9.]+ ms in [0-9]+ instructions", out
    )
    assert ("backward" in out) == halves
    layers, instructions = out.split("\n\n")[1:]
    assert layers.splitlines()[-1].startswith("all ")
    assert len(instructions.splitlines()) == 4
    assert "by formula" in instructions or "the only offer" in instructions


def test_a_net_without_a_loss_is_not_trained(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    spec = tmp_path / "small.yaml"
    spec.write_text("netc: 1\nname: small\ninput: [4]\nlayers: [linear: 3]\n", encoding="utf-8")
    assert main(["profile", str(spec), "--mode", "train"]) == 1
    assert "no output has a loss" in capsys.readouterr().err

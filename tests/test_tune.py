"""Measured facts: how they are measured, kept and joined, and that plans and runs are made by them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from math import inf
from pathlib import Path

import pytest
from small import read, text

import netcompiler
from netcompiler.cli import main
from netcompiler.compilation import Job, stages
from netcompiler.plan import Facts, Instruction, Plan, Site, site
from netcompiler.targets import Chooser
from netcompiler.targets.sites import about, sites
from runtime import atomic, facts, tune
from runtime.cache import folder
from runtime.device import Device, Host
from runtime.kernels import cpu
from runtime.runs import Run

TRAIN = "optimizer: {sgd: 0.1}"
NET = text(
    "\n  - {name: conv, conv: {filters: 6, kernel: 3, padding: same}}\n  - relu\n  - flatten\n  - {name: fc, linear: 5}\n", train=TRAIN
)
"""A convolution and the gradient of its weights: two kinds of instruction with a choice."""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache folder of its own."""
    monkeypatch.setenv("NETC_CACHE", str(tmp_path / "cache"))
    folder.cache_clear()
    yield tmp_path / "cache" / facts.FACTS
    folder.cache_clear()


def plan_and_chooser(spec: str = NET, known: Facts | None = None) -> tuple[Plan, Chooser]:
    job = Job(*read(spec), "train", 4, "cpu", "f32", known or {})
    *_, (_, plan) = stages(job)
    return plan, job.chooser


def convolution(plan: Plan) -> Instruction:
    return next(instruction for instruction in plan.programs["step"] if instruction.core.op == "conv")


# measuring


def test_every_offer_of_a_site_is_timed_and_what_it_packs() -> None:
    plan, chooser = plan_and_chooser()
    every = sites(plan, chooser)
    assert sorted((each.instruction.core.op, each.program, each.times) for each in every if each.program == "step") == [
        ("conv", "step", 1),
        ("conv_dw", "step", 1),
    ]
    found = tune.timed(every[0], Host("cpu"))
    assert found[every[0].name].keys() == {"conv.product", "conv.bands"}
    [pack] = found.keys() - {every[0].name}
    assert all(0 < seconds < 1 for offers in found.values() for seconds in offers.values())
    assert about(every[:1], found) == found, pack


def test_arrays_have_the_pitch_that_they_have_in_the_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    plan, chooser = plan_and_chooser(
        text(
            """
  - branch: {join: concat, paths: {one: [{name: a, conv: {filters: 5, kernel: 3, padding: same}}], two: {max_pool: {kernel: 1}}}}
  - flatten
  - {name: fc, linear: 5}
""",
            train=TRAIN,
        )
    )
    seen = []

    def bound(instructions: list[Instruction], views: dict[str, cpu.Array], seed: int) -> list[object]:
        seen.extend(views[value.name].strides[-2] for one in instructions if one.core.op == "conv" for value in one.results)
        return []

    monkeypatch.setattr(cpu, "bound", bound)
    tune.timed(next(each for each in sites(plan, chooser) if each.instruction.core.op == "conv"), Host("cpu"))
    assert set(seen) == {(5 + 2) * 4}, "5 channels in a picture of 7"


def test_a_kernel_that_cannot_be_built_is_a_fact(monkeypatch: pytest.MonkeyPatch) -> None:
    plan, chooser = plan_and_chooser()

    def broken(*arrays: object, **attributes: object) -> None:
        raise RuntimeError("LLVM does not like it")

    monkeypatch.setitem(cpu.KERNELS, "conv_bands", broken)
    [each, *_] = sites(plan, chooser)
    found = tune.timed(each, Host("cpu"))
    assert found[each.name]["conv.bands"] == inf
    assert convolution(plan).algorithm == "bands"
    assert convolution(plan_and_chooser(known=found)[0]).algorithm == "product"


# choosing


def test_a_plan_follows_facts() -> None:
    spec = {"mode": "infer", "batch": 3, "target": "cpu"}
    free = netcompiler.compile("lenet", **spec)  # type: ignore[arg-type]
    first = free.programs["infer"].instructions[1]
    for fast, slow in (("product", "bands"), ("bands", "product")):
        known = {site(first): {f"conv.{fast}": 1e-6, f"conv.{slow}": 2e-6}}
        plan = netcompiler.compile("lenet", **spec, facts=known)  # type: ignore[arg-type]
        assert plan.programs["infer"].instructions[1].algorithm == fast
        assert [i.algorithm for i in plan.programs["infer"]][2:] == [i.algorithm for i in free.programs["infer"]][2:]


def test_packing_counts_where_it_is_done_each_time() -> None:
    plan, chooser = plan_and_chooser()
    instruction = convolution(plan)
    found = tune.timed(sites(plan, chooser)[0], Host("cpu"))
    [(pack, offers)] = [(name, offers) for name, offers in found.items() if name != site(instruction)]
    known = {site(instruction): {"conv.product": 1.0, "conv.bands": 2.0}, pack: dict.fromkeys(offers, 0.5)}
    costs = [sorted(Chooser(chooser.target, known, repacks=repacks).choice(instruction).seconds.values()) for repacks in (True, False)]
    assert costs == [[1.5, 2.5], [1.0, 2.0]]


def test_some_facts_are_not_compared_with_formulas() -> None:
    plan, chooser = plan_and_chooser()
    instruction = convolution(plan)
    half = Chooser(chooser.target, {site(instruction): {"conv.product": 1e-12}})
    assert not half.choice(instruction).measured
    assert half.offer(instruction) == chooser.offer(instruction)


# keeping

KNOWN = {"conv-1": {"product": 1.5e-3, "bands": inf}, "pack-2": {"map": 2e-6}}


def test_what_is_kept_is_known_later(home: Path) -> None:
    assert facts.kept() == {}
    assert facts.keep(KNOWN) == KNOWN == facts.kept()
    [file] = home.glob("*.json")
    assert {"processor", "code", "kernels", "threads"} == json.loads(file.read_text(encoding="utf-8"))["of"].keys()


def test_what_was_known_before_stays_unless_it_is_measured_anew() -> None:
    facts.keep({"a": {"x": 1.0, "y": 2.0}})
    assert facts.keep({"a": {"x": 9.0, "y": 9.0}, "b": {"x": 3.0}}) == {"a": {"x": 1.0, "y": 2.0}, "b": {"x": 3.0}}
    assert facts.keep({"b": {"x": 9.0, "y": 9.0}})["b"] == {"x": 9.0, "y": 9.0}, "an offer more"
    assert facts.keep({"a": {"x": 5.0}}, anew=True)["a"] == {"x": 5.0}


def test_facts_are_those_of_so_many_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETC_THREADS", "2")
    facts.keep(KNOWN)
    monkeypatch.setenv("NETC_THREADS", "3")
    assert facts.kept() == {}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("{", ""),
        ("0.0015", "0.0014"),
        ('"checksum"', '"sum"'),
        ('"seconds"', '"minutes"'),
        ("null", '"fast"'),
    ],
)
def test_a_damaged_file_is_as_if_it_had_never_been(home: Path, old: str, new: str) -> None:
    facts.keep(KNOWN)
    [file] = home.glob("*.json")
    whole = file.read_text(encoding="utf-8")
    assert old in whole
    file.write_text(whole.replace(old, new, 1), encoding="utf-8")
    assert facts.kept() == {}
    facts.keep({"b": {"x": 1.0}})
    assert facts.kept() == {"b": {"x": 1.0}}


def test_without_a_home_facts_last_as_long_as_who_has_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("NETC_CACHE", str(tmp_path / "file"))
    folder.cache_clear()
    assert facts.keep(KNOWN) == KNOWN
    assert facts.kept() == {}


def test_a_full_disk_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, content: bytes) -> None:
        raise atomic.Unwritten(path, OSError("no space left"))

    monkeypatch.setattr(atomic, "write", full)
    assert facts.keep(KNOWN) == KNOWN


@pytest.mark.parametrize("plain", [[], 1, {"a": 1}, {"a": {"b": "c"}}])
def test_what_is_no_facts_is_an_error(plain: object) -> None:
    with pytest.raises(ValueError, match="by site and offer"):
        facts.from_plain(plain)


# the command


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLUMNS", raising=False)
    Path("net.yaml").write_text(NET, encoding="utf-8")
    return "net.yaml"


def test_the_command_prints_and_keeps(spec: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tune", spec, "--batch", "4"]) == 0
    head, table, foot = capsys.readouterr().out.split("\n\n")
    assert head.endswith("2 kinds of instruction that several kernels can run")
    assert " ".join(table.splitlines()[0].split()) == "layer instruction shape product ms bands ms chosen by formula"
    assert len(table.splitlines()) == 3
    assert foot.startswith("chosen so it takes ")
    assert main(["plan", spec, "--batch", "4", "--why", "--program", "step"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if "is run by" in line]
    assert len(lines) == 2
    assert all("ms measured; " in line for line in lines)


def test_ctrl_c_keeps_what_is_known(spec: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    timed, calls = tune.timed, iter([True, False])

    def interrupted(each: Site, device: Device) -> dict[str, dict[str, float]]:
        if next(calls):
            return timed(each, device)
        raise KeyboardInterrupt

    monkeypatch.setattr(tune, "timed", interrupted)
    assert main(["tune", spec, "--batch", "4"]) == 130
    assert "1 kind of instruction" in capsys.readouterr().out
    assert len(facts.kept()) == 2, "a convolution and what it packs"


# training

DIGITS = """netc: 1
name: tiny
input: [1, 8, 8]
layers: [conv: {filters: 8, kernel: 3}, relu, flatten, linear: 10]
loss: cross_entropy
train: {data: digits, batch: 50, epochs: 1, optimizer: {adam: 0.01}}
"""


@pytest.fixture
def digits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    Path("tiny.yaml").write_text(DIGITS, encoding="utf-8")
    return "tiny.yaml"


def turned() -> Facts:
    """What is kept says that what was fastest is slowest."""
    known = facts.kept()
    other = {name: dict(zip(offers, reversed(offers.values()), strict=True)) for name, offers in known.items()}
    return facts.keep(other, anew=True)


def test_training_times_what_was_never_timed_and_says_so(digits: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = "kernels  timed for 2 kinds of instruction, and the figures kept\n"
    for options, expected in ((["--no-tune"], False), ([], True), ([], False)):
        assert main(["train", digits, *options]) == 0
        assert (said in capsys.readouterr().out) == expected
        assert bool(facts.kept()) == (not options)


def test_a_run_keeps_the_facts_that_it_was_made_by(digits: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", digits]) == 0
    run = Run(Path("runs/tiny-1"))
    saved, _ = run.states().newest()
    assert saved
    assert facts.from_plain(saved.record["facts"]) == run.facts() == facts.kept()
    before = turned()
    assert before != run.facts()
    assert main(["train", "--resume", "tiny-1", "--epochs", "2"]) == 0
    resumed, _ = run.states().newest()
    assert resumed
    assert (resumed.record["plan"], resumed.record["facts"]) == (saved.record["plan"], saved.record["facts"])
    capsys.readouterr()
    assert main(["eval", "tiny-1"]) == 0
    assert "as training recorded it" in capsys.readouterr().out
    assert main(["train", digits]) == 0
    other, _ = Run(Path("runs/tiny-2")).states().newest()
    assert other
    assert other.record["plan"] != saved.record["plan"], "a new run is made by what is known now"
    assert facts.from_plain(other.record["facts"]) == before


def test_a_run_without_its_facts_is_opened_all_the_same(digits: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", digits]) == 0
    Path("runs/tiny-1/facts.json").write_text("[", encoding="utf-8")
    assert main(["eval", "tiny-1"]) == 0


def test_ctrl_c_while_timing_ends_before_there_is_a_run(digits: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(each: Site, device: Device) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(tune, "timed", interrupted)
    assert main(["train", digits]) == 130
    assert not Path("runs").exists()

"""Runs that were killed and go on: the same to the last bit, wherever the kill fell; damaged states, two processes, changed settings."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import small
from hypothesis import given, settings
from hypothesis import strategies as st

from netcompiler.digest import digest
from netcompiler.plan import Plan
from netcompiler.recipe import Recipe
from runtime import atomic, checkpoint, journal
from runtime.checkpoint import CheckpointError
from runtime.data.faults import Fault, Faults
from runtime.data.feeder import Feeder, Read
from runtime.device import Host
from runtime.ending import Outcome
from runtime.keeping import Keeping, read_every
from runtime.runs import Run, RunError, create, create_at
from runtime.session import Session
from runtime.states import Saved, States
from runtime.trainer import Trainer

SPEC = small.text(
    """
  - {name: conv, conv: {filters: 3, kernel: 3}}
  - {name: bn, batch_norm}
  - relu
  - dropout: 0.3
  - flatten
  - {name: fc, linear: 5}
""",
    train="batch: 8, epochs: 3, optimizer: {adam: 0.01}, ema: 0.9, schedule: {plateau: {factor: 0.5, patience: 1}}, metrics: [top1], "
    "early_stop: {patience: 4}, augment: [crop: {padding: 1}, mixup: 0.5]",
)
COUNT = 42
"""Rows: five whole batches and a small one."""


class Silent:
    def step(self, moment: Any) -> None:
        """Nothing."""

    def epoch(self, row: Any) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def material() -> tuple[Plan, Recipe, Feeder]:
    _, recipe = small.read(SPEC)
    plan = small.planned(SPEC, recipe.batch, "f32")
    return plan, recipe, small.feeder(plan, {"in.input": small.pictures(COUNT).astype(np.float32), "target.output": small.labels(COUNT)})


def trained(material: tuple[Plan, Recipe, Feeder], run: Run, keeping: Keeping = Keeping(steps=2, seconds=None)) -> Outcome:  # noqa: B008
    """From the start, or from the last state that the run has."""
    plan, recipe, feeder = material
    trainer = Trainer(Session(plan, recipe.seed), recipe, feeder, feeder, keeping)
    with run.owned():
        saved, _ = run.states().newest()
        if saved:
            trainer.resume(saved)
        return trainer.fit(run, Silent(), {})


def left(run: Run) -> dict[str, bytes]:
    """What must not depend on kills."""
    files = {name: (run.folder / name).read_bytes() for name in ("metrics.csv", "best.safetensors", "last.safetensors")}
    [newest, *_] = run.states().files()
    tensors, about = checkpoint.read(newest)
    progress = json.loads(about["record"])["progress"]
    for row in progress["rows"]:
        del row["moment"]["speed"], row["moment"]["left"], row["moment"]["waiting"]
    del progress["seconds"]
    return {**files, "progress": json.dumps(progress).encode(), "state": checkpoint.digest(tensors, {}).encode()}


class Killed(BaseException):
    """What nothing catches."""


class Reaper:
    """Ends the process in thought, at one of the moments when a file is written or renamed or a step begins: nothing is written then."""

    def __init__(self, at: int, seed: int = 0) -> None:
        self.at, self.count, self.dead = at, 0, False
        self.random = random.Random(seed)

    def moment(self) -> None:
        self.count += 1
        if self.count == self.at:
            self.dead = True
            raise Killed

    def fsync(self, handle: int) -> None:
        """The file may be written in part."""
        try:
            self.moment()
        except Killed:
            found = os.fstat(handle)
            if self.random.random() < 0.7 and stat.S_ISREG(found.st_mode):
                os.truncate(handle, self.random.randrange(found.st_size + 1))
            raise

    def replace(self, old: Path, new: Path) -> None:
        """Before it or right behind it."""
        self.moment()
        os.rename(old, new)
        self.moment()


@contextmanager
def reaped(monkeypatch: pytest.MonkeyPatch, at: int) -> Iterator[Reaper]:
    reaper = Reaper(at, at)
    step, unlink, rmtree = Session.begin_step, Path.unlink, shutil.rmtree

    def steps(self: Session, *args: Any, **options: Any) -> Callable[[], dict[str, float]]:
        reaper.moment()
        return step(self, *args, **options)

    def unlinks(self: Path, missing_ok: bool = False) -> None:
        if not reaper.dead:
            unlink(self, missing_ok)

    def removes(path: Path) -> None:
        if not reaper.dead:
            rmtree(path)

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", removes)
        patch.setattr(atomic.os, "fsync", reaper.fsync)
        patch.setattr(atomic.os, "replace", reaper.replace)
        patch.setattr(Session, "begin_step", steps)
        patch.setattr(Path, "unlink", unlinks)
        yield reaper


@pytest.mark.parametrize("behind", [1, 3])
def test_steps_that_are_begun_ahead_leave_the_same(
    material: tuple[Plan, Recipe, Feeder], tmp_path: Path, behind: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a GPU, where figures are asked for when the next step has begun."""
    whole, run = create_at(tmp_path / "whole"), create_at(tmp_path / "run")
    trained(material, whole)
    monkeypatch.setattr(Host, "behind", behind)
    trained(material, run)
    assert left(run) == left(whole)


def test_a_run_killed_at_any_moment_goes_on_to_the_same_end(
    material: tuple[Plan, Recipe, Feeder], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """52 random moments of all that there are, half of them inside the writing of a file; each run is killed twice."""
    whole = create_at(tmp_path / "whole")
    with reaped(monkeypatch, 0) as reaper:
        assert trained(material, whole).ended in ("complete", "early stop")
    expected = left(whole)
    draw = random.Random(1)
    for turn, at in enumerate(draw.sample(range(1, reaper.count), 52)):
        run = create_at(tmp_path / f"run-{turn}")
        for moment in (at, draw.randrange(1, reaper.count)):
            with reaped(monkeypatch, moment) as dying:
                try:
                    trained(material, run)
                except Killed:
                    assert dying.dead
        trained(material, run)
        found = left(run)
        assert [name for name in expected if found[name] != expected[name]] == [], f"killed at {at} of {reaper.count}"
        assert not list(run.folder.rglob(".*"))


@pytest.mark.parametrize("damage", ["cut", "flip", "nothing left"])
def test_a_damaged_state_gives_way_to_the_one_before(
    material: tuple[Plan, Recipe, Feeder], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, damage: str
) -> None:
    whole, run = create_at(tmp_path / "whole"), create_at(tmp_path / "run")
    trained(material, whole)
    with reaped(monkeypatch, 90), pytest.raises(Killed):
        trained(material, run)
    newest, before, *_ = run.states().files()
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 16
    newest.write_bytes({"cut": content[: len(content) // 3], "flip": content, "nothing left": b""}[damage])
    saved, [complaint] = run.states().newest()
    assert saved
    assert str(newest) in complaint
    assert f"step-{saved.record['progress']['step']:09}" in before.name
    trained(material, run)
    assert left(run) == left(whole)


def test_no_more_states_than_asked_for(material: tuple[Plan, Recipe, Feeder], tmp_path: Path) -> None:
    run = create_at(tmp_path / "run")
    trained(material, run, Keeping(steps=1, seconds=None, keep=3))
    assert len(run.states().files()) == 3


FULL = OSError(28, "No space left on device")


@pytest.mark.parametrize("at", [1, 9, 27, 40])
def test_a_full_disk_ends_training_and_takes_nothing(
    material: tuple[Plan, Recipe, Feeder], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, at: int
) -> None:
    whole, run = create_at(tmp_path / "whole"), create_at(tmp_path / "run")
    trained(material, whole)
    count = 0

    def full(handle: int) -> None:
        nonlocal count
        count += 1
        if count >= at:
            raise FULL

    with monkeypatch.context() as patch:
        patch.setattr(atomic.os, "fsync", full)
        outcome = trained(material, run)
    assert outcome.ended == "disk"
    assert "No space left on device" in outcome.why
    saved, complaints = run.states().newest()
    assert (saved.record["progress"]["step"] if saved else -1) >= outcome.kept  # a file may be there that nobody could promise
    assert not complaints
    trained(material, run)
    assert left(run) == left(whole)


def test_data_that_vanishes_ends_training_with_all_that_was_learnt(material: tuple[Plan, Recipe, Feeder], tmp_path: Path) -> None:
    plan, recipe, feeder = material

    class Vanishing(Feeder):
        def batches(self, size: int, order: Any = None) -> Iterator[Any]:
            for number, item in enumerate(super().batches(size, order)):
                if number == 3 and order is not None:
                    raise FileNotFoundError(2, "No such file or directory", "pictures/7.jpg")
                yield item

    whole, run = create_at(tmp_path / "whole"), create_at(tmp_path / "run")
    trained(material, whole)
    outcome = trained((plan, recipe, Vanishing(feeder.rows, feeder.readers)), run)
    assert (outcome.ended, outcome.steps, outcome.kept) == ("data lost", 3, 3)
    assert outcome.why == "pictures/7.jpg cannot be read: No such file or directory"
    trained(material, run)
    assert left(run) == left(whole)


@pytest.mark.parametrize("part", ["train", "test"])
def test_an_epoch_without_a_row_ends_training(material: tuple[Plan, Recipe, Feeder], tmp_path: Path, part: str) -> None:
    """Where bad rows are skipped, and all of them are bad by then."""
    plan, recipe, feeder = material

    class Bad(Feeder):
        def read(self, places: Any) -> Read:
            read = super().read(places)
            return Read(places[:0], {name: x[:0] for name, x in read.values.items()}, [Fault(f"row {at}", "gone") for at in places])

    bad = Bad(feeder.rows, feeder.readers, faults=Faults("skip"))  # type: ignore[arg-type]
    trainer = Trainer(Session(plan, recipe.seed), recipe, bad if part == "train" else feeder, bad if part == "test" else feeder)
    with create_at(tmp_path / "run").owned() as run:
        outcome = trainer.fit(run, Silent(), {})
    assert (outcome.ended, outcome.steps, outcome.rows) == ("data lost", 6, [])
    assert outcome.why == f"no row to {'train' if part == 'train' else 'validate'} on can be read any more"


def test_a_run_is_there_whole_or_not_at_all(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Killed at every moment of its beginning: what has a name can go on."""

    def fill(run: Run) -> None:
        run.write("spec.yaml", "netc: 1")
        run.write_summary({"spec": "spec.yaml", "variant": None, "settings": [], "best": None})

    for at in range(1, 12):
        home = tmp_path / f"{at}"
        with reaped(monkeypatch, at) as dying, contextlib.suppress(Killed):
            create(home, "net", fill)
        for folder in home.glob("[!.]*"):
            assert Run(folder).summary()["spec"] == "spec.yaml"
            assert (folder / "spec.yaml").exists()
        if not dying.dead:
            break
    assert at == 10  # two files with four moments each, the new name of the folder, and none
    assert [path.name for path in home.iterdir()] == ["net-1"]
    assert create(home, "net", fill).folder.name == "net-2"


def test_what_is_not_finite_is_never_saved(material: tuple[Plan, Recipe, Feeder], tmp_path: Path) -> None:
    """Even where no loss shows it: pictures so large that their variance overflows are normalized to zero."""
    plan, recipe, feeder = material
    x = feeder.readers["in.input"].field.rows(np.arange(COUNT))  # type: ignore[union-attr]
    huge = small.feeder(plan, {"in.input": x * np.float32(1e30), "target.output": small.labels(COUNT)})
    run = create_at(tmp_path / "run")
    outcome = trained((plan, recipe, huge), run)
    assert (outcome.ended, outcome.best) == ("not finite", None)
    assert outcome.why == "bn.running_var is not finite after step 2"
    assert not run.states().files()
    assert not run.weights().exists()


def test_one_process_at_a_time(tmp_path: Path) -> None:
    run = create_at(tmp_path / "run")
    with run.owned(), pytest.raises(RunError, match="written by another process"), Run(run.folder).owned():
        pass
    with Run(run.folder).owned():
        pass


# files


TENSORS = {"w": np.arange(6, dtype=np.float32).reshape(2, 3), "tick": np.array(7, np.int64), "none": np.zeros((0, 2), np.float32)}


@given(data=st.data())
@settings(max_examples=300, deadline=None)
def test_a_state_is_right_or_refused(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Whatever bits turn, and wherever the file ends."""
    states = States(tmp_path_factory.mktemp("states"))
    states.save(3, Saved(TENSORS, {"progress": {"step": 3}}))
    [path] = states.files()
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(0, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)) | st.just(len(content)))])
    saved, complaints = states.newest()
    assert (saved is None) == bool(complaints)
    if saved:
        assert saved.record == {"progress": {"step": 3}}
        small.same(saved.tensors, TENSORS, 0)


@given(data=st.data())
@settings(max_examples=200, deadline=None)
def test_weights_are_right_or_refused(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    path = tmp_path_factory.mktemp("weights") / "w.safetensors"
    checkpoint.save(path, TENSORS, {})
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(content)
    try:
        found, scales = checkpoint.load(path)
    except CheckpointError:
        return
    assert scales == {}
    small.same(found, TENSORS, 0)


def test_a_cut_off_line_is_no_event(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text('{"event": "one"}\n{"event": "tw', encoding="utf-8")
    with journal.Journal(path) as writing:
        writing.add("three", {"step": 3})
    assert [event["event"] for event in journal.read(path)] == ["one", "three"]


@pytest.mark.parametrize(
    ("text", "steps", "seconds"),
    [("500 steps", 500, None), ("1 step", 1, None), ("10 min", None, 600), ("90s", None, 90), ("2 h", None, 7200)],
)
def test_every(text: str, steps: int | None, seconds: float | None) -> None:
    assert read_every(text) == (steps, seconds)


@pytest.mark.parametrize("text", ["", "10", "0 steps", "-1 min", "1.5 h", "ten min", "10 minutes ago"])
def test_no_time(text: str) -> None:
    with pytest.raises(ValueError, match=f"^{text}$"):
        read_every(text)


def test_plans_are_numbers() -> None:
    """Equal wherever the spec lies, another with each thing that a step depends on."""
    other = {"dtype": "f64", "batch": 9}
    plans = [small.planned(SPEC, 8, "f32"), small.planned(SPEC.replace("\nname", "\ndoc: x\nname"), 8, "f32")]
    assert len({digest(plan) for plan in plans}) == 1
    others = [small.planned(SPEC, other["batch"], "f32"), small.planned(SPEC, 8, other["dtype"])]  # type: ignore[arg-type]
    others.append(small.planned(SPEC.replace("ema: 0.9", "ema: 0.8"), 8, "f32"))
    assert len({digest(plan) for plan in (*plans, *others)}) == 4


# processes


TINY = """netc: 1
name: tiny
input: [1, 8, 8]
layers:
  - {name: conv, conv: {filters: 6, kernel: 3}}
  - {name: bn, batch_norm}
  - relu
  - dropout: 0.2
  - flatten
  - {name: fc, linear: 10}
loss: cross_entropy
train: {data: digits, batch: 50, epochs: 4, optimizer: {adam: 0.01}, schedule: cosine, ema: 0.9, normalize: auto}
"""


PLAIN = ("--target", "numpy")
"""Begins at once: nothing is compiled."""
PATIENCE = 300
"""Seconds, on a machine that has other things to do."""


def netc(folder: Path, *words: str, **options: Any) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "netcompiler", "train", *words]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """The status, and what was said on standard error but for what is only told to who waits."""
    with process:
        _, said = process.communicate(timeout=PATIENCE)
    return process.returncode, "".join(line for line in said.splitlines(True) if "it is kept for the next time" not in line)


def signalled(process: subprocess.Popen[str], sign: Path, number: int, after: float) -> tuple[int, str]:
    """A signal some time after a file or a folder is there."""
    limit = time.monotonic() + PATIENCE
    while not sign.exists() and process.poll() is None and time.monotonic() < limit:
        time.sleep(0.001)
    time.sleep(after)
    process.send_signal(number)
    return ended(process)


class Whole(NamedTuple):
    """A run that nobody disturbed: what it left, and the seconds from its folder to its end."""

    home: Path
    left: dict[str, bytes]
    seconds: float


@pytest.fixture(params=["numpy", "cpu"])
def whole(request: pytest.FixtureRequest, tmp_path: Path) -> Whole:
    """The spec is elsewhere afterwards: a run needs nothing but its folder."""
    (tmp_path / "tiny.yaml").write_text(TINY, encoding="utf-8")
    process, run = netc(tmp_path, "tiny.yaml", "--run-dir", "whole", "--target", request.param), tmp_path / "whole"
    while not run.exists() and process.poll() is None:
        time.sleep(0.001)
    begin = time.perf_counter()
    assert ended(process) == (0, "")
    seconds = time.perf_counter() - begin
    (tmp_path / "tiny.yaml").rename(tmp_path / "other.yaml")
    return Whole(tmp_path, left(Run(run)), seconds)


def goes_on(whole: Whole, name: str, number: int, sign: str, after: float) -> None:
    """Begun, signalled, resumed: it leaves what the undisturbed run left."""
    run, target = whole.home / name, Run(whole.home / "whole").summary()["target"]
    process = netc(whole.home, "other.yaml", "--run-dir", name, "--every", "2 steps", "--target", target)
    status, said = signalled(process, run / sign, number, after)
    assert status in (0, {signal.SIGKILL: -9, signal.SIGINT: 130, signal.SIGTERM: 143}[number]), said
    if status in (130, 143):
        assert f"`netc train --resume {name}` goes on from there" in said
    assert ended(netc(whole.home, "--resume", name)) == (0, "")
    found = left(Run(run))
    assert [part for part in whole.left if found[part] != whole.left[part]] == [], f"{number} {after} s after {sign or 'the folder'}"


def test_processes_that_are_killed_or_interrupted(whole: Whole) -> None:
    """The command itself, by real signals: as soon as there is a run, and some time after its first state."""
    draw = random.Random(os.getpid())
    goes_on(whole, "early", signal.SIGKILL, "", 0)
    for number in (signal.SIGKILL, signal.SIGINT, signal.SIGTERM):
        goes_on(whole, f"run-{number}", number, "last.safetensors", 0.15 * draw.random())


@pytest.mark.slow
def test_processes_that_are_killed_anywhere(whole: Whole) -> None:
    """SIGKILL 50 times, at any time from the folder to the end."""
    draw = random.Random(os.getpid())
    for turn in range(50):
        goes_on(whole, f"run-{turn}", signal.SIGKILL, "", draw.random() * whole.seconds)


def test_a_process_without_room_for_its_files(tmp_path: Path) -> None:
    """A limit on the size of files stands for a full disk: the kernel takes a part and refuses the rest."""
    resource = pytest.importorskip("resource")
    (tmp_path / "tiny.yaml").write_text(TINY, encoding="utf-8")
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))  # noqa: E731
    status, said = ended(netc(tmp_path, "tiny.yaml", "--run-dir", "run", *PLAIN, preexec_fn=limit))
    assert status == 1
    assert "cannot be written: File too large. Training ended after step 30" in said
    assert ended(netc(tmp_path, "--resume", "run")) == (0, "")
    assert not list((tmp_path / "run").rglob(".*"))

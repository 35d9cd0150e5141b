"""From rows to batches: the same whatever reads them, bad rows named and counted, and how long was waited."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from files import array, folder, packed, smooth
from hypothesis import given, settings
from hypothesis import strategies as st

from netcompiler.recipe import DATA
from runtime.data import resident
from runtime.data.ahead import SPARE, ahead
from runtime.data.faults import DataError, Fault, Faults
from runtime.data.feeder import Feeder, fitted
from runtime.data.order import shuffled
from runtime.data.source import read
from runtime.data.wanted import Wanted

WANTS = {"in.input": Wanted((3, 12, 16)), "target.output": Wanted((), 3)}
FIELDS = {"in.input": "image", "target.output": "label"}


def feeder(home: Path, threads: int = 0, room: int = 0, policy: str = "stop", wants: dict[str, Wanted] | None = None) -> Feeder:
    faults = Faults(policy)
    rows = read(DATA["folder"](path=str(home)), {}, 0, faults).train
    return Feeder(rows, fitted(rows, FIELDS, wants or WANTS, None), None, faults, threads, room)


def epoch(feeder: Feeder, size: int = 4, turn: int = 0) -> list[tuple[list[int], bytes, list[int]]]:
    """Places, pictures and classes of each batch."""
    order = shuffled(len(feeder), 0, "order", turn)
    return [(p.tolist(), x["input"].tobytes(), y["output"].tolist()) for p, (x, y) in feeder.batches(size, order)]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pictures")
    folder(path, {"a": 7, "b": 9, "c": 6})
    return path


@pytest.mark.parametrize("room", [0, 2**20], ids=["read", "resident"])
@pytest.mark.parametrize("threads", [0, 1, 4])
def test_batches_are_the_same_whatever_reads_them(home: Path, threads: int, room: int) -> None:
    plain, other = feeder(home), feeder(home, threads, room)
    for turn in (0, 1, 0):
        assert epoch(other, turn=turn) == epoch(plain, turn=turn)


def test_every_row_is_there_once_with_its_class(home: Path) -> None:
    batches = epoch(feeder(home, 2))
    places = [place for batch, _, _ in batches for place in batch]
    assert sorted(places) == list(range(22))
    assert [len(batch) for batch, _, _ in batches] == [4, 4, 4, 4, 4, 2]
    for batch, content, classes in batches:
        pictures = np.frombuffer(content, np.uint8).reshape(-1, 3, 12, 16)
        assert classes == [0 if p < 7 else 1 if p < 16 else 2 for p in batch] == pictures[:, 0, 0, 0].tolist()


def test_what_is_resident_is_read_once(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = feeder(home, 2, 2**20)
    first = epoch(kept)
    monkeypatch.setattr("runtime.data.packed.Files.content", lambda self, place: pytest.fail("it was read again"))
    assert epoch(kept) == first
    with pytest.raises(pytest.fail.Exception):
        epoch(feeder(home))


def test_room_is_less_than_the_memory() -> None:
    assert 2**20 < resident.room() < 2**50


def test_pictures_lie_in_memory_as_plans_read_them(home: Path) -> None:
    """Channels first to look at, last in memory: no copy turns them."""
    inputs, _ = feeder(home).batch(np.arange(4))
    assert inputs["input"].dtype == np.uint8
    assert np.moveaxis(inputs["input"], 1, -1).flags.c_contiguous


# bad rows


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    folder(tmp_path, {"a": 3, "b": 3})
    (tmp_path / "a" / "001.png").write_bytes(packed(smooth(12, 16))[:80])
    (tmp_path / "b" / "002.png").unlink()
    (tmp_path / "b" / "002.png").symlink_to(tmp_path / "nowhere.png")
    return tmp_path


@pytest.mark.parametrize("threads", [0, 1, 4])
def test_a_bad_row_is_named_where_its_batch_is_asked_for(damaged: Path, threads: int) -> None:
    batches = feeder(damaged, threads).batches(1)
    next(batches)
    with pytest.raises(DataError, match=r"a/001\.png: it is damaged.*--on-bad-data skip"):
        next(batches)


@pytest.mark.parametrize("room", [0, 2**20], ids=["read", "resident"])
@pytest.mark.parametrize("threads", [0, 4])
def test_bad_rows_are_left_out_and_counted_once(damaged: Path, threads: int, room: int) -> None:
    loose = feeder(damaged, threads, room, "skip")
    for _ in range(2):
        assert [(places.tolist(), y["output"].tolist()) for places, (_, y) in loose.batches(2)] == [
            ([0], [0]),
            ([2, 3], [0, 1]),
            ([4], [1]),
        ]
    assert [where.rpartition("/")[2] for where in loose.faults.found] == ["001.png", "002.png"]
    assert "002.png: it cannot be read: No such file or directory" in str(loose.faults)


def test_a_batch_of_bad_rows_alone_comes_without_rows(damaged: Path) -> None:
    loose = feeder(damaged, 2, policy="skip")
    assert [len(places) for places, _ in loose.batches(1)] == [1, 0, 1, 1, 1, 0]


@pytest.mark.parametrize("threads", [0, 4])
@pytest.mark.parametrize("emptied", [False, True], ids=["gone", "empty"])
def test_data_that_vanishes_is_no_matter_of_bad_rows(home: Path, tmp_path: Path, threads: int, emptied: bool) -> None:
    """A folder that was moved, or where no disk is mounted any more, ends what skips bad rows, too."""
    moved = tmp_path / "pictures"
    shutil.copytree(home, moved)
    loose = feeder(moved, threads, policy="skip")
    assert len(list(loose.batches(8))) == 3
    moved.rename(tmp_path / "away")
    if emptied:
        moved.mkdir()
    with pytest.raises(DataError, match="pictures is empty by now" if emptied else "pictures cannot be read any more: No such file"):
        list(loose.batches(8))
    assert not loose.faults


def test_classes_that_the_net_lacks_are_found_before_anything_is_read(home: Path) -> None:
    few = {**WANTS, "target.output": Wanted((), 2)}
    with pytest.raises(DataError, match=r"c/000\.png: label is 2, and the net's 2 classes are 0 to 1"):
        feeder(home, wants=few)
    loose = feeder(home, policy="skip", wants=few)
    assert (len(loose), len(loose.faults)) == (16, 6)


def test_only_so_many_faults_are_told() -> None:
    faults = Faults("skip")
    for at in range(9):
        faults.add(Fault(f"file {at}", "bad"))
    assert str(faults).splitlines()[:2] == ["9 rows of the data are bad, and were left out:", "  file 0: bad"]
    assert str(faults).splitlines()[-1] == "  and 4 more"


# ahead


@given(jobs=st.integers(0, 30), threads=st.integers(0, 5))
@settings(max_examples=30, deadline=None)
def test_results_come_in_the_order_of_the_jobs(jobs: int, threads: int) -> None:
    assert list(ahead(lambda n: n * n, range(jobs), threads)) == [n * n for n in range(jobs)]


def test_only_a_few_results_are_there_ahead_of_their_use() -> None:
    begun: list[int] = []

    def work(n: int) -> int:
        begun.append(n)
        return n

    results = ahead(work, range(100), 3)
    next(results)
    time.sleep(0.05)
    assert 1 < len(begun) <= 1 + 3 + SPARE
    results.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("netc data")]


def test_an_error_comes_with_its_job() -> None:
    results = ahead(lambda n: 1 // n, [1, 0, 1], 2)
    assert next(results) == 1
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_waiting_is_measured(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = feeder(home, 1)
    content = type(slow.rows.fields["image"].packed).content  # type: ignore[attr-defined]
    monkeypatch.setattr("runtime.data.packed.Files.content", lambda self, place: (time.sleep(0.01), content(self, place))[1])
    epoch(slow)
    assert 0.15 < slow.waited < 2
    waited, steps = slow.waited, 0
    for _ in _with_pauses(slow.batches(4), 0.1):
        steps += 1
    assert steps == 6
    assert slow.waited - waited < 0.15


def _with_pauses(batches: Iterator[object], seconds: float) -> Iterator[object]:
    for batch in batches:
        yield batch
        time.sleep(seconds)


def test_rows_of_several_files_come_from_each_of_them(tmp_path: Path) -> None:
    for n in range(3):
        (tmp_path / f"{n}").mkdir()
        (tmp_path / f"{n}" / "x.npy").write_bytes(array(np.full((2, 1, 2, 2), n / 4)))
        (tmp_path / f"{n}" / "y.npy").write_bytes(array(np.full(2, n)))
    rows = read(DATA["npz"](path=str(tmp_path / "{0..2}")), {}, 0, Faults()).train
    wants = {"in.x": Wanted((1, 2, 2)), "target.y": Wanted((), 3)}
    found = Feeder(rows, fitted(rows, {"in.x": "x", "target.y": "y"}, wants, None))
    x, y = found.batch(np.array([5, 0, 3]))
    assert y["y"].tolist() == [2, 0, 1]
    assert x["x"][:, 0, 0, 0].tolist() == [0.5, 0, 0.25]

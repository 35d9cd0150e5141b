"""Tar shards, mapped and packed arrays, sounds; and what is said of damaged ones."""

from __future__ import annotations

import os
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from files import array as npy
from files import noise, packed, smooth, sound, tar
from sources import IMAGE, LABEL, labels, refused, sets, values

from runtime.data.faults import BadRow, DataError
from runtime.data.fields import Table
from runtime.data.fit import Form
from runtime.data.npz import read_npz
from runtime.data.shards import named
from runtime.data.signal import Waves
from runtime.data.tar import members
from runtime.data.wanted import Wanted

# tar shards


def shard(path: Path, first: int, form: int = tarfile.USTAR_FORMAT, home: str = "") -> None:
    records = {
        f"{home}{n:04}.{ending}": content
        for n in range(first, first + 2)
        for ending, content in (("png", packed(smooth(12, 16, n))), ("cls", str(n % 3).encode()), ("json", b"[1, 2]"))
    }
    tar(path, records, form)


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT], ids=["ustar", "gnu", "pax"])
@pytest.mark.parametrize("home", ["", "a/b.c/", "long" * 40 + "/", "ä" * 70 + "/"], ids=["flat", "folder", "long", "letters"])
def test_shards_hold_records(tmp_path: Path, form: int, home: str) -> None:
    if form == tarfile.USTAR_FORMAT and len(home) > 60:
        home = "half/" * 20
    for n in range(2):
        shard(tmp_path / f"t-{n:03}.tar", 2 * n, form, home)
    options = {"path": str(tmp_path / "t-{000..001}.tar"), "inputs": ["png"], "targets": ["cls", "json"]}
    found, _ = sets("shards", options)
    assert values(found.train.fields["cls"], LABEL).tolist() == [0, 1, 2, 0]
    assert values(found.train.fields["json"], Wanted((2,))).tolist() == [[1, 2]] * 4
    images = values(found.train.fields["png"], IMAGE)
    assert all((images[n] == np.moveaxis(smooth(12, 16, n), -1, 0)).all() for n in range(4))


def test_a_name_with_a_range_stands_for_many() -> None:
    assert list(map(str, named("a-{08..11}.tar"))) == ["a-08.tar", "a-09.tar", "a-10.tar", "a-11.tar"]
    assert len(named("{0..2}/{0..3}")) == 12
    with pytest.raises(DataError, match="stands for 0 files"):
        named("a-{5..4}.tar")


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ({"../0.png": b"x", "../0.cls": b"1"}, r"a file outside of itself, `../0.png`"),
        ({"/0.png": b"x"}, "a file outside of itself"),
        ({"0.png": b"x"}, "0: there is no field `cls`; there is png"),
        ({"0.png": b"x", "0.cls": b"\xff"}, "its .cls is no UTF-8 text"),
        ({"0.png": b"x", "0.PNG": b"x"}, "has two files .png"),
    ],
    ids=["outside", "absolute", "missing", "text", "twice"],
)
def test_bad_shards_are_refused(tmp_path: Path, names: dict[str, bytes], words: str) -> None:
    tar(tmp_path / "t.tar", names)
    assert words in refused("shards", {"path": str(tmp_path / "t.tar"), "inputs": ["png"]})


def test_records_of_other_fields_are_told(tmp_path: Path) -> None:
    """Also where bad rows are only counted: what there is instead."""
    shard(tmp_path / "t.tar", 0)
    with pytest.raises(DataError, match=r"no row of .*t.tar can be read: .*0000: there is no field `jpg`; there is png, cls, json"):
        sets("shards", {"path": str(tmp_path / "t.tar")}, policy="skip")


def test_links_in_a_tar_file_are_not_followed(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "t.tar", "w") as file:
        info = tarfile.TarInfo("0.png")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        file.addfile(info)
    with pytest.raises(DataError, match=r"0\.png is a link"):
        members(tmp_path / "t.tar")


def test_the_members_are_those_that_tarfile_sees(tmp_path: Path) -> None:
    shard(tmp_path / "t.tar", 0, home="x/")
    with tarfile.open(tmp_path / "t.tar") as file:
        want = [(info.name, info.offset_data, info.size) for info in file if info.isfile()]
    assert [(member.name, member.begin, member.size) for member in members(tmp_path / "t.tar")] == want


def test_the_count_of_records_is_compared(tmp_path: Path) -> None:
    shard(tmp_path / "t.tar", 0)
    options = {"path": str(tmp_path / "t.tar"), "inputs": ["png"]}
    assert len(sets("shards", {**options, "count": 2})[0].train) == 2
    assert "holds 2 whole records, and `count` says 3" in refused("shards", {**options, "count": 3})


# arrays


def test_npz_gives_the_named_arrays(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.ones((3, 1, 2, 2)), y=np.arange(3), z=np.zeros(9))
    rows = read_npz([tmp_path / "a.npz"], ["x", "y"])
    assert list(rows.fields) == ["x", "y"]
    assert len(rows) == 3


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed], ids=["stored", "packed"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_come_back(tmp_path: Path, save: Callable[..., None], order: str) -> None:
    x = np.asarray(noise(5, 3, 4, 6).astype(np.float32), order=order)
    save(tmp_path / "a.npz", x=x, y=np.arange(5))
    field = read_npz([tmp_path / "a.npz"], ["x", "y"]).fields["x"]
    assert isinstance(field, Table)
    assert isinstance(field.parts[0], np.memmap) == (save is np.savez)
    assert (values(field, Wanted((3, 4, 6))) == x).all()


def test_arrays_in_a_folder_are_mapped(tmp_path: Path) -> None:
    for name, content in {"x": noise(4, 1, 2, 2), "y": np.arange(4)}.items():
        np.save(tmp_path / f"{name}.npy", content)
    found, _ = sets("npz", {"path": str(tmp_path)})
    field = found.train.fields["x"]
    assert isinstance(field, Table)
    assert isinstance(field.parts[0], np.memmap)
    assert (values(field, Wanted((1, 2, 2))) == noise(4, 1, 2, 2)).all()


def test_files_of_one_set_follow_one_another(tmp_path: Path) -> None:
    for n in range(3):
        np.savez(tmp_path / f"t-{n}.npz", x=np.full((n + 1, 2), n, np.float32), y=np.arange(n + 1))
    found, _ = sets("npz", {"path": str(tmp_path / "t-{0..2}.npz")})
    x = found.train.fields["x"]
    assert values(x, Wanted((2,)))[:, 0].tolist() == [0, 1, 1, 2, 2, 2]
    assert x.read(np.array([5, 0, 2]), Form(Wanted((2,)), None, "x")).values[:, 1].tolist() == [2, 0, 1]


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"x": np.ones(3)}, "has no array `y`; it has x"),
        ({"x": np.ones((3, 2)), "y": np.arange(4)}, "different lengths: x 3, y 4"),
        ({"x": np.array(["a", "b", "c"]), "y": np.arange(3)}, "numbers, one row for each picture"),
        ({"x": np.ones((0, 2)), "y": np.arange(0)}, "there are no rows"),
        ({"x": np.array([{}, {}], object), "y": np.arange(2)}, "object"),
    ],
    ids=["missing", "lengths", "text", "empty", "pickle"],
)
def test_bad_arrays_are_refused(tmp_path: Path, arrays: dict[str, np.ndarray], words: str) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    assert words in refused("npz", {"path": str(tmp_path / "a.npz")})


def test_a_zip_with_paths_outside_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as file:
        file.writestr("../x.npy", npy(np.arange(3)))
    assert "holds a file outside of itself, `../x.npy`" in refused("npz", {"path": str(tmp_path / "a.npz")})


def test_an_array_that_announces_more_than_there_is(tmp_path: Path) -> None:
    head = npy(np.zeros((9, 2)))[:128].replace(b"(9, 2)", b"(9999999999, 2)"[:6])
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("x.npy", head.replace(b"(99999", b"(9, 4)"))
        file.writestr("y.npy", npy(np.arange(3)))
    assert "announces 288 bytes of values, and has 0" in refused("npz", {"path": str(tmp_path / "a.npz")})


def test_values_that_are_not_finite_are_named_by_their_row(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.array([[1.0], [np.nan], [2.0], [np.inf]]), y=np.array([0, 1, 9, 2]))
    rows = sets("npz", {"path": str(tmp_path / "a.npz")})[0].train
    x = rows.fields["x"].read(np.arange(4), Form(Wanted((1,)), None, "x"))
    y = rows.fields["y"].read(np.arange(4), Form(LABEL, None, "y"))
    assert {at: fault.where for at, fault in x.faults.items()} == {n: f"x in {tmp_path}/a.npz: row {n}" for n in (1, 3)}
    assert "y is 9, and the net's 3 classes are 0 to 2" in y.faults[2].why


# sounds


@pytest.mark.parametrize("width", [1, 2, 3, 4])
@pytest.mark.parametrize("channels", [1, 2])
def test_sounds_of_every_width(width: int, channels: int) -> None:
    samples = np.sin(np.arange(50 * channels).reshape(channels, 50) / 5)
    found = Waves().raw(sound(samples, width=width))
    assert found.dtype == np.float32
    assert np.abs(found - samples).max() < 2.0 ** (2 - 8 * min(width, 3))


def test_a_folder_of_sounds(tmp_path: Path) -> None:
    for number, name in enumerate(["no", "yes"]):
        (tmp_path / name).mkdir()
        for at in range(2):
            (tmp_path / name / f"{at}.wav").write_bytes(sound(np.full((1, 90 + 20 * at), number / 2)))
    found, _ = sets("signals", {"path": str(tmp_path), "rate": 8000})
    heard = values(found.train.fields["signal"], Wanted((1, 100)))
    assert heard.shape == (4, 1, 100)
    assert heard[:, 0, 50].round(3).tolist() == [0, 0, 0.5, 0.5]
    assert (heard[2, 0, :5] == 0).all()
    assert labels(found.train) == [0, 0, 1, 1]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"RIFF", "no readable WAV file"),
        (sound(np.zeros((1, 90)))[:-20], "it announces 90 samples, and has 80"),
        (sound(np.zeros((1, 90)), rate=16000), "it has 16,000 samples a second, and the data 8,000"),
        (sound(np.zeros((2, 90))), "it has 2 channels, and the data 1"),
    ],
    ids=["magic", "short", "rate", "channels"],
)
def test_bad_sounds_are_told(content: bytes, words: str) -> None:
    with pytest.raises(BadRow) as error:
        Waves(8000, 1).raw(content)
    assert words in str(error.value)


def test_a_folder_of_arrays(tmp_path: Path) -> None:
    for name in ("b", "d"):
        (tmp_path / name).mkdir()
        np.save(tmp_path / name / "0.npy", np.full((16, 15), 0.5))
    np.save(tmp_path / "d" / "1.npy", np.full((16, 15), np.nan))
    found, _ = sets("signals", {"path": str(tmp_path)})
    reading = found.train.fields["signal"].read(np.arange(3), Form(Wanted((16, 15)), None, "signal"))
    assert reading.values[:2].min() == reading.values[:2].max() == 0.5
    assert str(reading.faults[2]) == f"{os.path.join(tmp_path, 'd/1.npy')}: it holds a value that is not finite"

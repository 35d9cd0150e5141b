"""Data: what comes with netc, the readers of files, fitting to a net, order, normalization, and everything bad that is refused."""

from __future__ import annotations

import gzip
import hashlib
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netcompiler.recipe import DATA
from netcompiler.recipe.normalization import Auto, Channels
from runtime.data.faults import DataError, Faults
from runtime.data.feeder import Feeder, fitted
from runtime.data.fields import Table
from runtime.data.fit import Form, centred, fit, scaled, weights
from runtime.data.idx import read_idx
from runtime.data.named import FILES, SETS, folder
from runtime.data.order import held_out, shuffled
from runtime.data.resident import Fitted
from runtime.data.rows import Rows, Sets
from runtime.data.scale import Scale, measured, scale
from runtime.data.source import read
from runtime.data.wanted import Wanted


def read_set(name: str, path: Path | None = None) -> Sets:
    return SETS[name](str(path) if path else None, Faults())


def array(rows: Rows, name: str) -> np.ndarray:
    field = rows.fields[name]
    assert isinstance(field, Table)
    return field.rows(rows.picked)


# what comes with netc


@pytest.mark.parametrize(
    ("name", "side", "train", "test", "digest"),
    [
        ("digits", 8, 1498, 299, "1a0459ee522f985f"),
        ("fashion_mini", 28, 5000, 1000, "10e2c73b83c53eb2"),
    ],
)
def test_embedded_sets_are_whole(name: str, side: int, train: int, test: int, digest: str) -> None:
    sets = read_set(name)
    assert sets.test
    for rows, count in ((sets.train, train), (sets.test, test)):
        assert len(rows) == count
        assert array(rows, "image").shape == (count, 1, side, side)
        assert array(rows, "image").dtype == np.uint8
        assert array(rows, "image").max() == 255
        assert set(array(rows, "label")) == set(range(10)) == set(range(len(sets.classes)))
    content = b"".join(array(rows, name).tobytes() for rows in (sets.train, sets.test) for name in rows.fields)
    assert hashlib.sha256(content).hexdigest()[:16] == digest


def test_fashion_mini_has_as_many_of_each_class() -> None:
    sets = read_set("fashion_mini")
    assert sets.test
    assert np.bincount(array(sets.train, "label")).tolist() == [500] * 10
    assert np.bincount(array(sets.test, "label")).tolist() == [100] * 10


def test_digits_look_like_digits() -> None:
    """The first row of the published table is a 0: a ring, dark in the middle."""
    zero = array(read_set("digits").train, "image")[0, 0]
    assert zero[0].tolist() == [0, 0, 80, 207, 143, 16, 0, 0]
    assert zero[3:5, 3:5].max() == 0


def test_no_file_that_comes_along_needs_pickle() -> None:
    for path in FILES.glob("*.npz"):
        with np.load(path, allow_pickle=False) as arrays:
            assert all(arrays[name].dtype == np.uint8 for name in arrays)


# files


def outcome(read: Callable[[], np.ndarray]) -> np.ndarray | str:
    """What was read, or the words of the error."""
    try:
        return read()
    except DataError as error:
        return str(error)


def idx(values: np.ndarray, code: int = 8) -> bytes:
    return bytes([0, 0, code, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape) + values.tobytes()


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_idx_gives_back_what_was_written(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    values = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    (tmp_path / "x").write_bytes(pack(idx(values)))
    assert (read_idx(tmp_path / "x") == values).all()
    (tmp_path / "y").write_bytes(pack(idx(values.astype(">i4"), 0x0C)))
    assert (read_idx(tmp_path / "y") == values).all()


WHOLE = idx(np.zeros((2, 3, 4), np.uint8))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "begins with nothing"),
        (b"\x89PNG....", "is no IDX file"),
        (WHOLE[:9], "ends inside its header"),
        (WHOLE[:-1], "announces 24 bytes of values (2x3x4), and has 23"),
        (WHOLE + b"!", "and has more"),
        (bytes([0, 0, 8, 3, *[255] * 12]), "announces"),
        (gzip.compress(WHOLE)[:-9], "damaged gzip file"),
    ],
    ids=["empty", "magic", "header", "short", "long", "bomb", "gzip"],
)
def test_a_bad_idx_file_is_named(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "bad").write_bytes(content)
    with pytest.raises(DataError, match="bad") as error:
        read_idx(tmp_path / "bad")
    assert words in str(error.value)


@given(cut=st.integers(0, len(WHOLE)), place=st.integers(0, len(WHOLE) - 1), bit=st.integers(0, 7))
def test_a_damaged_idx_file_is_an_error_or_an_array_of_its_size(
    tmp_path_factory: pytest.TempPathFactory, cut: int, place: int, bit: int
) -> None:
    damaged = bytearray(WHOLE)
    damaged[place] ^= 1 << bit
    path = tmp_path_factory.mktemp("idx") / "x"
    path.write_bytes(damaged[:cut])
    found = outcome(lambda: read_idx(path))
    assert str(path) in found if isinstance(found, str) else found.nbytes <= cut


def test_a_folder_of_mnist_is_read(tmp_path: Path) -> None:
    for part, count in (("train", 3), ("t10k", 2)):
        (tmp_path / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(np.ones((count, 28, 28), np.uint8))))
        (tmp_path / f"{part}-labels-idx1-ubyte").write_bytes(idx(np.arange(count, dtype=np.uint8)))
    sets = read_set("mnist", tmp_path)
    assert sets.test
    assert array(sets.train, "image").shape == (3, 1, 28, 28)
    assert array(sets.test, "label").tolist() == [0, 1]


@pytest.mark.parametrize(
    ("name", "marks", "files"), [("cifar10", 1, [f"data_batch_{i}.bin" for i in range(1, 6)]), ("cifar100", 2, ["train.bin"])]
)
def test_cifar_is_read(tmp_path: Path, name: str, marks: int, files: list[str]) -> None:
    rows = np.zeros((4, marks + 3072), np.uint8)
    rows[:, marks - 1] = [5, 6, 7, 8]
    rows[:, marks : marks + 1024] = 9
    for file in (*files, "test_batch.bin" if marks == 1 else "test.bin"):
        (tmp_path / file).write_bytes(rows.tobytes())
    train = read_set(name, tmp_path).train
    assert len(train) == 4 * len(files)
    assert array(train, "label")[:4].tolist() == [5, 6, 7, 8]
    assert array(train, "image")[0, 0].min() == 9
    assert array(train, "image")[0, 1:].max() == 0
    (tmp_path / files[0]).write_bytes(rows.tobytes()[:-1])
    with pytest.raises(DataError, match="cut short"):
        read_set(name, tmp_path)


def test_a_set_that_is_not_there_says_where_it_was_looked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    with pytest.raises(DataError, match=r"netc/mnist.*\{mnist: \{path: FOLDER\}\}.*digits"):
        read_set("mnist")
    (tmp_path / "netc" / "mnist").mkdir(parents=True)
    (tmp_path / "netc" / "mnist" / "train-images-idx3-ubyte").touch()
    assert folder("mnist", None, "train-images-idx3-ubyte") == tmp_path / "netc" / "mnist"


def test_made_up_data_has_the_shapes_of_the_net_and_is_the_same_for_a_seed() -> None:
    wants = {"image": Wanted((3, 4, 4)), "label": Wanted((), 5)}
    data = DATA["synthetic"](count=40)
    first, again, other = (read(data, wants, seed, Faults()).train for seed in (1, 1, 2))
    assert array(first, "image").shape == (40, 3, 4, 4)
    assert 0 <= array(first, "label").min() < array(first, "label").max() < 5
    assert (array(first, "image") == array(again, "image")).all()
    assert (array(first, "image") != array(other, "image")).any()


# fitting


def picture(*sides: int, channels: int = 1) -> np.ndarray:
    return np.arange(1, 1 + channels * np.prod(sides), dtype=np.uint8).reshape(1, channels, *sides)


def test_zeros_go_around_a_smaller_picture() -> None:
    y = fit(picture(2, 3), Form(Wanted((1, 4, 4)), None, "image"))
    assert y[0, 0].tolist() == [[0, 0, 0, 0], [1, 2, 3, 0], [4, 5, 6, 0], [0, 0, 0, 0]]


def test_a_larger_picture_is_cut_to_its_centre() -> None:
    assert fit(picture(4, 4), Form(Wanted((1, 2, 2)), None, "image"))[0, 0].tolist() == [[6, 7], [10, 11]]
    assert centred(np.arange(5), 0, 2).tolist() == [1, 2]


def test_resize_scales_both_sides_or_the_shorter_one() -> None:
    x = np.full((2, 3, 10, 20), 77, np.uint8)
    both, shorter = fit(x, Form(Wanted((3, 5, 5)), [5, 5], "image")), fit(x, Form(Wanted((3, 5, 10)), 5, "image"))
    assert both.shape == (2, 3, 5, 5)
    assert shorter.shape == (2, 3, 5, 10)
    assert (both == 77).all()
    assert (shorter == 77).all()


def test_scaling_interpolates_upwards_and_takes_means_downwards() -> None:
    assert weights(2, 4) @ [0, 4] == pytest.approx([0, 1, 3, 4])
    assert weights(4, 2) @ [0, 0, 8, 8] == pytest.approx([8 / 7, 48 / 7])
    ramp = np.tile(np.arange(8, dtype=np.float32), (1, 1, 8, 1))
    assert scaled(ramp, (8, 4))[0, 0, 0].mean() == pytest.approx(3.5)


@given(old=st.integers(1, 40), new=st.integers(1, 40))
def test_every_scaled_value_is_a_mean(old: int, new: int) -> None:
    w = weights(old, new)
    assert w.sum(axis=1) == pytest.approx(1)
    assert (w >= 0).all()
    assert (w == w[::-1, ::-1]).all() or w == pytest.approx(w[::-1, ::-1])


@pytest.mark.parametrize(
    ("x", "want", "words"),
    [
        (picture(8, 8), Wanted((1, 32, 32)), ["1x8x8", "1x32x32", "resize: [32, 32]"]),
        (picture(4, 4, channels=3), Wanted((1, 4, 4)), ["3x4x4", "1x4x4"]),
        (picture(4, 4), Wanted((15,)), ["1x4x4", "15"]),
        (np.array([0.5]), Wanted((), 10), ["float64", "whole numbers"]),
        (np.array([0]), Wanted((3, 2), 10), ["one number", "3x2"]),
    ],
    ids=["far", "channels", "vector", "fraction", "map"],
)
def test_what_does_not_fit_is_refused_with_both_shapes(x: np.ndarray, want: Wanted, words: list[str]) -> None:
    with pytest.raises(DataError) as error:
        fit(x, Form(want, None, "image"))
    assert all(word in str(error.value) for word in words), error.value


def test_pictures_become_vectors_only_where_a_batch_is_made() -> None:
    rows = Rows({"image": Table("x", picture(2, 2))})
    inputs, targets = Feeder(rows, fitted(rows, {"in.input": "image"}, {"in.input": Wanted((4,))}, None)).batch(np.array([0]))
    assert inputs["input"].tolist() == [[1, 2, 3, 4]]
    assert targets == {}


def test_a_field_that_the_data_lacks_is_named() -> None:
    with pytest.raises(DataError, match=r"no field `box` for target\.corners; it has image"):
        fitted(Rows({"image": Table("x", picture(2, 2))}), {"target.corners": "box"}, {"target.corners": Wanted((4,))}, None)


# order and normalization


@given(count=st.integers(1, 500), seed=st.integers(0, 2**40), turn=st.integers(0, 1000))
def test_the_order_is_a_permutation(count: int, seed: int, turn: int) -> None:
    order = shuffled(count, seed, "order", turn)
    assert np.sort(order).tolist() == list(range(count))
    assert (order == shuffled(count, seed, "order", turn)).all()


def test_the_order_is_another_for_each_epoch_seed_and_purpose_and_stays_for_good() -> None:
    assert shuffled(8, 0, "order", 0).tolist() == [6, 3, 1, 2, 4, 7, 0, 5]
    orders = {tuple(shuffled(50, *key)) for key in [(0, "order", 0), (0, "order", 1), (1, "order", 0), (0, "validation", 0)]}
    assert len(orders) == 4


def test_every_place_is_as_likely() -> None:
    firsts = np.bincount([shuffled(10, 0, "order", turn)[0] for turn in range(2000)], minlength=10)
    assert firsts.min() > 150
    assert firsts.max() < 250


@given(count=st.integers(2, 300), share=st.floats(0.001, 0.999))
def test_what_is_held_out_is_apart(count: int, share: float) -> None:
    train, test = held_out(count, share, 0)
    assert np.sort(np.concatenate([train, test])).tolist() == list(range(count))
    assert len(test) == min(max(1, round(share * count)), count - 1)


def test_measured_pictures_get_mean_0_and_deviation_1() -> None:
    x = np.random.default_rng(0).integers(0, 256, (50, 3, 4, 4), np.uint8)
    x[:, 2] = 7
    found = measured([x[:20], x[20:]])
    y = (x / 255 - np.reshape(found.mean, (3, 1, 1))) / np.reshape(found.std, (3, 1, 1))
    assert y[:, :2].mean((0, 2, 3)) == pytest.approx(0, abs=1e-5)
    assert y[:, :2].std((0, 2, 3)) == pytest.approx(1, rel=1e-5)
    assert found.std[2] == 1
    assert measured([x / 255]).mean == pytest.approx(found.mean)
    reader = Fitted(Table("x", x), Form(Wanted((3, 4, 4)), None, "image"))
    assert scale(Auto(), reader, np.arange(50)) == measured([x])
    assert scale(Auto(), reader, np.arange(5)) == measured([x[:5]])


def test_given_numbers_are_taken_as_they_are() -> None:
    reader = Fitted(Table("x", np.zeros((1, 1, 2, 2), np.uint8)), Form(Wanted((1, 2, 2)), None, "image"))
    assert scale(Channels(mean=[0.5], std=[0.25]), reader, np.arange(1)) == Scale((0.5,), (0.25,))
    assert scale(None, reader, np.arange(1)) is None

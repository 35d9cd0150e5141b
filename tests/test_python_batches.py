"""CIFAR's batches for Python: read as data, whatever they say; what they ask to be called is never called."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime.data import python_batches
from runtime.data.faults import DataError, Faults
from runtime.data.named import SETS

COUNT = 7
DATA = np.random.default_rng(0).integers(0, 256, (COUNT, 3072), dtype=np.uint8)
LABELS = [3, 0, 9, 1, 200, 5, 6]


def text(value: bytes) -> bytes:
    return b"U" + bytes([len(value)]) + value if len(value) < 256 else b"T" + len(value).to_bytes(4, "little") + value


def whole(value: int) -> bytes:
    return b"K" + bytes([value]) if value < 256 else b"M" + value.to_bytes(2, "little")


def array(values: np.ndarray) -> bytes:
    """As Python 2 wrote it, with places in its memory."""
    made = b"cnumpy.core.multiarray\n_reconstruct\nq\x01cnumpy\nndarray\nq\x02K\x00\x85" + text(b"b") + b"\x87R"
    kind = b"cnumpy\ndtype\n" + text(b"u1") + b"K\x00K\x01\x87R(K\x03" + text(b"|") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    by_columns = not values.flags.c_contiguous
    filled = b"(K\x01" + b"".join(map(whole, values.shape)) + b"\x86" + kind + (b"\x88" if by_columns else b"\x89")
    return made + filled + text(values.tobytes("F" if by_columns else "C")) + b"tb"


def python2(entries: dict[bytes, bytes]) -> bytes:
    return b"\x80\x02}q\x00(" + b"".join(text(key) + value for key, value in entries.items()) + b"u."


def numbers(values: list[int]) -> bytes:
    return b"](" + b"".join(map(whole, values)) + b"e"


def old(data: np.ndarray = DATA, labels: list[int] = LABELS, name: bytes = b"labels") -> bytes:
    return python2({b"batch_label": text(b"one of 5"), name: numbers(labels), b"data": array(data), b"names": b"]" + text(b"a.png") + b"a"})


def new(data: np.ndarray = DATA, labels: list[int] = LABELS) -> bytes:
    return pickle.dumps({"labels": labels, "data": data}, protocol=3)


WRITERS: list[Callable[..., bytes]] = [old, new, lambda: old(np.asfortranarray(DATA)), lambda: new(np.asfortranarray(DATA))]


@pytest.mark.parametrize("write", WRITERS, ids=["Python 2", "Python 3", "2 by columns", "3 by columns"])
def test_a_batch_is_read(tmp_path: Path, write: Callable[..., bytes]) -> None:
    path = tmp_path / "data_batch_1"
    path.write_bytes(write())
    data, labels = python_batches.rows(path, "labels", 3072)
    assert np.array_equal(data, DATA)
    assert labels.tolist() == LABELS


def test_sets_in_folders(tmp_path: Path) -> None:
    for name in (*(f"data_batch_{n}" for n in range(1, 6)), "test_batch"):
        (tmp_path / name).write_bytes(old())
    found = SETS["cifar10"](str(tmp_path), Faults())
    assert (len(found.train), found.train.fields["label"].raw(COUNT + 4)) == (5 * COUNT, 200)
    assert np.array_equal(found.train.fields["image"].raw(9).reshape(-1), DATA[2])
    for name in ("train", "test"):
        (tmp_path / name).write_bytes(old(name=b"fine_labels"))
    (tmp_path / "meta").write_bytes(python2({b"fine_label_names": b"](" + text(b"apple") + text(b"fish") + b"e"}))
    found = SETS["cifar100"](str(tmp_path), Faults())
    assert found.classes == ("apple", "fish")
    assert found.test
    assert len(found.test) == COUNT


EVIL: list[tuple[Any, str]] = [
    (b"\x80\x02cos\nsystem\nU\x04true\x85R.", "it holds no dictionary"),
    (b"\x80\x02}" + text(b"data") + b"cos\nsystem\nU\x04true\x85Rs.", "no `data` of bytes"),
    (b"\x80\x02i__main__\nX\n.", "is 69, which plain data does not need"),
    (b"\x80\x05}.", "protocol 5"),
    (b"", "it ends inside"),
    (b"}u.", "or is damaged"),
    (python2({b"labels": numbers([1]), b"data": array(DATA)}), r"data is \[7, 3072\]"),
    (python2({b"labels": numbers([300]), b"data": array(DATA[:1])}), "no `labels`"),
    (python2({b"labels": numbers(LABELS), b"data": array(DATA).replace(b"\x02u1", b"\x02f8")}), "no `data` of bytes"),
]


@pytest.mark.parametrize(("content", "words"), EVIL, ids=[words for _, words in EVIL])
def test_what_is_no_batch_is_refused_and_never_run(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "data_batch_1"
    path.write_bytes(content)
    with pytest.raises(DataError, match=words):
        python_batches.rows(path, "labels", 3072)


@given(data=st.data())
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_batch_is_refused_or_of_its_size(tmp_path: Path, data: st.DataObject) -> None:
    """Without a checksum a turned bit may be a value; it is never another number of them."""
    content = bytearray(old())
    heads = st.integers(0, 250) | st.integers(len(content) - 40, len(content) - 1)  # most of it is pixels
    content[data.draw(heads | st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path = tmp_path / "batch"
    path.write_bytes(content[: data.draw(st.integers(0, len(content)) | st.just(len(content)))])
    try:
        pixels, labels = python_batches.rows(path, "labels", 3072)
    except DataError:
        return
    assert pixels.shape == DATA.shape
    assert labels.shape == (COUNT,)

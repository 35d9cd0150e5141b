"""Damaged files of every kind, cut anywhere and with any bit turned: an error that names the file, or the right data.

What is right depends on the format. Sealed ones have checksums: the data is the same. Plain ones have none: a turned bit is one value
that is another, and all others are the same. Of what loses detail a turned bit may change the picture, but never its size or its row."""

from __future__ import annotations

import gzip
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from files import array, noise, packed, smooth, sound, tar
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netcompiler.recipe import DATA
from runtime.data import cifar
from runtime.data.faults import BadRow, DataError, Faults
from runtime.data.idx import read_idx
from runtime.data.npy import mapped
from runtime.data.npz import read_npz
from runtime.data.picture import Masks, Pictures
from runtime.data.rows import Rows
from runtime.data.signal import Arrays, Waves
from runtime.data.source import read

Found = list[np.ndarray]
COUNT = 6


class Reader(NamedTuple):
    name: str
    kind: str
    """sealed, plain, lossy or text"""
    content: bytes
    read: Callable[[Path], Found]


def whole(rows: Rows) -> Found:
    """Every row of every field; what is bad in one is an error here."""
    return [field.raw(place) for field in rows.fields.values() for place in rows.picked.tolist()]


def source(kind: str, **options: object) -> Callable[[Path], Found]:
    return lambda path: whole(read(DATA[kind](path=str(path), **options), {}, 0, Faults()).train)


def npz(save: Callable[..., None], tmp: Path) -> bytes:
    save(tmp, x=noise(COUNT, 1, 4, 5), y=np.arange(COUNT))
    return tmp.read_bytes()


def idx(values: np.ndarray) -> bytes:
    return bytes([0, 0, 8, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape) + values.tobytes()


def shard(path: Path) -> bytes:
    tar(path, {f"{n}.{end}": content for n in range(3) for end, content in (("png", packed(smooth(6, 7, n))), ("cls", b"%d" % n))})
    return path.read_bytes()


def readers() -> list[Reader]:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        cifars = np.concatenate([np.arange(COUNT, dtype=np.uint8)[:, None], noise(COUNT, 3072)], 1).tobytes()
        lines = [json.dumps({"image": [n, 2 * n + 0.5], "label": n}) for n in range(COUNT)]
        table = "a,label,b\n" + "".join(f"{n}.5,{n},{n * n}\n" for n in range(COUNT))
        return [
            Reader("idx", "plain", idx(noise(COUNT, 4, 5)), lambda path: [read_idx(path)]),
            Reader("idx in gzip", "sealed", gzip.compress(idx(noise(COUNT, 4, 5)), mtime=0), lambda path: [read_idx(path)]),
            Reader("cifar", "plain", cifars, lambda path: whole(cifar.rows([path], 1))),
            Reader("npy", "plain", array(noise(COUNT, 4, 5)), lambda path: [mapped(path)]),
            Reader("npz", "sealed", npz(np.savez, home / "a.npz"), lambda path: whole(read_npz([path], ["x", "y"]))),
            Reader("packed npz", "sealed", npz(np.savez_compressed, home / "a.npz"), lambda path: whole(read_npz([path], ["x", "y"]))),
            Reader("jsonl", "text", "\n".join(lines).encode(), source("jsonl")),
            Reader("csv", "text", table.encode(), source("csv")),
            Reader("shards", "lossy", shard(home / "a.tar"), source("shards", inputs=["png"])),
            Reader("png", "lossy", packed(smooth(9, 11)), lambda path: [Pictures(3).raw(path.read_bytes())]),
            Reader("jpeg", "lossy", packed(smooth(9, 11), "JPEG"), lambda path: [Pictures(3).raw(path.read_bytes())]),
            Reader("bmp", "lossy", packed(smooth(9, 11), "BMP"), lambda path: [Pictures(3).raw(path.read_bytes())]),
            Reader("webp", "lossy", packed(smooth(9, 11), "WEBP"), lambda path: [Pictures(3).raw(path.read_bytes())]),
            Reader("mask", "lossy", packed(noise(9, 11) % 3), lambda path: [Masks().raw(path.read_bytes())]),
            Reader("wav", "lossy", sound(np.linspace(-1, 1, 40)[None]), lambda path: [Waves().raw(path.read_bytes())]),
            Reader("npy row", "plain", array(noise(4, 5)), lambda path: [Arrays().raw(path.read_bytes())]),
        ]


READERS = readers()


def outcome(reader: Reader, path: Path) -> Found | str:
    try:
        return reader.read(path)
    except (BadRow, DataError) as error:
        return str(error)


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
@given(data=st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_file_that_is_cut_is_refused_or_right(reader: Reader, tmp_path: Path, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(reader.content) - 1))
    path = tmp_path / "cut"
    path.write_bytes(reader.content)
    right = reader.read(path)
    path.write_bytes(reader.content[:cut])
    found = outcome(reader, path)
    if isinstance(found, str):
        assert found
    elif reader.kind == "text":  # nothing says where a text ends: whole lines, and perhaps a part of the last one
        assert 0 < len(found) <= len(right)
    else:
        assert same(found, right)


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
@given(data=st.data())
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_turned_bit_is_refused_or_right(reader: Reader, tmp_path: Path, data: st.DataObject) -> None:
    place, bit = data.draw(st.integers(0, len(reader.content) - 1)), data.draw(st.integers(0, 7))
    path = tmp_path / "turned"
    path.write_bytes(reader.content)
    right = reader.read(path)
    content = bytearray(reader.content)
    content[place] ^= 1 << bit
    path.write_bytes(content)
    found = outcome(reader, path)
    if isinstance(found, str):
        assert found
    elif reader.kind == "sealed":
        assert same(found, right)
    elif reader.kind == "plain":
        assert sum(map(different, found, right)) <= 1 or alike(found, right)
    elif reader.kind == "lossy":
        assert all(np.isfinite(row).all() for row in found)
        assert sum(not np.array_equal(one, other) for one, other in zip(found, right, strict=True)) <= 1
    else:
        assert all(np.isfinite(row).all() for row in found)


def same(one: Found, other: Found) -> bool:
    return len(one) == len(other) and all(map(np.array_equal, one, other))


def different(one: np.ndarray, other: np.ndarray) -> int:
    """Values that are not the same; all of them where the shapes differ."""
    return int((one != other).sum()) if one.shape == other.shape else one.size


def alike(one: Found, other: Found) -> bool:
    """The same bytes, called by another type or shape: a header says what they are, and nothing contradicts it."""
    return b"".join(map(np.ndarray.tobytes, one)) == b"".join(map(np.ndarray.tobytes, other))

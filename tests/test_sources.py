"""Sources of data beyond arrays in memory: folders, lists, tar shards, mapped arrays, sounds; and what is said of damaged ones."""

from __future__ import annotations

import csv
import json
import os
import struct
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from files import array as npy
from files import folder, noise, packed, smooth, sound, tar
from PIL import Image

from netcompiler.recipe import DATA
from runtime.data import picture
from runtime.data.faults import BadRow, DataError, Faults
from runtime.data.fields import Field, Table
from runtime.data.fit import Form, scaled
from runtime.data.npz import read_npz
from runtime.data.picture import Masks, Pictures
from runtime.data.rows import Rows, Sets
from runtime.data.shards import named
from runtime.data.signal import Waves
from runtime.data.source import read
from runtime.data.tar import members
from runtime.data.wanted import Wanted

IMAGE, LABEL = Wanted((3, 12, 16)), Wanted((), 3)


def sets(kind: str, options: Mapping[str, Any], wants: Mapping[str, Wanted] | None = None, policy: str = "stop") -> tuple[Sets, Faults]:
    faults = Faults(policy)
    return read(DATA[kind](**options), wants or {}, 0, faults), faults


def values(field: Field, want: Wanted, resize: Any = None) -> np.ndarray:
    """All rows as a net reads them; none may be bad."""
    reading = field.read(np.arange(len(field)), Form(want, resize, "field"))
    assert not reading.faults, reading.faults
    return reading.values


def labels(rows: Rows) -> list[int]:
    return values(rows.fields["label"], Wanted((), 100)).tolist()


def refused(kind: str, options: Mapping[str, Any], wants: Mapping[str, Wanted] | None = None) -> str:
    with pytest.raises(DataError) as error:
        sets(kind, options, wants)
    return str(error.value)


# pictures


@pytest.mark.parametrize("form", ["PNG", "BMP", "WEBP", "JPEG"])
@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_are_what_pillow_sees(form: str, channels: int) -> None:
    content = packed(smooth(20, 30), form)
    want = np.asarray(Image.open(__import__("io").BytesIO(content)).convert("L" if channels == 1 else "RGB")).reshape(20, 30, channels)
    found = Pictures(channels).raw(content)
    assert found.dtype == np.uint8
    assert np.abs(np.moveaxis(found, 0, -1).astype(int) - want).max() <= (2 if form == "JPEG" else 0)


@pytest.mark.parametrize(
    ("resize", "size"), [(24, (24, 24)), ([24, 40], (24, 40)), (18, (24, 40)), (30, (16, 16)), (None, (30, 60))], ids=str
)
def test_scaled_pictures_are_what_the_slow_way_gives(resize: int | list[int] | None, size: tuple[int, int]) -> None:
    """Scaled as a whole with matrices, then cut or filled: the reader scales only what is seen."""
    x = smooth(36, 60)
    want = Form(Wanted((3, *size)), resize, "image")
    found = Pictures(3).fitted(packed(x), want)
    sides = picture.sides((36, 60), resize) if resize else (36, 60)
    slow = scaled(np.moveaxis(x, -1, 0)[None], sides)
    for axis, side in enumerate(size, 2):
        slow = picture_centred(slow, axis, side)
    assert found.shape == (3, *size)
    assert np.abs(found.astype(int) - slow[0]).max() <= 1


def picture_centred(x: np.ndarray, axis: int, side: int) -> np.ndarray:
    spare = side - x.shape[axis]
    if spare >= 0:
        return np.pad(x, [(spare // 2, spare - spare // 2) if at == axis else (0, 0) for at in range(4)])
    return np.take(x, range(-spare // 2, -spare // 2 + side), axis)


def test_a_large_jpeg_is_unpacked_at_half_its_size_and_looks_the_same() -> None:
    x = smooth(400, 600)
    want = Form(Wanted((3, 100, 100)), 120, "image")
    jpeg, png = (Pictures(3).fitted(packed(x, form), want).astype(int) for form in ("JPEG", "PNG"))
    assert np.abs(jpeg - png).max() <= 4


@pytest.mark.parametrize(
    ("image", "want"),
    [
        (Image.fromarray(np.full((4, 4), 40000, np.uint16)), 156),
        (Image.new("P", (4, 4), 3), None),
        (Image.new("RGBA", (4, 4), (9, 9, 9, 0)), 9),
        (Image.new("1", (4, 4), 1), 255),
        (Image.new("LA", (4, 4), (7, 0)), 7),
    ],
    ids=["16 bits", "palette", "transparent", "1 bit", "grey, transparent"],
)
def test_pictures_of_other_modes(tmp_path: Path, image: Image.Image, want: int | None) -> None:
    image.save(tmp_path / "x.png")
    found = Pictures(3).raw((tmp_path / "x.png").read_bytes())
    assert found.shape == (3, 4, 4)
    assert want is None or (found == want).all()


def test_a_jpeg_of_four_inks_is_read(tmp_path: Path) -> None:
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(tmp_path / "x.jpg", quality=95)
    assert np.abs(Pictures(3).raw((tmp_path / "x.jpg").read_bytes()).mean((1, 2)) - [255, 0, 0]).max() < 6


def bomb(sides: int) -> bytes:
    """A PNG of one row whose header announces a square."""
    import zlib

    head = struct.pack(">IIBBBBB", sides, sides, 8, 2, 0, 0, 0)
    parts = [(b"IHDR", head), (b"IDAT", zlib.compress(b"\0")), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(x)) + kind + x + struct.pack(">I", zlib.crc32(kind + x)) for kind, x in parts
    )


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no JPEG, PNG, BMP or WebP"),
        (b"hello", "no JPEG, PNG, BMP or WebP"),
        (packed(smooth(40, 40), "JPEG")[:-300], "it is damaged: Premature end of JPEG file"),
        (packed(noise(40, 40, 3), "PNG")[:-300], "it is damaged"),
        (bomb(60_000), "it announces 60,000x60,000 pixels"),
        (packed(smooth(40, 40), "GIF"), "no JPEG, PNG, BMP or WebP"),
    ],
    ids=["empty", "text", "jpeg", "png", "bomb", "gif"],
)
def test_bad_pictures_are_told(content: bytes, words: str) -> None:
    with pytest.raises(BadRow) as error:
        Pictures(3).fitted(content, Form(IMAGE, 12, "image"))
    assert words in str(error.value)


def test_a_picture_far_from_the_net_s_size_asks_for_resize() -> None:
    with pytest.raises(BadRow, match=r"image is 3x40x40, and the net reads 3x12x16: scale it, with resize: \[12, 16\]"):
        Pictures(3).fitted(packed(smooth(40, 40)), Form(IMAGE, None, "image"))
    long = Pictures(3).fitted(packed(smooth(12, 90)), Form(IMAGE, 12, "image"))
    assert long.shape == (3, 12, 16)


def test_masks_are_places_in_a_palette(tmp_path: Path) -> None:
    image = Image.fromarray(np.array([[0, 1], [2, 1]], np.uint8), "P")
    image.putpalette([0, 0, 0, 200, 0, 0, 0, 200, 0])
    image.save(tmp_path / "m.png")
    content = (tmp_path / "m.png").read_bytes()
    assert Masks().fitted(content, Form(Wanted((2, 2), 3), None, "mask")).tolist() == [[0, 1], [2, 1]]
    assert Masks().fitted(content, Form(Wanted((4, 4), 3), 4, "mask")).tolist() == [[0, 0, 1, 1]] * 2 + [[2, 2, 1, 1]] * 2
    with pytest.raises(BadRow, match="mask is 2 somewhere, and the net's 2 classes are 0 to 1"):
        Masks().fitted(content, Form(Wanted((2, 2), 2), None, "mask"))


# folders


def test_a_folder_of_pictures(tmp_path: Path) -> None:
    folder(tmp_path, {"ant": 2, "bee": 1, "cow": 3})
    (tmp_path / "ant" / ".hidden").write_text("nobody's")
    found, _ = sets("folder", {"path": str(tmp_path)})
    assert found.test is None
    assert found.classes == ("ant", "bee", "cow")
    assert labels(found.train) == [0, 0, 1, 2, 2, 2]
    assert values(found.train.fields["image"], IMAGE)[:, 0, 0, 0].tolist() == [0, 0, 1, 2, 2, 2]
    assert found.train.fields["image"].where(5) == str(tmp_path / "cow/002.png")


@pytest.mark.parametrize("name", ["val", "test", "validation"])
def test_a_folder_with_its_own_split(tmp_path: Path, name: str) -> None:
    folder(tmp_path / "train", {"ant": 2, "bee": 1})
    folder(tmp_path / name, {"ant": 1, "bee": 1})
    found, _ = sets("folder", {"path": str(tmp_path)})
    assert found.test
    assert (labels(found.train), labels(found.test)) == ([0, 0, 1], [0, 1])


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ("bee/notes.txt", "bee/notes.txt: netc reads bmp, jpeg, jpg, png, webp"),
        ("cow/", "cow: the class has no files"),
    ],
)
def test_what_is_odd_in_a_folder_is_named_and_can_be_skipped(tmp_path: Path, extra: str, words: str) -> None:
    folder(tmp_path, {"ant": 2, "bee": 1})
    (tmp_path / extra).mkdir() if extra.endswith("/") else (tmp_path / extra).touch()
    assert words in refused("folder", {"path": str(tmp_path)})
    found, faults = sets("folder", {"path": str(tmp_path)}, policy="skip")
    assert (len(faults), labels(found.train)) == (1, [0, 0, 1])


def test_folders_that_are_none(tmp_path: Path) -> None:
    assert "cannot be read: No such file" in refused("folder", {"path": str(tmp_path / "no")})
    assert "has no folders: make one for each class" in refused("folder", {"path": str(tmp_path)})
    folder(tmp_path / "a", {"ant": 1})
    folder(tmp_path / "b", {"bat": 1})
    assert "b/bat is a class that the folder to train on lacks: it has ant" in refused(
        "folder", {"path": str(tmp_path / "a"), "test": str(tmp_path / "b")}
    )


def test_imagenet_is_a_folder_of_folders(tmp_path: Path) -> None:
    folder(tmp_path / "train", {f"n{n:08}": 1 for n in range(3)}, form="JPEG")
    folder(tmp_path / "val", {f"n{n:08}": 2 for n in range(3)}, form="JPEG")
    found, _ = sets("imagenet", {"path": str(tmp_path)})
    assert found.test
    assert (labels(found.train), labels(found.test)) == ([0, 1, 2], [0, 0, 1, 1, 2, 2])


# lists


def written(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def test_a_list_with_classes_boxes_and_joints(tmp_path: Path) -> None:
    for at in range(2):
        (tmp_path / f"{at}.png").write_bytes(packed(smooth(12, 16, at)))
    rows = [
        {"image": f"{at}.png", "class": name, "box": [0.5, at, 1, 0], "joints": [[1, 2], [3, at]]} for at, name in enumerate(["owl", "elk"])
    ]
    path = written(tmp_path / "list.jsonl", rows)
    wants = {"image": IMAGE, "class": Wanted((), 2), "box": Wanted((4,)), "joints": Wanted((2, 2))}
    found, _ = sets("jsonl", {"path": path, "targets": ["class", "box", "joints"]}, wants)
    fields = found.train.fields
    assert found.classes == ("elk", "owl")
    assert values(fields["class"], wants["class"]).tolist() == [1, 0]
    assert values(fields["box"], wants["box"]).tolist() == [[0.5, 0, 1, 0], [0.5, 1, 1, 0]]
    assert values(fields["joints"], wants["joints"])[1].tolist() == [[1, 2], [3, 1]]
    assert (values(fields["image"], IMAGE)[1] == np.moveaxis(smooth(12, 16, 1), -1, 0)).all()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"image": "0.png"}', "line 2: there is no field `label`; there is image"),
        ('{"image": "0.png", "label": 1', "line 2: it is no JSON"),
        ('{"image": "0.png", "label": NaN}', "line 2: it is no JSON: NaN is no number"),
        ('{"image": "0.png", "label": "one"}', "line 2: 'one' is no number"),
        ('{"image": 3, "label": 1}', "line 2: image is 3, and elsewhere the name of a file"),
        ('{"image": "0.png", "label": [1, 2]}', "line 2: label is 2, and elsewhere one number"),
        ("[1]", "line 2: a line is an object"),
        ("[" * 100_000, "line 2: it is no JSON"),
    ],
    ids=["field", "cut", "nan", "text", "number", "list", "array", "deep"],
)
def test_bad_lines_are_named_and_can_be_skipped(tmp_path: Path, line: str, words: str) -> None:
    path = tmp_path / "l.jsonl"
    path.write_text(f'{{"image": "0.png", "label": 0}}\n{line}\n{{"image": "1.png", "label": 2}}\n', encoding="utf-8")
    assert words in refused("jsonl", {"path": str(path)})
    found, faults = sets("jsonl", {"path": str(path)}, policy="skip")
    assert (len(faults), labels(found.train)) == (1, [0, 2])


def test_a_table_of_numbers(tmp_path: Path) -> None:
    with (tmp_path / "t.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["a", "digit", "b"], [1, 7, 2.5], [3, 8, -4]])
    found, _ = sets("csv", {"path": str(tmp_path / "t.csv"), "targets": ["digit"]})
    assert values(found.train.fields["x"], Wanted((2,))).tolist() == [[1, 2.5], [3, -4]]
    assert values(found.train.fields["digit"], Wanted((), 10)).tolist() == [7, 8]


def test_a_table_of_files_names_and_boxes(tmp_path: Path) -> None:
    (tmp_path / "0.png").write_bytes(packed(smooth(12, 16)))
    (tmp_path / "t.tsv").write_text('\ufeffpicture\tkind\tbox\n0.png\t"a ""b"""\t0 0.5 1 2\n', encoding="utf-8")
    found, _ = sets("csv", {"path": str(tmp_path / "t.tsv"), "delimiter": "\t", "inputs": ["picture"], "targets": ["kind", "box"]})
    assert found.classes == ('a "b"',)
    assert values(found.train.fields["box"], Wanted((4,))).tolist() == [[0, 0.5, 1, 2]]
    assert values(found.train.fields["picture"], IMAGE).shape == (1, 3, 12, 16)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the first line names the columns"),
        ("a,a\n1,2\n", "each once; it is `a,a`"),
        ("a,label\n", "there are no rows"),
        ("a,label\n1\n", "line 2: it has 1 cells, and the first line 2"),
        ("a,label\n1,0\nx,1\n", "line 3: 'x' is no number"),
        ("a,label\ninf,0\n", "line 2: `inf` is not finite"),
        ('a,label\n"1,0\n', "line 2: unexpected end of data"),
        ("a,other\n1,0\n", "line 2: there is no field `label`; there is a, other, x"),
    ],
    ids=["empty", "twice", "rows", "cells", "text", "infinite", "quote", "column"],
)
def test_bad_tables_are_refused(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "t.csv").write_text(text, encoding="utf-8")
    assert words in refused("csv", {"path": str(tmp_path / "t.csv")})


def test_classes_to_test_on_are_those_to_train_on(tmp_path: Path) -> None:
    train = written(tmp_path / "a.jsonl", [{"image": [1], "label": name} for name in ("owl", "elk", "owl")])
    test = written(tmp_path / "b.jsonl", [{"image": [1], "label": name} for name in ("owl", "bat")])
    assert "b.jsonl: line 2: label is `bat`, which is no class" in refused("jsonl", {"path": train, "test": test})
    found, faults = sets("jsonl", {"path": train, "test": test}, policy="skip")
    assert found.test
    assert (labels(found.train), labels(found.test), len(faults)) == ([1, 0, 1], [1], 1)


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

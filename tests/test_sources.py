"""Folders and lists of files, numbers, classes, boxes; and what is said of bad ones."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from files import folder, packed, smooth
from sources import IMAGE, labels, refused, sets, values

from runtime.data.wanted import Wanted

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

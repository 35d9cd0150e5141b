"""netc data: what it counts, what it names, and that packed data is the same data."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import small
from files import folder, noise, packed, smooth
from PIL import Image

from netcompiler.cli import Refusal, main
from netcompiler.cli.opening import data_setting
from netcompiler.compilation import Job, stages


class Answer(NamedTuple):
    status: int
    out: str
    err: str


Ask = Callable[..., Answer]


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Ask:
    monkeypatch.chdir(tmp_path)

    def ask(*words: str) -> Answer:
        try:
            status = main(words)
        except SystemExit as leave:
            status = int(leave.code or 0)
        return Answer(status, *capsys.readouterr())

    return ask


def seen(ask: Ask, source: str) -> dict[str, object]:
    answer = ask("data", "inspect", source, "--json")
    found: dict[str, object] = json.loads(answer.out)
    return found


# names of files


@pytest.mark.parametrize(
    ("files", "words", "setting"),
    [
        (["a.npz"], "a.npz", "{npz: {path: a.npz}}"),
        (["a.csv"], "a.csv", '{csv: {path: a.csv, delimiter: ","}}'),
        (["a.tsv"], "a.tsv", '{csv: {path: a.tsv, delimiter: "\\t"}}'),
        (["a.jsonl"], "a.jsonl", "{jsonl: {path: a.jsonl}}"),
        ([], "a-{00..11}.tar", '{shards: {path: "a-{00..11}.tar"}}'),
        (
            ["t10k-images-idx3-ubyte.gz"],
            "t10k-images-idx3-ubyte.gz",
            "{idx: {images: t10k-images-idx3-ubyte.gz, labels: t10k-labels-idx1-ubyte.gz}}",
        ),
        (["d/x.npy", "d/y.npy"], "d", "{npz: {path: d}}"),
        (["d/rose/1.jpg", "d/tulip/1.jpg"], "d", "{folder: {path: d}}"),
        (["d/train/rose/1.jpg", "d/val/rose/1.jpg"], "d", "{folder: {path: d}}"),
        (["d/no/1.wav", "d/yes/1.wav"], "d", "{signals: {path: d}}"),
        (["d/train.bin"], "d", "{cifar100: {path: d}}"),
        (["d/data_batch_1", "d/batches.meta"], "d", "{cifar10: {path: d}}"),
        (["d/meta", "d/train", "d/test"], "d", "{cifar100: {path: d}}"),
        (["d/train-000.npz", "d/train-001.npz", "d/test-000.npz"], "d", '{npz: {path: "d/train-{000..001}.npz", test: d/test-000.npz}}'),
        ([], "fashion-mini", "fashion_mini"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_data_is_known_by_its_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, files: list[str], words: str, setting: str) -> None:
    monkeypatch.chdir(tmp_path)
    for file in files:
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        Path(file).touch()
    found = data_setting(words)
    assert found.replace(', delimiter: ","', "") == f"train.data={setting}".replace(', delimiter: ","', "")


@pytest.mark.parametrize(
    ("files", "words", "hint"),
    [
        ([], "digitz", "did you mean `digits`"),
        ([], "a.csv", "no such file"),
        (["a.txt"], "a.txt", "it reads .npz, .csv, .tsv, .jsonl and .tar files"),
        (["d/a.txt"], "d", "holds no data that netc knows"),
    ],
)
def test_what_is_not_known_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, files: list[str], words: str, hint: str) -> None:
    monkeypatch.chdir(tmp_path)
    for file in files:
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        Path(file).touch()
    with pytest.raises(Refusal) as refusal:
        data_setting(words)
    assert hint in str(refusal.value)


# inspect


def test_inspect_counts_and_measures(ask: Ask) -> None:
    folder(Path("f"), {"ant": 3, "bee": 1}, form="PNG")
    (Path("f") / "ant" / "big.png").write_bytes(packed(smooth(20, 40)))
    answer = ask("data", "inspect", "f")
    assert answer.status == 0
    assert "folder, 5 rows to train on" in answer.out
    assert "uint8 3x12x16, from 3x12x16 to 3x20x40" in answer.out
    assert "2 classes: ant 4, bee 1" in answer.out
    assert "all rows can be read" in answer.out
    found = seen(ask, "f")
    pixels = np.concatenate([smooth(12, 16, 10 * (at // 3) + at % 3).reshape(-1, 3) for at in range(3)])
    assert found["counts"] == {"train": {"label": {"0": 4, "1": 1}}}
    assert len(pixels) == 3 * 12 * 16


def test_the_figures_are_numpys(ask: Ask) -> None:
    x = np.random.default_rng(0).normal(2, 3, (300, 2, 4, 5)).astype(np.float32)
    np.savez("a.npz", x=x, y=np.arange(300) % 7)
    found = seen(ask, "a.npz")["fields"]["train"]["x"]  # type: ignore[index]
    assert found["mean"] == pytest.approx(x.mean((0, 2, 3)).tolist())
    assert found["deviation"] == pytest.approx(x.std((0, 2, 3)).tolist(), rel=1e-5)
    assert found["shape"] == [2, 4, 5]


def test_inspect_names_what_is_bad(ask: Ask) -> None:
    folder(Path("f"), {"ant": 2, "bee": 1, "cow": 0})
    (Path("f") / "ant" / "cut.jpg").write_bytes(packed(smooth(30, 30), "JPEG")[:-200])
    answer = ask("data", "inspect", "f")
    assert answer.status == 1
    assert "2 bad:" in answer.out
    assert "f/cow: the class has no files that can be read" in answer.out
    assert "f/ant/cut.jpg: it is damaged" in answer.out


def test_inspect_sees_values_that_are_not_finite(ask: Ask) -> None:
    x = np.zeros((5, 2))
    x[3, 1] = np.nan
    np.savez("a.npz", x=x, y=np.arange(5))
    answer = ask("data", "inspect", "a.npz")
    assert (answer.status, "x in a.npz: row 3: it holds a value that is not finite" in answer.out) == (1, True)


def test_inspect_compares_checksums_of_any_size(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    np.savez("a.npz", x=noise(9, 100), y=np.arange(9))
    content = bytearray(Path("a.npz").read_bytes())
    content[400] ^= 1
    Path("a.npz").write_bytes(content)
    assert "its checksum is another" in ask("data", "inspect", "a.npz").err
    monkeypatch.setattr("runtime.data.npz.CHECKED", 10)
    answer = ask("data", "inspect", "a.npz")
    assert (answer.status, "x.npy in a.npz is damaged: its checksum is another" in answer.err) == (1, True)


def test_made_up_data_has_nothing_to_inspect(ask: Ask) -> None:
    assert "there is nothing to see without one" in ask("data", "inspect", "synthetic").err


@pytest.mark.parametrize(
    ("words", "status", "hint"),
    [
        (["data"], 2, ""),
        (["data", "inspekt", "x"], 2, "did you mean `inspect`?"),
        (["data", "inspect", "{folder: {pth: x}}"], 1, "error[unknown-option]"),
        (["data", "inspect", "{foldr: x}"], 1, "did you mean `folder`?"),
        (["data", "pack", "digits", "o", "--resize", "1x2x3"], 2, "more than two sides"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_mistakes(ask: Ask, words: list[str], status: int, hint: str) -> None:
    answer = ask(*words)
    assert answer.status == status, answer
    assert hint in answer.err


# pack


def test_packed_data_is_the_same_data(ask: Ask) -> None:
    folder(Path("f/train"), {"ant": 5, "bee": 4})
    folder(Path("f/val"), {"ant": 1, "bee": 2})
    answer = ask("data", "pack", "f", "p", "--size", "2kB")
    assert answer.status == 0, answer.err
    assert answer.out == "p has 12 rows in 2 files: {data: {npz: {path: p/train-000.npz, test: p/test-000.npz}}}\n"
    before, after = seen(ask, "f"), seen(ask, "p")
    for part in ("train", "test"):
        packed_x, image = after["fields"][part]["x"], before["fields"][part]["image"]  # type: ignore[index]
        assert packed_x["mean"] == pytest.approx(image.pop("mean"))
        assert packed_x["deviation"] == pytest.approx(image.pop("deviation"))
        assert packed_x.items() >= image.items()
        assert after["counts"][part]["y"] == before["counts"][part]["label"]  # type: ignore[index]
    assert after["classes"] == before["classes"] == ["ant", "bee"]
    with np.load("p/train-000.npz") as arrays:
        assert (arrays["x"][0] == np.moveaxis(with_class(smooth(12, 16, 0), 0), -1, 0)).all()


def with_class(picture: np.ndarray, number: int) -> np.ndarray:
    picture[0, 0] = number
    return picture


def test_pictures_are_scaled_and_cut_to_a_square(ask: Ask) -> None:
    folder(Path("f"), {"a": 200}, (24, 48))
    (Path("f/a/tall.png")).write_bytes(packed(smooth(60, 20)))
    assert ask("data", "pack", "f", "p", "--resize", "16", "--size", "100kB").status == 0
    assert sorted(os.listdir("p")) == ["train-000.npz", "train-001.npz"]
    found = seen(ask, "p")["fields"]["train"]["x"]  # type: ignore[index]
    assert (found["rows"], found["smallest"], found["largest"]) == (201, [3, 16, 16], [3, 16, 16])


def test_packing_twice_gives_the_same_bytes_and_overwrites_nothing(ask: Ask) -> None:
    for name in ("p", "q"):
        assert ask("data", "pack", "digits", name).status == 0
    assert Path("p/train-000.npz").read_bytes() == Path("q/train-000.npz").read_bytes()
    with zipfile.ZipFile("p/train-000.npz") as file:
        assert {info.compress_type for info in file.infolist()} == {zipfile.ZIP_STORED}
    assert "p is there already" in ask("data", "pack", "digits", "p").err


def test_bad_rows_stop_packing_or_are_left_out(ask: Ask) -> None:
    folder(Path("f"), {"a": 3})
    (Path("f/a/001.png")).write_bytes(packed(smooth(99, 99)))
    answer = ask("data", "pack", "f", "p")
    assert (answer.status, "f/a/001.png: it is 3x99x99, and the first row 3x12x16: give --resize" in answer.err) == (1, True)
    shutil.rmtree("p", ignore_errors=True)
    answer = ask("data", "pack", "f", "p", "--on-bad-data", "skip")
    assert (answer.status, answer.out[:14]) == (0, "p has 2 rows i")
    assert "1 row of the data is bad, and was left out" in answer.err


# preview


SPEC = """netc: 1
name: seen
input: [3, 12, 16]
layers: [flatten, linear: 2]
loss: cross_entropy
train: {data: {folder: f}, optimizer: {sgd: 0.1}, validation: {share: 0.2}}
"""


def sheet(path: str) -> np.ndarray:
    return np.asarray(Image.open(path))


@pytest.mark.parametrize(
    ("train", "turned"),
    [("augment=[]", False), ("normalize=auto", False), ("augment=[flip: {probability: 1}]", True), ("augment=[cutmix: 1]", None)],
    ids=["plain", "normalized", "mirrored", "mixed"],
)
def test_preview_draws_what_the_net_sees(ask: Ask, train: str, turned: bool | None) -> None:
    folder(Path("f"), {"a": 5, "b": 5})
    Path("s.yaml").write_text(SPEC, encoding="utf-8")
    answer = ask("data", "preview", "s.yaml", "-o", "grid.png", "--count", "4", "--set", f"train.{train}")
    assert (answer.status, answer.out) == (0, "grid.png shows 4 pictures of epoch 1, in its order\n"), answer.err
    drawn = sheet("grid.png")
    assert drawn.shape == (2 * 12 + 1, 2 * 16 + 1, 3)
    if turned is None:
        return
    found = {drawn[y : y + 12, x : x + 16][:, :: -1 if turned else 1].tobytes() for y in (0, 13) for x in (0, 17)}
    known = {np.asarray(Image.open(path)).tobytes() for path in Path("f").glob("*/*.png")}
    assert len(found) == 4
    assert found <= known


def test_preview_of_another_epoch_is_another_picture_and_of_the_same_one_the_same(ask: Ask) -> None:
    folder(Path("f"), {"a": 5, "b": 5})
    Path("s.yaml").write_text(SPEC, encoding="utf-8")
    for name, number in (("1", "1"), ("again", "1"), ("2", "2")):
        words = ["data", "preview", "s.yaml", "-o", f"{name}.png", "--epoch", number, "--set", "train.augment=[crop: {padding: 2}]"]
        assert ask(*words).status == 0
    assert Path("1.png").read_bytes() == Path("again.png").read_bytes() != Path("2.png").read_bytes()


def test_preview_of_digits_for_a_net_that_reads_a_vector(ask: Ask) -> None:
    answer = ask("data", "preview", "logistic", "--data", "fashion_mini", "--count", "9")
    assert answer.status == 0, answer.err
    assert sheet("preview.png").shape == (3 * 29 - 1, 3 * 29 - 1)


def test_what_is_drawn_by_chance_is_what_training_draws() -> None:
    """The same numbers of the same streams: key for key."""
    spec = SPEC.replace("optimizer", "augment: [affine: {rotate: 20}, crop: {padding: 1}, erasing: {probability: 0.5}], optimizer")
    graph, recipe = small.read(spec)

    def keys(mode: str, program: str) -> list[object]:
        *_, (_, plan) = stages(Job(graph, recipe, mode, 4, "numpy", "f32", bytes=True))
        found = [instruction for instruction in plan.programs[program].instructions if instruction.op == "random"]
        return [instruction.attributes["key"] for instruction in found]

    assert len(keys("look", "look")) >= 2
    assert keys("look", "look") == keys("train", "step")

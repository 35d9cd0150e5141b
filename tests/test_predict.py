"""netc predict: files prepared as training prepared its data, answers as text, JSON and drawings."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import files
import numpy as np
import pytest
from PIL import Image
from test_train import TINY, Answer, Ask, ask

from netcompiler.cli import main
from runtime import drawing
from runtime.data.faults import DataError
from runtime.data.wanted import Wanted
from runtime.drawing import Mark, colour, points
from runtime.prediction import Preparation, asked

__all__ = ["ask"]

DIGITS = Path(__file__).parent.parent / "runtime" / "data" / "files" / "digits.npz"

DETECTOR = """netc: 1
name: finder
input: [3, 12, 16]
layers: [{conv: {filters: 4, kernel: 3}}, relu, global_mean_pool]
outputs:
  class: {linear: 3, loss: cross_entropy, weight: 0.5}
  box: {linear: 4, loss: l2}
  joints: {linear: 6, loss: l2}
  map: {from: input, conv: {filters: 2, kernel: 1}, loss: cross_entropy}
  again: {from: input, conv: {filters: 3, kernel: 1}, loss: l2}
train:
  data: {jsonl: {path: things.jsonl, targets: [class, box, joints, map, again]}}
  epochs: 1
  batch: 2
  validation: {share: 0.5}
  optimizer: {sgd: 0.01}
"""


def lines(answer: Answer) -> list[Any]:
    return [json.loads(line) for line in answer.out.splitlines()]


def digit(place: int) -> np.ndarray:
    """A test picture as its set brings it to bytes."""
    with np.load(DIGITS) as arrays:
        levels = arrays["test_images"][place].reshape(8, 8)
    return ((levels.astype(int) * 255 + 8) // 16).astype(np.uint8)


@pytest.fixture
def trained(ask: Ask) -> Ask:
    assert ask("train", "tiny.yaml", "--quiet", "--epochs", "2").status == 0
    Path("pictures/more").mkdir(parents=True)
    for place in range(20):
        Path(f"pictures/{'more/' if place > 16 else ''}{place:02}.png").write_bytes(files.packed(digit(place)))
    return ask


# the command


def test_pictures_in_files_are_the_pictures_of_the_set(trained: Ask) -> None:
    """The validation's pictures, written to files: the same answers as on the set, and a folder is read to its bottom."""
    found = lines(trained("predict", "tiny-1", "pictures", "--json", "--top", "10"))
    assert [each["file"] for each in found[-3:]] == [f"pictures/more/{place}.png" for place in (17, 18, 19)]
    assert len(found) == 20
    save = {"x": np.stack([digit(place) for place in range(20)])[:, None], "y": np.zeros(20, np.int64)}
    np.savez("same.npz", **save)
    measured = json.loads(trained("eval", "tiny-1", "--data", "same.npz", "--json").out)
    likeliest = [each["outputs"]["output"]["top"][0]["class"] for each in found]
    called = [likeliest.count(str(number)) for number in range(10)]
    assert measured["outputs"]["output"]["confusion"][0] == called
    zero = [next(top["probability"] for top in each["outputs"]["output"]["top"] if top["class"] == "0") for each in found]
    assert measured["figures"]["log_loss"] == pytest.approx(-np.log(zero).mean(), rel=1e-6)


def test_bars_and_names(trained: Ask) -> None:
    answer = trained("predict", "tiny-1", "pictures/00.png", "--top", "2")
    name, *rows = answer.out.splitlines()
    assert name == "pictures/00.png"
    assert len(rows) == 2
    likely = lines(trained("predict", "tiny-1", "pictures/00.png", "--json"))[0]["outputs"]["output"]["top"][0]
    assert rows[0].split()[:2] == [likely["class"], f"{likely['probability']:.1%}"]
    assert len(rows[0].split()[2]) in (int(24 * likely["probability"]), int(24 * likely["probability"]) + 1)


def test_other_sizes_colours_and_standard_input(trained: Ask, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A larger copy in colour is scaled to the side that all training pictures had; bytes need no name."""
    large = np.repeat(np.kron(digit(3), np.ones((5, 5), np.uint8))[:, :, None], 3, axis=2)
    Path("large.bmp").write_bytes(files.packed(large, "BMP"))
    found = lines(trained("predict", "tiny-1", "pictures/03.png", "large.bmp", "--json"))
    small, other = (each["outputs"]["output"]["top"] for each in found)
    assert small[0]["class"] == other[0]["class"]

    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(files.packed(digit(3)))))
    assert main(["predict", "tiny-1", "-", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"file": "standard input", "outputs": found[0]["outputs"]}


def test_what_cannot_be_read_is_named_and_the_rest_goes_on(trained: Ask) -> None:
    Path("torn.png").write_bytes(files.packed(digit(0))[:60])
    answer = trained("predict", "tiny-1", "torn.png", "nothing.png", "pictures/01.png")
    assert answer.status == 1
    assert "netc: torn.png: it is damaged" in answer.err
    assert "netc: nothing.png: it cannot be read: No such file" in answer.err
    assert answer.out.startswith("pictures/01.png\n")
    Path("empty").mkdir()
    assert "holds no file that netc reads" in trained("predict", "tiny-1", "empty").err
    assert trained("predict", "nobody", "torn.png").status == 2


def test_boxes_joints_maps_and_pictures_are_drawn(ask: Ask) -> None:
    Path("finder.yaml").write_text(DETECTOR, encoding="utf-8")
    rows = []
    for at in range(4):
        Path(f"{at}.png").write_bytes(files.packed(files.smooth(12, 16, at)))
        np.save(f"map{at}.npy", np.full((12, 16), at % 2))
        rows.append({"image": f"{at}.png", "class": "abc"[at % 3], "box": [0.2, 0.2, 0.8, 0.8], "joints": [0.5] * 6})
        rows[-1] |= {"map": f"map{at}.npy", "again": f"{at}.png"}
    Path("things.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    answer = ask("train", "finder.yaml", "--quiet")
    assert answer.status == 0, answer.err
    answer = ask("predict", "finder-1", "0.png", "--draw", "drawn", "--json")
    assert answer.status == 0, answer.err
    outputs = lines(answer)[0]["outputs"]
    assert {top["class"] for top in outputs["class"]["top"]} == set("abc")
    assert len(outputs["box"]["values"]) == 4
    assert sum(top["share"] for top in outputs["map"]["top"]) == pytest.approx(1)
    assert sorted(path.name for path in Path("drawn").iterdir()) == ["0.again.png", "0.png"]
    assert Image.open("drawn/0.again.png").size == (16, 12)
    np.save("array.npy", np.zeros((3, 12, 16), np.uint8))
    assert "array.npy: nothing can be drawn on it: it is no JPEG" in ask("predict", "finder-1", "array.npy", "--draw", "drawn").err
    text = ask("predict", "finder-1", "0.png", "3.png").out
    assert "  box\n" in text
    assert "  again\n    3x12x16 numbers" in text


def test_a_vector_net_reads_pictures(ask: Ask) -> None:
    """64 values are a square of the data's own side."""
    net = re.sub(r"layers:.*?(?=  - .name: fc)", "layers:\n", TINY, flags=re.DOTALL).replace("[1, 8, 8]", "[64]").replace("tiny", "flat")
    Path("flat.yaml").write_text(net, encoding="utf-8")
    answer = ask("train", "flat.yaml", "--quiet", "--epochs", "1")
    assert answer.status == 0, answer.err
    Path("x.png").write_bytes(files.packed(digit(0)))
    Path("y.png").write_bytes(files.packed(np.kron(digit(0), np.ones((2, 2), np.uint8))))
    one, two = (each["outputs"]["output"]["top"][0] for each in lines(ask("predict", "flat-1", "x.png", "y.png", "--json")))
    assert one["class"] == two["class"]


# the parts


def test_sounds_and_arrays_are_known_by_how_they_begin(tmp_path: Path) -> None:
    prepared = Preparation(Wanted((1, 8)), None)
    samples = np.linspace(-0.5, 0.5, 8, dtype=np.float32)[None]
    np.testing.assert_allclose(prepared.value(files.sound(samples)), samples, atol=1e-4)
    np.testing.assert_array_equal(prepared.value(files.array(samples)), samples)
    with pytest.raises(DataError, match="holds no file"):
        list(asked([str(tmp_path)], bytes))


def test_points() -> None:
    corners = [(0.1, 0.2), (0.5, 0.2), (0.5, 0.6), (0.1, 0.6)]
    assert points(np.array([0.1, 0.2, 0.5, 0.6]), closed=True) == corners
    assert points(np.ravel(corners), closed=True) == corners
    assert points(np.array([0.1, 0.2, 0.5, 0.6]), closed=False) == [(0.1, 0.2), (0.5, 0.6)]


def test_marks_are_where_they_should_be() -> None:
    """Of a black picture of 300x600: a box from a quarter to three quarters, and a joint."""
    black = files.packed(np.zeros((300, 600, 3), np.uint8))
    box, joint = Mark(points(np.array([0.25, 0.25, 0.75, 0.75]), True), True), Mark([(0.5, 0.1)], False)
    seen = np.asarray(Image.open(io.BytesIO(drawing.drawn(black, [box, joint]))))
    assert seen.shape == (300, 600, 3)
    for row, column in ((75, 300), (225, 300), (150, 150), (150, 450)):
        assert tuple(seen[row, column]) == colour(1)
    assert tuple(seen[30, 300]) == colour(2)
    assert not seen[150, 300].any()
    inside = seen.any(axis=2)
    assert np.flatnonzero(inside.any(axis=0)).min() >= 148


def test_small_pictures_are_enlarged_and_maps_are_colours() -> None:
    grey = files.packed(np.full((8, 8), 100, np.uint8))
    numbers = np.zeros((4, 4), np.int64)
    numbers[:, 2:] = 1
    seen = np.asarray(Image.open(io.BytesIO(drawing.drawn(grey, [], [numbers]))))
    assert seen.shape == (256, 256, 3)
    assert tuple(seen[0, 0]) == (50, 50, 50)
    np.testing.assert_allclose(seen[0, 255], (np.array(colour(1)) + 100) / 2, atol=1)

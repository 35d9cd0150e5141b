"""netc train on data of its user's own: folders, lists, shards, sounds, published files; and what becomes of bad rows."""

from __future__ import annotations

import gzip
import json
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from files import folder, packed, smooth, sound, tar
from safetensors.numpy import load_file

from netcompiler.cli import main
from runtime.data.named import FILES

SPEC = """netc: 1
name: own
input: {input}
layers: [flatten, linear: {outputs}]
loss: {loss}
train: {{optimizer: {{sgd: 0.1}}, batch: 4, epochs: 2, validation: {{share: 0.25}}, normalize: auto}}
"""


class Answer(NamedTuple):
    status: int
    out: str
    err: str


Train = Callable[..., Answer]


@pytest.fixture
def train(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Train:
    """Trains a net of one layer in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def train(*words: str, input: str = "[3, 12, 16]", outputs: int = 2, loss: str = "cross_entropy") -> Answer:
        Path("own.yaml").write_text(SPEC.format(input=input, outputs=outputs, loss=loss), encoding="utf-8")
        status = main(["train", "own.yaml", *words])
        return Answer(status, *capsys.readouterr())

    return train


def weights(run: str) -> dict[str, np.ndarray]:
    return load_file(f"runs/{run}/last.safetensors")


def test_the_same_weights_come_of_any_number_of_threads(train: Train) -> None:
    folder(Path("f"), {"a": 9, "b": 11}, form="JPEG")
    for threads in "114":
        answer = train("--data", "f", "--data-threads", threads)
        assert answer.status == 0, answer.err
        assert re.search(r"waiting for data \d+%", answer.out)
    first, again, other = (weights(f"own-{n}") for n in (1, 2, 3))
    assert all((first[name] == again[name]).all() and (first[name] == other[name]).all() for name in first)


def pictures(count: int) -> list[bytes]:
    return [packed(smooth(12, 16, n)) for n in range(count)]


def test_a_list_with_a_vector_to_predict(train: Train) -> None:
    for n, content in enumerate(pictures(8)):
        Path(f"{n}.png").write_bytes(content)
    rows = [{"image": f"{n}.png", "label": [n / 8, 1, -1]} for n in range(8)]
    Path("list.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    answer = train("--data", "list.jsonl", outputs=3, loss="l2")
    assert answer.status == 0, answer.err
    assert "6 pictures to train on, 2 to validate on, 3x12x16" in answer.out


def test_shards(train: Train) -> None:
    for part, content in enumerate((pictures(4), pictures(4))):
        tar(
            Path(f"t-{part}.tar"),
            {f"{n}.{end}": data for n, x in enumerate(content) for end, data in (("png", x), ("cls", b"%d" % (n % 2)))},
        )
    answer = train("--data", '{shards: {path: "t-{0..1}.tar", inputs: [png]}}')
    assert answer.status == 0, answer.err
    assert "6 pictures to train on" in answer.out


def test_sounds(train: Train) -> None:
    for number, name in enumerate(["low", "high"]):
        Path("s", name).mkdir(parents=True)
        for n in range(4):
            tone = np.sin(np.arange(80) * (0.2 + number) + n)
            Path("s", name, f"{n}.wav").write_bytes(sound(tone[None]))
    answer = train("--data", "s", input="[1, 80]")
    assert answer.status == 0, answer.err
    assert "6 pictures to train on, 2 to validate on, 1x80" in answer.out


def test_the_published_files_of_fashion_mnist(train: Train) -> None:
    """Written as Zalando publishes them, from the part that comes along."""
    Path("fashion").mkdir()
    with np.load(FILES / "fashion_mini.npz") as arrays:
        for part, name in (("train", "train"), ("test", "t10k")):
            for field, kind in (("images", "idx3"), ("labels", "idx1")):
                values = arrays[f"{part}_{field}"][:40].squeeze()
                head = bytes([0, 0, 8, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape)
                Path("fashion", f"{name}-{field}-{kind}-ubyte.gz").write_bytes(gzip.compress(head + values.tobytes()))
    answer = train("--data", "{fashion_mnist: {path: fashion}}", "--set", "train.validation.share=0", input="[1, 28, 28]", outputs=10)
    assert answer.status == 0, answer.err
    assert "40 pictures to train on, 40 to validate on" in answer.out


# bad rows


def broken() -> None:
    folder(Path("f"), {"a": 9, "b": 11})
    Path("f/a/003.png").write_bytes(packed(smooth(12, 16))[:99])


def test_a_bad_row_ends_training_and_is_named(train: Train) -> None:
    broken()
    answer = train("--data", "f")
    told = answer.err + answer.out
    assert answer.status == 1
    assert "f/a/003.png: it is damaged" in told
    assert "--on-bad-data skip" in told


def test_skipped_rows_are_counted_and_the_rest_is_learnt(train: Train) -> None:
    broken()
    answer = train("--data", "f", "--on-bad-data", "skip")
    assert answer.status == 0, answer.err
    assert "1 row of the data is bad, and was left out:\n  f/a/003.png: it is damaged" in answer.err
    settings: Any = json.loads(Path("runs/own-1/summary.json").read_text(encoding="utf-8"))["settings"]
    assert "train.on_bad_data=skip" in settings


def test_a_data_set_that_does_not_fit_is_refused_with_both_shapes(train: Train) -> None:
    folder(Path("f"), {"a": 4, "b": 4}, (40, 50))
    answer = train("--data", "f")
    assert (answer.status, "image is 3x40x50, and the net reads 3x12x16: scale it, with resize: [12, 16]" in answer.err) == (1, True)
    folder(Path("g"), {"a": 4, "b": 4, "c": 4})
    answer = train("--data", "g")
    assert (answer.status, "the data has 3 classes (a, b, c), and the net's output 2" in answer.err) == (1, True)
    assert not Path("runs").exists()

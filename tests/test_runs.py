"""What runs leave to look at: the report's page, curves, tables of runs, TensorBoard's events."""

from __future__ import annotations

import base64
import json
import re
import struct
import sys
import types
import zlib
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import small
from test_resume import TINY

from netcompiler.cli import main
from runtime.data.feeder import Feeder
from runtime.png import png, shown, tiled
from runtime.review import filters, review
from runtime.runs import Run
from runtime.session import Session

EPOCHS = 2


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs of the same net at two rates, and one that was killed."""
    here = tmp_path_factory.mktemp("work")
    (here / "tiny.yaml").write_text(TINY, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(here)
        for rate in ("0.01", "0.001"):
            assert main(["train", "tiny.yaml", "--quiet", "--epochs", str(EPOCHS), "--set", f"train.optimizer.adam.rate={rate}"]) == 0
        assert main(["train", "tiny.yaml", "--quiet", "--epochs", "1"]) == 0
        killed = json.loads(Path("runs/tiny-3/summary.json").read_text(encoding="utf-8"))
        Path("runs/tiny-3/summary.json").write_text(json.dumps({**killed, "ended": "running"}), encoding="utf-8")
    return here


@pytest.fixture(autouse=True)
def _there(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.delenv("COLUMNS", raising=False)
    capsys.readouterr()


# the page


class Balanced(HTMLParser):
    """Every tag that is opened is closed, and nothing is fetched."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.heads: list[str] = []
        self.pictures: list[bytes] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        assert not {"href", "srcset"} & found.keys()
        if tag == "img":
            kind, _, content = str(found["src"]).partition(",")
            assert kind == "data:image/png;base64"
            self.pictures.append(base64.b64decode(content))
        assert tag != "script"
        if tag not in ("img", "meta"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Paths of curves."""

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "h2":
            self.heads.append(data)


def test_the_page_of_a_run(capsys: pytest.CaptureFixture[str]) -> None:
    page = Path("runs/tiny-1/report.html")
    written = page.read_text(encoding="utf-8")
    seen = Balanced()
    seen.feed(written)
    assert not seen.open
    assert seen.heads == [
        "Curves",
        "Who is taken for whom",
        "Worst mistakes",
        "Filters of the first layer",
        "Layers",
        "Settings",
        "Machine",
    ]
    assert seen.pictures
    assert all(unpacked(picture).size for picture in seen.pictures)
    counts = [int(count) for count in re.findall(r'<td style="[^"]*">(\d+)</td>', written)]
    best = json.loads(Path("runs/tiny-1/summary.json").read_text(encoding="utf-8"))["best"]
    right = sum(int(count) for count in re.findall(r'<td style="background: rgb\(5 [^"]*">(\d+)</td>', written))
    assert sum(counts) == 299
    assert right / 299 == pytest.approx(best["top1"])
    page.unlink()
    assert main(["report", "tiny-1"]) == 0
    assert capsys.readouterr().out == "runs/tiny-1/report.html\n"
    assert page.read_text(encoding="utf-8") == written


def test_curves_are_pictures() -> None:
    assert {path.stem for path in Path("runs/tiny-1/plots").iterdir()} >= {"loss", "top1", "rate"}
    root = ElementTree.fromstring(Path("runs/tiny-1/plots/loss.svg").read_text(encoding="utf-8"))
    lines = [path.attrib["d"] for path in root.findall("{*}path") if path.attrib.get("fill") == "none"]
    assert [line.count("L") + line.count("M") for line in lines] == [EPOCHS, EPOCHS]
    assert {"training", "validation"} <= set(root.itertext())


def test_a_run_without_classes_has_a_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = "netc: 1\nname: auto\ninput: [4]\nlayers: [linear: 2, linear: 4]\nloss: l2\n"
    text += "train: {data: {npz: x.npz}, optimizer: {sgd: 0.1}, validation: {share: 0.5}, epochs: 1}\n"
    Path("auto.yaml").write_text(text, encoding="utf-8")
    x = np.random.default_rng(0).normal(size=(20, 4))
    np.savez("x.npz", x=x, y=x)
    assert main(["train", "auto.yaml", "--quiet"]) == 0
    seen = Balanced()
    seen.feed(Path("runs/auto-1/report.html").read_text(encoding="utf-8"))
    assert seen.heads == ["Curves", "Layers", "Settings", "Machine"]


@pytest.mark.parametrize(("name", "status"), [("nothing", 2), ("tiny-3", 0)])
def test_reports_of_other_runs(name: str, status: int) -> None:
    assert main(["report", name]) == status


# what it shows


def unpacked(content: bytes) -> Any:
    """A PNG by its specification: chunks with checksums, lines with a filter of 0 in front."""
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    found, at = {}, 8
    while at < len(content):
        size = int.from_bytes(content[at : at + 4], "big")
        name, body = content[at + 4 : at + 8], content[at + 8 : at + 8 + size]
        assert zlib.crc32(name + body) == int.from_bytes(content[at + 8 + size : at + 12 + size], "big")
        found[name], at = body, at + 12 + size
    columns, rows, depth, kind, *rest = struct.unpack(">IIBBBBB", found[b"IHDR"])
    assert (depth, rest) == (8, [0, 0, 0])
    lines = np.frombuffer(zlib.decompress(found[b"IDAT"]), np.uint8).reshape(rows, -1)
    assert not lines[:, 0].any()
    return lines[:, 1:].reshape((rows, columns, 3) if kind == 2 else (rows, columns))


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (4, 2, 3)])
def test_png(shape: tuple[int, ...]) -> None:
    picture = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    np.testing.assert_array_equal(unpacked(png(picture)), picture)


def test_values_are_shown_from_black_to_white() -> None:
    assert shown(np.array([[[-1.0, 0], [1, 1]]])).tolist() == [[0, 128], [255, 255]]  # type: ignore[union-attr]
    assert shown(np.full((1, 2, 2), 7.0)).tolist() == [[0, 0], [0, 0]]  # type: ignore[union-attr]
    assert shown(np.zeros((3, 4, 5))).shape == (4, 5, 3)  # type: ignore[union-attr]
    assert shown(np.zeros((2, 4, 5))) is None
    assert shown(np.zeros(9)) is None
    sheet = tiled([np.full((2, 2), n, np.uint8) for n in range(3)])
    assert sheet.tolist() == [[0, 0, 128, 1, 1], [0, 0, 128, 1, 1], [128] * 5, [2, 2, 128, 128, 128], [2, 2, 128, 128, 128]]


class Fixed:
    """Batches of given pictures, in the shape of a feeder."""

    def __init__(self, x: Any, y: Any) -> None:
        self.x, self.y = x, y

    def __len__(self) -> int:
        return len(self.x)

    def batches(self, size: int, order: Any) -> Iterator[Any]:
        for first in range(0, len(order), size):
            places = order[first : first + size]
            yield places, ({"input": self.x[places]}, {"output": self.y[places]})


def test_a_review_counts_and_finds_the_worst() -> None:
    """Against the plain way: all scores at once."""
    session = Session(small.planned(small.text(small.NORMED, shape="[1, 6, 6]")))
    x, y = small.pictures(60, (1, 6, 6)), small.labels(60)
    feeder: Feeder = Fixed(x, y)  # type: ignore[assignment]
    found = review(session, feeder)
    scores = np.concatenate([session.run(x[at : at + 4]) for at in range(0, 60, 4)])
    shares = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    called = scores.argmax(axis=1)
    assert found.confusion == [[int(((y == a) & (called == b)).sum()) for b in range(5)] for a in range(5)]
    wrong = sorted((shares[at, y[at]], at) for at in range(60) if called[at] != y[at])[:24]
    assert [mistake.place for mistake in found.worst] == [at for _, at in wrong]
    assert found.worst[0].right == pytest.approx(wrong[0][0])
    assert unpacked(found.worst[0].picture).shape == (6, 6)
    assert unpacked(filters(session)).shape == (7, 7)


# tables


def test_all_runs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs"]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == ["run", "net", "parameters", "data", "epochs", "best", "time", "ended"]
    assert [row.split()[0] for row in rows] == ["tiny-1", "tiny-2", "tiny-3"]
    assert [row.split()[-1] for row in rows] == ["complete", "complete", "stopped"]
    with Run(Path("runs/tiny-3")).owned():
        assert main(["runs", "tiny-3", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ended"] == "running"


def test_runs_side_by_side(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", "tiny-1", "runs/tiny-2"]) == 0
    rows = {line.split("  ")[0]: line.split()[-2:] for line in capsys.readouterr().out.splitlines()}
    assert rows["optimizer.rate"] == ["0.01", "0.001"]
    assert "batch" not in rows
    best = [json.loads(Path(f"runs/tiny-{n}/summary.json").read_text(encoding="utf-8"))["best"] for n in (1, 2)]
    assert rows["best top1"] == [f"{each['top1']:.1%}" for each in best]


def test_a_run_epoch_by_epoch(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", "tiny-1"]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert {"epoch", "loss", "val_top1"} <= set(head.split())
    assert len(rows) == EPOCHS


def test_no_runs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", "--folder", "nowhere"]) == 0
    assert "there are no runs in nowhere" in capsys.readouterr().out
    assert main(["runs", "nothing"]) == 2


# TensorBoard


def test_tensorboard_s_events(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("netcompiler.cli.train.find_spec", lambda name: None)
    assert main(["train", "tiny.yaml", "--tensorboard"]) == 2
    assert "pip install 'netc[tensorboard]'" in capsys.readouterr().err
    written: list[Any] = []

    class Writer:
        def __init__(self, folder: str, purge_step: int | None) -> None:
            written.append((folder, purge_step))

        def add_scalar(self, name: str, value: float, step: int) -> None:
            written.append((name, value, step))

        def flush(self) -> None:
            """Nothing."""

        def close(self) -> None:
            written.append("closed")

    monkeypatch.setattr("netcompiler.cli.train.find_spec", lambda name: name)
    monkeypatch.setitem(sys.modules, "tensorboardX", types.SimpleNamespace(SummaryWriter=Writer))  # type: ignore[arg-type]
    assert main(["train", "tiny.yaml", "--tensorboard", "--quiet", "--epochs", "1", "--run-dir", "board"]) == 0
    assert main(["train", "--resume", "board", "--tensorboard", "--quiet", "--epochs", "2"]) == 0
    [row, after] = Run(Path("board")).metrics()
    assert written[0] == ("board/tensorboard", None)
    assert ("training/loss", float(row["loss"]), 30) in written
    assert ("validation/top1", float(row["val_top1"]), 30) in written
    assert ("board/tensorboard", 31) in written
    assert ("training/loss", float(after["loss"]), 60) in written
    assert written.count("closed") == 2

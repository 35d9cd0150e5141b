"""netc eval: figures against scikit-free arithmetic by hand, views, nets that vote, weights of other programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small
from safetensors.numpy import load_file, save_file
from test_train import TINY, Answer, Ask, ask, summary

from runtime.data.faults import DataError
from runtime.panel import Member, averaged, measured
from runtime.session import Session
from runtime.tally import CHOICE, EACH, NUMBERS, Choices, Differences, prediction
from runtime.views import VIEWS

__all__ = ["ask"]
TEXT = small.text("\n  - flatten\n  - {name: fc, linear: 5}\n", train="optimizer: {sgd: 0.1}, batch: 4")
X, Y = small.pictures(11), small.labels(11)


# what is counted


def test_choices_by_hand() -> None:
    """Three classes and four pictures: two right, one of them by a tie that the earlier class wins."""
    counted = Choices(3)
    counted.add(np.array([[0.7, 0.2, 0.1], [0.4, 0.4, 0.2]]), np.array([0, 0]))
    counted.add(np.array([[0.1, 0.8, 0.1], [0.5, 0.25, 0.25]]), np.array([2, 1]))
    assert counted.confusion.tolist() == [[2, 0, 0], [1, 0, 0], [0, 1, 0]]
    figures = counted.figures()
    assert figures["top1"] == 0.5
    assert figures["log_loss"] == pytest.approx(-np.log([0.7, 0.4, 0.1, 0.25]).mean())
    assert "top5" not in figures
    details = counted.details()
    assert [each["recall"] for each in details["classes"]] == [1, 0, 0]
    assert [each["precision"] for each in details["classes"]] == [2 / 3, 0, None]
    # bins: 0.4 right, 0.5 wrong, 0.7 right, 0.8 wrong
    assert details["calibration"]["error"] == pytest.approx((0.6 + 0.5 + 0.3 + 0.8) / 4)
    assert [each["count"] for each in details["calibration"]["bins"]] == [1, 1, 1, 1]


def test_choices_of_positions() -> None:
    """Over maps each position counts; the mean over the classes of what is shared, over what is either."""
    counted, rng = Choices(6), np.random.default_rng(0)
    scores, labels = rng.normal(size=(3, 6, 4, 5)), rng.integers(0, 6, (3, 4, 5))
    counted.add(prediction(scores, CHOICE), labels)
    called = scores.argmax(axis=1)
    ious = [((called == k) & (labels == k)).sum() / ((called == k) | (labels == k)).sum() for k in range(6)]
    ranks = (np.argsort(-scores, axis=1) == labels[:, None]).argmax(axis=1)
    figures = counted.figures()
    assert figures["mean_iou"] == pytest.approx(np.mean(ious))
    assert figures["top5"] == (ranks < 5).mean()
    assert counted.details()["of"] == "positions"


def test_differences() -> None:
    counted = Differences(probable=True)
    counted.add(prediction(np.array([[0.0, 100.0]]), EACH), np.array([[1, 1]]))
    assert counted.figures() == {"mae": 0.25, "rmse": 0.125**0.5, "right": 0.5}
    pictures = Differences(probable=False)
    pictures.add(prediction(np.full((1, 1, 2, 2), 0.5), NUMBERS), np.full((1, 1, 2, 2), 255, np.uint8))
    assert pictures.figures() == {"mae": 0.5, "rmse": 0.5}


def test_ten_windows_are_the_corners_and_the_middle() -> None:
    x = np.arange(2 * 5 * 6).reshape(1, 2, 5, 6)
    found = list(VIEWS["ten_crop"](x, (3, 4)))
    assert len(found) == 10
    assert [int(window[0, 0, 0, 0]) for window in found[::2]] == [0, 2, 12, 14, 7]
    assert all((mirror == window[..., ::-1]).all() for window, mirror in zip(found[::2], found[1::2], strict=True))


# nets that vote


def member(seed: int, x: Any = X, text: str = TEXT) -> Member:
    plan = small.planned(text)
    return Member(f"net {seed}", Session(plan, seed), small.feeder(plan, {"in.input": x, "target.output": Y}), {"output": CHOICE})


def test_several_nets_vote_by_averaged_probabilities() -> None:
    members = [member(seed) for seed in (1, 2, 3)]
    shares = np.mean(
        [prediction(np.concatenate([each.session.run(X[at : at + 4]) for at in (0, 4, 8)]), CHOICE) for each in members], axis=0
    )
    found = measured(members)["output"].figures()
    assert found["log_loss"] == pytest.approx(-np.log(shares[np.arange(11), Y]).mean())
    assert found["top1"] == (shares.argmax(axis=1) == Y).mean()


def test_a_net_and_its_mirror_image_vote() -> None:
    one = member(1)
    both = [prediction(np.concatenate([one.session.run(x[at : at + 4]) for at in (0, 4, 8)]), CHOICE) for x in (X, X[..., ::-1])]
    shares = averaged([{"output": each} for each in both])["output"]
    assert measured([one], "flip")["output"].figures()["log_loss"] == pytest.approx(-np.log(shares[np.arange(11), Y]).mean())


def test_who_cannot_vote() -> None:
    other = small.planned(TEXT)
    apart = Member("net 2", Session(other), small.feeder(other, {"in.input": X, "target.output": (Y + 1) % 5}), {"output": CHOICE})
    with pytest.raises(DataError, match="net 1 and net 2 hold out other pictures"):
        measured([member(1), apart])
    with pytest.raises(DataError, match="outputs that differ"):
        measured([member(1), member(2)._replace(kinds={"output": EACH})])
    with pytest.raises(DataError, match="output says where"):
        measured([member(1)._replace(kinds={"output": NUMBERS})], "flip")


# the command


def measurement(answer: Answer) -> dict[str, Any]:
    assert answer.status == 0, answer.err
    found: dict[str, Any] = json.loads(answer.out)
    return found


@pytest.fixture
def two(ask: Ask) -> Ask:
    """Two runs of different seeds."""
    for seed in ("1", "2"):
        assert ask("train", "tiny.yaml", "--quiet", "--epochs", "1", "--seed", seed).status == 0
    return ask


def test_all_of_a_run(two: Ask) -> None:
    answer = two("eval", "tiny-1")
    lines = answer.out.splitlines()
    assert lines[0] == "runs/tiny-1/best.safetensors, 299 pictures"
    assert "as training recorded it in epoch 1" in lines
    assert list(lines[lines.index("") + 1].split()) == ["class", "pictures", "found", "right", "taken", "for"]
    assert any(line.startswith("is, called") for line in lines)
    found = measurement(two("eval", "tiny-1", "--json"))
    assert found["figures"]["log_loss"] == pytest.approx(found["figures"]["loss"], rel=1e-6)
    confusion = np.array(found["outputs"]["output"]["confusion"])
    assert np.trace(confusion) / confusion.sum() == pytest.approx(summary("runs/tiny-1")["best"]["top1"])
    assert found["names"] == list("0123456789")
    assert confusion.sum(axis=1).tolist() == [each["count"] for each in found["outputs"]["output"]["classes"]]


def test_two_runs_vote(two: Ask) -> None:
    both = measurement(two("eval", "tiny-1", "tiny-2", "--json"))
    each = [measurement(two("eval", name, "--json")) for name in ("tiny-1", "tiny-2")]
    assert both["weights"] == [found["weights"][0] for found in each]
    assert both["figures"]["log_loss"] < np.mean([found["figures"]["log_loss"] for found in each])  # Jensen
    assert "voting" in two("eval", "tiny-1", "tiny-2").out


def test_runs_that_hold_out_other_pictures_do_not_vote(ask: Ask) -> None:
    for seed in ("1", "2"):
        ask("train", "tiny.yaml", "--quiet", "--epochs", "1", "--seed", seed, "--set", "train.validation={share: 0.2}")
    answer = ask("eval", "tiny-1", "tiny-2")
    assert answer.status == 1
    assert "hold out other pictures" in answer.err
    assert "1,498 pictures" not in ask("eval", "tiny-1").out
    assert "299 pictures" in ask("eval", "tiny-1", "tiny-2", "--data", "digits").out


def test_views(two: Ask) -> None:
    plain, mirrored, windows = (
        measurement(two("eval", "tiny-1", "--json", *more))
        for more in ((), ("--tta", "flip"), ("--tta", "ten-crop", "--set", "train.data.digits.resize=[10,10]"))
    )
    assert plain["views"] is None
    assert (mirrored["views"], windows["views"]) == ("flip", "ten_crop")
    assert len({found["figures"]["log_loss"] for found in (plain, mirrored, windows)}) == 3
    refused = two("eval", "tiny-1", "--tta", "ten-crop")
    assert refused.status == 2
    assert "cuts windows of 8x8" in refused.err
    assert "resize=[9, 9]" in refused.err


def test_a_recipe_says_the_view(ask: Ask) -> None:
    Path("tiny.yaml").write_text(TINY + "  test_time: flip\n", encoding="utf-8")
    ask("train", "tiny.yaml", "--quiet", "--epochs", "1")
    assert "each also mirrored" in ask("eval", "tiny-1").out
    assert "as training recorded it" in ask("eval", "tiny-1", "--tta", "none").out


def test_a_spec_with_weights(two: Ask) -> None:
    """The same figures as the run's, also where the file does not say how the input was normalized."""
    own = measurement(two("eval", "tiny-1", "--json"))["figures"]
    given = measurement(two("eval", "tiny.yaml", "--weights", "tiny-1", "--json"))["figures"]
    save_file(load_file("runs/tiny-1/best.safetensors"), "bare.safetensors")
    bare = measurement(two("eval", "tiny.yaml", "--weights", "bare.safetensors", "--json"))["figures"]
    assert own == given == bare
    assert two("eval", "tiny.yaml", "--weights", "nothing.safetensors").status == 1
    assert two("eval", "tiny.yaml", "tiny.yaml", "--weights", "tiny-1").status == 2


def test_many_classes_are_told_by_the_worst() -> None:
    from netcompiler.cli.measurement import as_text
    from netcompiler.diagnostics import Style

    counted = Choices(40)
    labels = np.repeat(np.arange(40), 4)
    shares = np.eye(40)[labels]
    shares[4 * 7 : 4 * 7 + 3] = np.eye(40)[[8, 8, 9]]
    counted.add(shares, labels)
    found = {
        "weights": ["w"],
        "pictures": 160,
        "figures": counted.figures(),
        "views": None,
        "names": [],
        "outputs": {"y": counted.details()},
    }
    lines = list(as_text(found, "", 80, Style()))
    head = next(at for at, line in enumerate(lines) if line.startswith("worst of 40"))
    assert lines[head + 1].split() == ["7", "4", "25.0%", "100.0%", "8", "(2),", "9", "(1)"]
    assert not any(line.startswith("is, called") for line in lines)


def test_classes_of_positions_are_counted_over_all_pictures(ask: Ask) -> None:
    """Training's mean_iou is a mean over batches, and eval says what the whole confusion says."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(30, 1, 4, 4)).astype(np.float32)
    np.savez("maps.npz", x=x, y=(x[:, 0] > 0.3).astype(np.int64) + (x[:, 0] > 1))
    spec = "netc: 1\nname: maps\ninput: [1, 4, 4]\nlayers: [conv: {filters: 3, kernel: 1}]\nloss: cross_entropy\n"
    train = (
        "train: {data: {npz: {path: maps.npz}}, batch: 4, epochs: 1, optimizer: {sgd: 1}, metrics: [mean_iou], validation: {share: 0.5}}\n"
    )
    Path("maps.yaml").write_text(spec + train, encoding="utf-8")
    assert ask("train", "maps.yaml", "--quiet").status == 0
    found = measurement(ask("eval", "maps-1", "--json"))
    confusion = np.array(found["outputs"]["output"]["confusion"])
    right = np.diag(confusion)
    union = confusion.sum(0) + confusion.sum(1) - right
    assert found["figures"]["mean_iou"] == pytest.approx((right / union).mean())
    assert found["figures"]["mean_iou"] != pytest.approx(summary("runs/maps-1")["best"]["mean_iou"], rel=1e-6)
    assert "as training recorded it" in ask("eval", "maps-1").out

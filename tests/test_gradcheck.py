"""netc gradcheck: what it prints, what it finds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import small

from netcompiler.cli import main
from netcompiler.scalar import PARTIAL, literal
from runtime.gradcheck import Check, made_up
from runtime.session import Session


def spec(tmp_path: Path, layers: str, loss: str = "cross_entropy") -> str:
    path = tmp_path / "net.yaml"
    path.write_text(small.text(layers, loss))
    return str(path)


@pytest.mark.parametrize("loss", ["cross_entropy", "binary_cross_entropy", "hinge", "huber"])
def test_right_gradients_pass(tmp_path: Path, capsys: pytest.CaptureFixture[str], loss: str) -> None:
    assert main(["gradcheck", spec(tmp_path, small.MIXED, loss)]) == 0
    *table, empty, verdict = capsys.readouterr().out.splitlines()
    assert [row.split()[0] for row in table] == ["tensor", *(f"{name}.{what}" for name in NAMES for what in ("weight", "bias"))]
    assert not empty
    assert verdict.startswith("worst: ")
    assert verdict.endswith("within the tolerance of 1e-06")


NAMES = ("conv", "bn", "inner", "fc")


def test_a_wrong_derivative_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PARTIAL, "tanh", lambda y, a: (literal(1) - y,))
    layers = "\n  - flatten\n  - {name: first, linear: 3}\n  - tanh\n  - {name: second, linear: 5}\n"
    assert main(["gradcheck", spec(tmp_path, layers), "--samples", "4"]) == 1
    out = capsys.readouterr().out
    assert "worst: first." in out
    assert "past the tolerance" in out


def test_the_tolerance_is_the_users(tmp_path: Path) -> None:
    assert main(["gradcheck", spec(tmp_path, small.NORMED), "--tolerance", "1e-15"]) == 1


def test_a_spec_with_errors_or_without_a_loss(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gradcheck", spec(tmp_path, "\n  - convv: 3\n")]) == 1
    assert "convv" in capsys.readouterr().err
    path = tmp_path / "plain.yaml"
    path.write_text("netc: 1\nname: plain\ninput: [4]\nlayers: [linear: 3]\n")
    assert main(["gradcheck", str(path)]) == 1
    assert "no output has a loss" in capsys.readouterr().err


def test_corners_are_told_apart_and_nothing_stays_changed() -> None:
    """A weight of 0 in front of a relu of the same sign on either side: each of its elements stands on a corner."""
    layers = "\n  - {name: fc, linear: {units: 2, bias: false}}\n  - relu\n"
    session = Session(small.planned(small.text(layers, "l2", shape="[3]"), 1))
    session.load({"fc.weight": np.zeros((2, 3))})
    before = session.parameters()
    rng = np.random.default_rng(0)
    [tensor] = Check(session, made_up(session, rng), 3, rng).tensors()
    assert (tensor.compared, tensor.corners, tensor.error) == ([], 6, 0.0)
    small.same(session.parameters(), before, 0)

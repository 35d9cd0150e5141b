"""netc doctor: what it finds on machines with and without a GPU, and that it tries what is there."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from netcompiler.cli import Refusal, doctor, main
from netcompiler.cli.target import fault, of, trained_on
from runtime import selftest
from runtime.kernels.cuda import presence
from runtime.selftest import Verdict


@pytest.fixture(autouse=True)
def _asked_anew() -> Iterator[None]:
    fault.cache_clear()
    yield
    fault.cache_clear()


def test_without_a_gpu(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presence, "seen", lambda: None)
    assert main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("cuda ") and "no GPU of NVIDIA's" in line for line in lines)
    assert any("pip install 'netc[cuda13]'" in line for line in lines)
    assert any(line.startswith("cpu tried ") and line.endswith("as the reference does") for line in lines)
    assert lines[-1].startswith("netc runs nets on cpu")


def test_with_a_gpu_and_nothing_for_it(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presence, "seen", lambda: presence.Seen((12, 4), (("NVIDIA A100", 40 * 2**30),)))
    monkeypatch.setattr(presence, "find_spec", lambda name: None)
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert "the driver knows CUDA up to 12.4\n  GPU 0           NVIDIA A100, 40.0 GiB\n" in out
    assert "CuPy is not installed: pip install 'netc[cuda12]'" in out


def test_wrong_numbers_are_shown(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selftest, "compared", lambda plan, oracle: Verdict([2.3, 9.9], [2.3, 2.2], 0.1))
    assert main(["doctor"]) == 1
    assert "the losses are wrong: 2.3000 9.9000 instead of 2.3000 2.2000" in capsys.readouterr().out


def test_what_is_tried_reads_pictures_and_tells_classes() -> None:
    verdict = selftest.compared(doctor._plan("numpy"), doctor._plan("numpy"))
    assert verdict.sound
    assert verdict.losses[-1] < verdict.losses[0]


@pytest.mark.parametrize(
    ("shown", "device", "left"), [("", "2", "2"), ("4,6", "1", "6"), ("GPU-1a,GPU-2b", "0", "GPU-1a"), ("4,6", "2", None), ("", "-1", None)]
)
def test_one_gpu_is_all_that_cuda_sees(shown: str, device: str, left: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", shown)
    monkeypatch.setenv("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
    if left is None:
        with pytest.raises(SystemExit):
            doctor._parser().parse_args([f"--device={device}"])
        return
    doctor._parser().parse_args(["--device", device])
    assert os.environ["CUDA_VISIBLE_DEVICES"] == left


def test_a_gpu_that_can_be_used_is_used_and_the_reason_is_told(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presence, "seen", lambda: presence.Seen((13, 0), (("NVIDIA H100", 80 * 2**30),)))
    monkeypatch.setattr(presence, "fault", lambda: "")
    assert of("auto") == ("cuda", "NVIDIA H100")
    assert of("auto", "f64") == ("numpy", ""), "what computes in 64 bits"
    assert of("cpu") == ("cpu", "")
    assert trained_on({"target": "cuda"}) == "cuda"
    fault.cache_clear()
    monkeypatch.setattr(presence, "fault", lambda: "CuPy is not installed")
    assert of("auto") == ("cpu", "CuPy is not installed")
    assert trained_on({"target": "cuda"}) == "cpu"
    assert capsys.readouterr().err == "netc: the run was trained on cuda, and cpu runs it here: CuPy is not installed\n"
    with pytest.raises(Refusal, match="target cuda cannot run here: CuPy is not installed; `netc doctor` tells more"):
        of("cuda")

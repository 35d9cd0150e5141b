"""Plans that begin to run: what a library refuses is compiled around, and remembered."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf, isinf
from pathlib import Path
from typing import Any

import cuda_cudnn
import pytest
import small
from cuda_cublas import Blas
from cuda_fake import FakeCuda
from cuda_host import HostDriver

from netcompiler.cli import Refusal
from netcompiler.cli.opening import Opened, open_spec
from netcompiler.cli.starting import begun
from netcompiler.plan import Plan
from runtime.device import Host, Refused
from runtime.facts import kept
from runtime.kernels.cuda import cublas, cudnn
from runtime.kernels.cuda.device import Gpu
from runtime.kernels.cuda.hardware import Hardware
from runtime.session import Session

SPEC = small.text(small.MIXED, train="optimizer: {sgd: 0.1}, precision: fp32, batch: 4")
X, Y = small.pictures(4).astype("f4"), small.labels(4)


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Opened:
    monkeypatch.setenv("NETC_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "mixed.yaml"
    path.write_text(SPEC)
    return open_spec(str(path), [])


@pytest.fixture
def refusing(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The ops of what cuDNN was asked for; it refuses gradients of weights."""
    blas, asked, planned = Blas(), list[str](), cudnn.planned

    def refuse(task: cudnn.Task, *more: Any, **where: Any) -> cudnn.Plan:
        asked.append(task.op)
        if task.op == "conv_dw":
            raise Refused("cuDNN has no plan for it within 10 bytes")
        return planned(task, *more, **where)

    monkeypatch.setattr(cudnn, "planned", refuse)
    monkeypatch.setattr(cudnn, "front", lambda: cuda_cudnn.FRONT)
    monkeypatch.setattr(cublas, "blas", lambda: blas)
    monkeypatch.setattr("runtime.binding.device_of", lambda target: Gpu(HostDriver()))
    return asked


def by_library(plan: Plan, op: str) -> list[str]:
    return [i.algorithm for program in plan.programs.values() for i in program if i.core.op == op and i.algorithm == "cudnn"]


def test_a_refusal_is_compiled_around_and_kept_in_mind(opened: Opened, refusing: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    plan = opened.plan("cuda")
    assert by_library(plan, "conv_dw")
    session, facts = begun(opened, plan, {})
    assert by_library(session.plan, "conv")
    assert not by_library(session.plan, "conv_dw")
    assert facts
    assert all(isinf(seconds) for offers in facts.values() for seconds in offers.values())
    assert "netc: cuDNN has no plan for it within 10 bytes: the plan is made again without that" in capsys.readouterr().err
    reference = Session(opened.plan("numpy"), device=Host("numpy"))
    reference.load(session.parameters())
    assert session.step(X, Y)["loss"] == pytest.approx(reference.step(X, Y)["loss"], rel=1e-5)
    refusing.clear()
    begun(opened, opened.plan("cuda", kept("cuda")), kept("cuda"))
    assert refusing
    assert "conv_dw" not in refusing


def test_what_was_measured_of_the_others_stays(opened: Opened, refusing: list[str]) -> None:
    site = next(iter(begun(opened, opened.plan("cuda"), {})[1]))
    known = {site: {"conv_dw.cudnn": 1e-3, "conv_dw.cudnn:eng5": 2e-3}}
    _, facts = begun(opened, opened.plan("cuda", known), known)
    assert facts[site] == kept("cuda")[site] == {"conv_dw.cudnn": inf, "conv_dw.cudnn:eng5": inf}


def test_where_nothing_else_is_left_it_is_said(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(device: Host, instructions: Any, views: Any, seed: int) -> list[Any]:
        raise Refused("it has no plan for it", instructions[:1])

    monkeypatch.setattr(Host, "bound", refuse)
    with pytest.raises(Refusal, match=r"it has no plan for it, and nothing else can run \w+ here"):
        begun(opened, opened.plan("numpy"), {})


def test_too_little_memory_where_nothing_else_has_looked(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    small_one = Gpu(Hardware(FakeCuda(size=1000)))
    monkeypatch.setattr("runtime.binding.device_of", lambda target: small_one)
    with pytest.raises(Refusal, match=r"too little memory for 4 pictures at once: .* bytes are asked for, and .* are free; take a smaller"):
        begun(opened, opened.plan("cuda"), {})

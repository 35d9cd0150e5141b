"""Steps and inferences of a net in PyTorch, one way of running it at a time: its variant."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .serving import Side, Unable, sample
from .torch_net import Net, loss_of, optimizer
from .torch_place import Place

DTYPES = {"F32": torch.float32, "I64": torch.int64}
MODES = {"compile": "default", "max_autotune": "max-autotune"}
"""Of torch.compile, by variant."""
COMPILERS = ("g++", "c++", "clang++")


def run(job: dict[str, Any]) -> Side:
    place, given = Place(job), read(Path(job["tensors"]))
    net = Net(job["net"]).train(job["mode"] == "train")
    with torch.no_grad():
        for name, tensor in net.tensors().items():
            tensor.copy_(given.pop(name))
    net = place.net(net)
    inputs = [place.input(given[f"in.{name}"]) for name in job["net"]["inputs"]]
    model = compiled(net, MODES[job["variant"]]) if job["variant"] in MODES else net
    about = {"name": f"PyTorch {torch.__version__}"}
    if job["mode"] == "infer":
        infer = inference(model, inputs, place)
        outputs = [sample(y.float().cpu().flatten()) for y in infer()]
        return place.side(infer, {**about, "first": outputs}, job["variant"])
    targets = {name: given[f"target.{name}"].to(place.device) for name in job["targets"]}
    step = training(net, model, job, inputs, targets, place)
    losses = [measured(net, job, inputs, targets)] if job["noisy"] else [float(step()), float(step())]
    return place.side(step, {**about, "first": losses}, job["variant"])


def read(path: Path) -> dict[str, Tensor]:
    """A safetensors file."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
        tensors = {}
        for name, about in header.items():
            begin, end = about["data_offsets"]
            file.seek(8 + length + begin)
            tensors[name] = torch.frombuffer(bytearray(file.read(end - begin)), dtype=DTYPES[about["dtype"]]).reshape(about["shape"])
    return tensors


def compiled(net: Net, mode: str) -> Callable[..., list[Tensor]]:
    if not (os.environ.get("CXX") or any(map(shutil.which, COMPILERS))):
        raise Unable(f"torch.compile needs a C++ compiler: one of {', '.join(COMPILERS)}")
    model: Callable[..., list[Tensor]] = torch.compile(net, mode=mode)
    return model


def inference(model: Callable[..., list[Tensor]], inputs: list[Tensor], place: Place) -> Callable[[], list[Tensor]]:
    def infer() -> list[Tensor]:
        with torch.inference_mode(), place.math():
            return model(*inputs)

    return infer


def training(
    net: Net,
    model: Callable[..., list[Tensor]],
    job: dict[str, Any],
    inputs: list[Tensor],
    targets: dict[str, Tensor],
    place: Place,
) -> Callable[[], Tensor]:
    """Forward, backward and update; gives the loss."""
    rule = optimizer(net, job["optimizer"])

    def step() -> Tensor:
        rule.zero_grad(set_to_none=True)
        with place.math():
            loss = loss_of(job["net"], model(*inputs), targets)
        loss.backward()
        rule.step()
        return loss.detach()

    return step


def measured(net: Net, job: dict[str, Any], inputs: list[Tensor], targets: dict[str, Tensor]) -> float:
    """The loss without noise, as in inference."""
    net.eval()
    with torch.no_grad():
        loss = float(loss_of(job["net"], net(*inputs), targets, training=False))
    net.train()
    return loss

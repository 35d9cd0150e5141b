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

DTYPES = {"F32": torch.float32, "I64": torch.int64}
FORMATS = {4: torch.channels_last, 5: torch.channels_last_3d}
COMPILERS = ("g++", "c++", "clang++")


def run(job: dict[str, Any]) -> Side:
    given = read(Path(job["tensors"]))
    net = Net(job["net"]).train(job["mode"] == "train")
    with torch.no_grad():
        for name, tensor in net.tensors().items():
            tensor.copy_(given.pop(name))
    inputs = [given[f"in.{name}"] for name in job["net"]["inputs"]]
    if job["variant"] == "channels_last":
        net = net.to(memory_format=FORMATS[inputs[0].dim()])
        inputs = [x.contiguous(memory_format=FORMATS[x.dim()]) if x.dim() in FORMATS else x for x in inputs]
    model = compiled(net) if job["variant"] == "compile" else net
    about = {"name": f"PyTorch {torch.__version__}"}
    if job["mode"] == "infer":
        infer = inference(model, inputs)
        return Side(infer, {**about, "first": [sample(y.flatten()) for y in infer()]})
    targets = {name: given[f"target.{name}"] for name in job["targets"]}
    step = training(net, model, job, inputs, targets)
    return Side(step, {**about, "first": [measured(net, job, inputs, targets)] if job["noisy"] else [step(), step()]})


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


def compiled(net: Net) -> Callable[..., list[Tensor]]:
    if not (os.environ.get("CXX") or any(map(shutil.which, COMPILERS))):
        raise Unable(f"torch.compile needs a C++ compiler: one of {', '.join(COMPILERS)}")
    model: Callable[..., list[Tensor]] = torch.compile(net)
    return model


def inference(model: Callable[..., list[Tensor]], inputs: list[Tensor]) -> Callable[[], list[Tensor]]:
    def infer() -> list[Tensor]:
        with torch.inference_mode():
            return model(*inputs)

    return infer


def training(
    net: Net, model: Callable[..., list[Tensor]], job: dict[str, Any], inputs: list[Tensor], targets: dict[str, Tensor]
) -> Callable[[], float]:
    """Forward, backward and update; gives the loss."""
    rule = optimizer(net, job["optimizer"])

    def step() -> float:
        rule.zero_grad(set_to_none=True)
        loss = loss_of(job["net"], model(*inputs), targets)
        loss.backward()
        rule.step()
        return float(loss.detach())

    return step


def measured(net: Net, job: dict[str, Any], inputs: list[Tensor], targets: dict[str, Tensor]) -> float:
    """The loss without noise, as in inference."""
    net.eval()
    with torch.no_grad():
        loss = float(loss_of(job["net"], net(*inputs), targets, training=False))
    net.train()
    return loss

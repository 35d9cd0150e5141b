"""Where PyTorch runs a net, and in which precision: a processor, or a GPU with all that makes it fast there."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor

from .serving import Side, Unable, forget_peak, peak

FORMATS = {4: torch.channels_last, 5: torch.channels_last_3d}
GRAPH = "graph"
"""The variant that replays a step that was captured as a whole."""
WARM = 3
"""Steps in front of a capture: libraries choose and load meanwhile."""


class Place:
    """Of a job. On a GPU pictures lie with channels last whatever the variant, and libraries time their kernels."""

    def __init__(self, job: dict[str, Any]) -> None:
        self.on_gpu = job["target"] == "cuda"
        if self.on_gpu and not torch.cuda.is_available():
            raise Unable(f"PyTorch {torch.__version__} sees no GPU")
        self.device = torch.device("cuda" if self.on_gpu else "cpu")
        self.halves = job.get("precision") == "bf16"
        self.last = self.on_gpu or job["variant"] == "channels_last"
        exact = job.get("precision") == "fp32"
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = not exact
        torch.backends.cudnn.benchmark = True

    def net(self, net: Any) -> Any:
        dims = next((p.dim() for p in net.parameters() if p.dim() in FORMATS), 0)
        net = net.to(self.device)
        return net.to(memory_format=FORMATS[dims]) if self.last and dims else net

    def input(self, x: Tensor) -> Tensor:
        x = x.to(self.device)
        return x.contiguous(memory_format=FORMATS[x.dim()]) if self.last and x.dim() in FORMATS else x

    def math(self) -> AbstractContextManager[Any]:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.halves)

    def side(self, step: Callable[[], Any], about: dict[str, Any], variant: str) -> Side:
        return Side(captured(step) if variant == GRAPH else step, about, self.wait, self.peak, self.forget)

    def wait(self) -> None:
        if self.on_gpu:
            torch.cuda.synchronize()

    def peak(self) -> int:
        """Bytes of the memory that nets lie in."""
        return int(torch.cuda.max_memory_reserved()) if self.on_gpu else peak()

    def forget(self) -> None:
        if self.on_gpu:
            torch.cuda.reset_peak_memory_stats()
        else:
            forget_peak()


def captured(step: Callable[[], Any]) -> Callable[[], Any]:
    """A step as one graph, as people do it by hand: warmed up in a stream of its own, then replayed."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(WARM):
            step()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        loss = step()

    def replay() -> Any:
        graph.replay()
        return loss

    return replay

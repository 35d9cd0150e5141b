"""PyTorch's side of a contest: `python -m peer.torch_side` under the peer's interpreter. What it does: torch_run.py."""

from __future__ import annotations

import sys
from typing import Any

from .serving import Side, Unable, serve


def begin(job: dict[str, Any]) -> Side:
    try:
        import torch
    except ImportError:
        raise Unable(
            f"{sys.executable} has no PyTorch: `{sys.executable} -m pip install torch` puts it there, "
            "or --peer-python names an interpreter that has it"
        ) from None
    from .torch_run import run

    torch.manual_seed(0)
    torch.set_num_threads(job["threads"])
    return run(job)


if __name__ == "__main__":
    serve(begin)

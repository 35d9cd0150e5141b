"""Every case of the table of layers, and small nets of all losses, in PyTorch as `netc bench` builds them: two steps of training.

Needs netc and PyTorch in one interpreter, as the extra `peers` has them; says what PyTorch lacks, and fails where losses are apart.
"""

from __future__ import annotations

import importlib.util
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from cases import CASES

import netcompiler
from netcompiler.cli import bench_side
from netcompiler.cli.contestants import job_of_peer, noisy
from runtime.bench.contest import apart
from runtime.bench.peer.serving import Unable

LOSSES = [
    "cross_entropy",
    "{cross_entropy: {smoothing: 0.1, class_weights: [1, 2, 0.5]}}",
    "{binary_cross_entropy: {positive_weight: 3}}",
    "{hinge: {margin: 0.5}}",
    "{huber: {delta: 0.3}}",
    "l1",
]
MAPS = "netc: 1\nname: maps\ninput: [2, 5, 4]\nlayers: [conv: {{filters: 3, kernel: 2}}]\nloss: {}\n"
VECTOR = "netc: 1\nname: vector\ninput: [4]\nlayers: [linear: 3]\nloss: {}\n"


def specs() -> Iterator[tuple[str, str, int]]:
    """A title, a text and how many rows."""
    yield from ((case.title, case.spec(), max(2, case.rows)) for case in CASES)
    yield from ((f"{loss} of {kind}", text.format(loss), 3) for loss in LOSSES for kind, text in (("maps", MAPS), ("a vector", VECTOR)))


def difference(text: str, rows: int, folder: str) -> float:
    """Of the losses of the first two steps, the larger one, relative."""
    loaded = netcompiler.load("-", stdin_text=text)
    assert loaded.graph, [d.message for d in loaded.errors]
    common = {"mode": "train", "batch": rows, "target": "numpy", "tensors": f"{folder}/tensors", "noisy": noisy(loaded.graph)}
    ours = bench_side.begin({**common, "spec": "-", "settings": [], "text": text})
    from runtime.bench.peer import torch_run

    theirs = torch_run.run({**job_of_peer(loaded.graph, loaded.recipe, common), "variant": "eager"})
    return max(map(apart, ours.about["first"], theirs.about["first"]))


def main() -> int:
    if importlib.util.find_spec("torch") is None:
        print("PyTorch is not in this environment, so its layers are not compared: pip install -e '.[peers]'")
        return 0
    worst = 0.0
    with tempfile.TemporaryDirectory() as folder:
        for title, text, rows in specs():
            try:
                found = difference(text, rows, folder)
            except Unable as reason:
                print(f"{'none':>8}  {title}: {reason}")
                continue
            worst = max(worst, found)
            print(f"{found:8.1e}  {title}")
    print(f"worst {worst:.1e}")
    return worst > 1e-4


if __name__ == "__main__":
    sys.exit(main())

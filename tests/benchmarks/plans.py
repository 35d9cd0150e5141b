"""How long a training plan takes to compile: whole processes that print it, the least of several runs."""

from __future__ import annotations

import tempfile
from pathlib import Path

from front_end import NETC, least_time, long_spec, report

NETS = {"lenet": "", "resnet:50": "", "resnet:152": "budget 2 s", "densenet:121": ""}
LAYERS = {1_000: "", 10_000: "budget 30 s"}
TAIL = """\
  - global_mean_pool
  - linear: 10
loss: cross_entropy
train: {optimizer: {sgd: {rate: 0.1, momentum: 0.9}}, batch: 8}
"""


def main() -> None:
    for net, remark in NETS.items():
        report(f"netc plan {net}", least_time([*NETC, "plan", net, "--mode", "train", "--batch", "8"], 3), remark)
    for layers, remark in LAYERS.items():
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "long.yaml")
            path.write_text(long_spec(layers) + TAIL, encoding="utf-8")
            report(f"netc plan, {layers:,} layers", least_time([*NETC, "plan", str(path)], 1), remark)


if __name__ == "__main__":
    main()

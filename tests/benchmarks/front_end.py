"""How long the front half takes: whole processes, the least of several runs, and torchinfo's for the same nets where PyTorch is there."""

from __future__ import annotations

import importlib.util
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

NETC = [sys.executable, "-m", "netcompiler"]
RUNS = 5
NETS = ("lenet", "resnet:152", "densenet:201")
PEERS = ("resnet:152", "densenet:201")


def least_time(command: Sequence[str], runs: int = RUNS) -> float:
    def once() -> float:
        begin = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment())
        return time.perf_counter() - begin

    return min(once() for _ in range(runs))


def environment() -> dict[str, str]:
    """Compiled modules are kept, as on a user's machine."""
    return {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}


def long_spec(layers: int) -> str:
    lines = "".join(f"  - conv: {{filters: {8 + at % 2}, kernel: 3, padding: same}}\n" for at in range(layers))
    return f"netc: 1\nname: long\ninput: [8, 16, 16]\nlayers:\n{lines}"


def main() -> None:
    report("netc --help", least_time([*NETC, "--help"]), "budget 0.15 s")
    for net in NETS:
        report(f"netc check {net}", least_time([*NETC, "check", net]), "budget 0.30 s")
    for layers in (1_000, 10_000):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "long.yaml")
            path.write_text(long_spec(layers), encoding="utf-8")
            report(f"netc check, {layers:,} layers", least_time([*NETC, "check", str(path)], 2), "budget 3 s for 10,000")
    print(f"largest of these processes {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024:.0f} MiB")
    if all(importlib.util.find_spec(name) for name in ("torch", "torchinfo")):
        for net in PEERS:
            report(f"torchinfo, {net}", torchinfo_time(net), "imports and summary; building the module is not counted")


def torchinfo_time(net: str, runs: int = 2) -> float:
    """The seconds that torchinfo_peer.py says it took."""
    peer = Path(__file__).with_name("torchinfo_peer.py")
    said = (subprocess.run([sys.executable, peer, net], check=True, capture_output=True, text=True, env=environment()) for _ in range(runs))
    return min(float(run.stdout) for run in said)


def report(what: str, seconds: float, remark: str = "") -> None:
    print(f"{what:<28} {seconds:7.3f} s   {remark}".rstrip(), flush=True)


if __name__ == "__main__":
    main()

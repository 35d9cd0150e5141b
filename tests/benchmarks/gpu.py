"""All that only a GPU can show, in under nine minutes: `make bench-gpu`, and the page gpu.md beside this file.

First what must be right: case tables of the kernels, nets against the oracle in each precision, graphs against steps one by one, memory
over a thousand steps. Then netc beside PyTorch, as long as there is time; `--full` takes the time that it takes.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from gpu_checks import Check, checks

from netcompiler.cli.contestants import job_of, plan_of
from netcompiler.cli.tuning import kept
from netcompiler.instructions.op import flops, traffic
from netcompiler.loading import load
from runtime.ceilings import ceilings
from runtime.kernels.cuda import presence

HERE = Path(__file__).parent
TESTS = HERE.parent
RECORD, PAGE = HERE / "gpu.json", HERE / "gpu.md"
TIME = 510.0
"""Seconds for all of it."""

QUICK, COMPILED, FULL = ("eager", "graph"), ("eager", "graph", "compile"), ("eager", "graph", "compile", "max_autotune")


class Row(NamedTuple):
    """A step to be timed; `floor` is the ratio that is wanted, `seconds` what the row may take."""

    spec: str
    batch: int
    precision: str
    floor: float
    variants: Sequence[str] = QUICK
    seconds: float = 45


ROWS = (
    Row("lenet", 128, "tf32", 1.5, COMPILED, 60),
    Row("lenet", 128, "tf32", 5.0, ("eager",), 20),
    Row("resnet:50", 256, "tf32", 1.15),
    Row("vgg:D", 64, "bf16", 1.15),
    Row("alexnet:2014", 256, "tf32", 1.15),
    Row("vgg:D", 64, "tf32", 1.08),
    Row("densenet:121", 64, "tf32", 1.15, seconds=60),
    Row("resnet:50", 256, "bf16", 1.15, COMPILED, 90),
)

METHOD = """\
Training steps of netc on a GPU beside those of PyTorch: `make bench-gpu` makes this page, `netc bench SPEC --target cuda --peer torch`
each of its rows. Both sides are processes of their own, with the same weights and pictures on the GPU, and take turns. PyTorch has
channels last, cudnn.benchmark and a fused optimizer; TF32 in rows of tf32, autocast in rows of bf16. Its variants: eager, torch.compile,
torch.compile with max-autotune, and a whole step captured by hand; the fastest of those that a row names counts. The share is what the
step would take if every instruction ran at the speeds measured for products and copies, over what it takes.
"""


def main() -> int:
    args = _parser().parse_args()
    begin = time.monotonic()
    if why := presence.fault():
        print(f"nothing can be measured here: {why}")
        return 1
    record: dict[str, Any] = {"machine": _machine(args.peer_python), "date": str(datetime.date.today()), "checks": [], "rows": []}
    for check in (*_tables(), *checks()):
        print(check.line(), flush=True)
        record["checks"].append(check._asdict())
        _write(record)
    for row in ROWS:
        if not args.full and time.monotonic() - begin + row.seconds > TIME:
            print(f"{row.spec} {row.batch} {row.precision}: no time is left; --full takes it", flush=True)
            continue
        record["rows"].append(_timed(row, args))
        print(_cells(record["rows"][-1]), flush=True)
        _write(record)
    return 0 if all(check["sound"] for check in record["checks"]) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer-python", help="an interpreter with PyTorch for CUDA; without one only netc is timed")
    parser.add_argument("--full", action="store_true", help="all variants of PyTorch, and all rows, however long that takes")
    return parser


def _tables() -> Iterator[Check]:
    """The case tables of the tests, on the GPU instead of on this processor."""
    begin = time.monotonic()
    names = sorted(path.name for path in TESTS.glob("test_cuda_*.py") if path.name not in NOT_TABLES)
    words = ["-m", "pytest", "-n", "4", "-q", "-k", f"not ({' or '.join(ELSEWHERE)})", "-p", "no:cacheprovider", *names]
    done = subprocess.run([sys.executable, *words], cwd=TESTS, env={**os.environ, "NETC_TEST_GPU": "1"}, capture_output=True, text=True)
    said = [line for line in done.stdout.splitlines() if line.strip()]
    (HERE / "gpu.log").write_text(done.stdout + done.stderr, encoding="utf-8")
    yield Check("case tables", done.returncode == 0, f"{said[-1] if said else done.stderr[-200:]}", time.monotonic() - begin)


NOT_TABLES = ("test_cuda_driver.py", "test_cuda_presence.py", "test_cuda_nets.py", "test_cuda_zoo.py")
ELSEWHERE = ("spills", "stands_behind_a", "told", "fact", "engine", "resort", "structures", "whole_unless", "algorithm", "regions")
ELSEWHERE += ("left_out", "other_maps", "workspace", "in_place", "quarters", "shared_among", "another_offer")
"""Words in the names of tests that run nothing on a GPU."""


def _timed(row: Row, args: argparse.Namespace) -> dict[str, Any]:
    """The answer of netc bench, with the share of what the GPU could do; or why there is none."""
    words = [
        row.spec,
        "--batch",
        str(row.batch),
        "--target",
        "cuda",
        "--json",
        "--rounds",
        "5",
        "--set",
        f"train.precision={row.precision}",
    ]
    variants = FULL if args.full and len(row.variants) > 1 else row.variants
    peer = [word for variant in variants for word in ("--peer-variant", variant)]
    peer += ["--peer", "torch", "--peer-python", args.peer_python or ""]
    command = [sys.executable, "-m", "netcompiler", "bench", *words, *(peer if args.peer_python else [])]
    done = subprocess.run(command, capture_output=True, text=True)
    about = {"spec": row.spec, "batch": row.batch, "precision": row.precision, "floor": row.floor}
    if done.returncode:
        return {**about, "why": done.stderr.strip().splitlines()[-1:]}
    found = json.loads(done.stdout)
    return {**about, **{name: found[name] for name in ("netc", "peer", "ratio")}, "share": _roofline(row) / found["netc"]["ms_min"] * 1e3}


def _roofline(row: Row) -> float:
    """Seconds of a step by measured ceilings."""
    loaded = load(row.spec, [f"train.precision={row.precision}"])
    plan, best = plan_of(job_of(loaded, "train", row.batch, "cuda", kept("cuda"))), ceilings("cuda", row.precision)
    return sum(max(flops(i) / best.flops, traffic(i) / best.bytes) for i in plan.programs["step"])


def _machine(peer: str | None) -> str:
    found = presence.seen()
    assert found
    name, memory = found.gpus[0]
    versions = [f"{package} {presence.installed(package) or 'none'}" for package in presence.PACKAGES]
    torch = "import torch; print('PyTorch', torch.__version__, 'with cuDNN', torch.backends.cudnn.version())"
    if peer:
        versions.append(subprocess.run([peer, "-c", torch], capture_output=True, text=True).stdout.strip())
    return f"{name}, {memory / 2**30:.0f} GiB, driver for CUDA {found.cuda[0]}.{found.cuda[1]}; {', '.join(filter(None, versions))}"


# the page

HEAD = ("net", "batch", "precision", "netc ms", "PyTorch ms", "variant", "ratio", "wanted", "netc MiB", "PyTorch MiB", "share of the best")


SAID = {True: "sound", False: "**wrong**"}


def _write(record: dict[str, Any]) -> None:
    RECORD.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    checked = [(each["name"], SAID[each["sound"]], each["found"], f"{each['seconds']:.0f} s") for each in record["checks"]]
    parts = ["# netc on a GPU\n", METHOD, f"{record['machine']}; {record['date']}.\n"]
    parts += ["## Checks\n", _table(("what", "is", "found", "in"), checked)]
    parts += ["## Training steps\n", _table(HEAD, map(_cells, record["rows"]))] if record["rows"] else []
    PAGE.write_text("\n".join(parts), encoding="utf-8")


def _table(head: Sequence[str], rows: Iterator[Sequence[str]] | Sequence[Sequence[str]]) -> str:
    lines = [head, [":--"] * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _cells(row: dict[str, Any]) -> Sequence[str]:
    own = (row["spec"], str(row["batch"]), row["precision"])
    if "why" in row:
        return (*own, " ".join(row["why"]), *[""] * (len(HEAD) - 4))
    ours, peer = row["netc"], row["peer"]
    beside = [f"{peer['ms_min']:,.3f}", peer["variant"], f"**{row['ratio']['best']:.2f}**"] if peer else [""] * 3
    memory = [f"{side['peak_rss_mb']:,.0f}" if side else "" for side in (ours, peer)]
    return (*own, f"{ours['ms_min']:,.3f}", *beside, f"{row['floor']:g}", *memory, f"{row['share']:.0%}")


if __name__ == "__main__":
    sys.exit(main())

"""netc beside PyTorch on this processor: the table of README.md beside this file, written anew.

`--full` tries all of PyTorch's variants and measures inference too, which takes an hour. Without it only the variant that was
the fastest in the last full run takes part, and the table is that of training: about ten minutes.
"""

from __future__ import annotations

import argparse
import datetime
import json
import platform
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from runtime.environment import memory, processor

HERE = Path(__file__).parent
RECORD, PAGE = HERE / "cpu.json", HERE / "README.md"
Results = dict[str, dict[str, Any]]


class Row(NamedTuple):
    spec: str
    batch: int
    floor: float
    aim: float
    rounds: int = 7


TRAINING = (
    Row("vgg:D", 8, 3.0, 3.5, rounds=4),
    Row("resnet:18", 16, 1.6, 1.9),
    Row("resnet:50", 8, 1.35, 1.5, rounds=20),
    Row("alexnet:2014", 32, 1.4, 1.6),
    Row("googlenet", 16, 1.4, 1.7),
    Row("densenet:121", 8, 1.3, 1.5),
    Row("mobilenet:1.0", 16, 1.4, 2.0, rounds=20),
    Row("lenet", 128, 2.0, 3.0),
)
INFERENCE = tuple(Row(row.spec, batch, 1.5, 1.5) for row in TRAINING for batch in (1, 32))
TABLES = {"train": ("Training", TRAINING), "infer": ("Inference", INFERENCE)}

METHOD = """\
Images per second of netc over those of PyTorch: `make bench` makes this page, `netc bench` each of its rows. Both sides are processes
of their own with the same threads, weights and pictures, and take turns round by round; a round is half a second of steps, or one
step. A training step is forward, cross-entropy, backward and SGD with momentum 0.9 and the recipe's weight decay, in float32, PyTorch's
with its fused optimizer. First losses must agree within 1e-4. Of PyTorch's eager mode, channels last and torch.compile the fastest counts.
Memory is the most that a side has resident in its rounds.
"""


def main() -> int:
    args = _parser().parse_args()
    known: Results = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else {}
    for mode in args.mode or (("train", "infer") if args.full else ("train",)):
        for row in TABLES[mode][1]:
            if not args.nets or row.spec in args.nets:
                found = _measured(args, mode, row, known.get(_key(mode, row)))
                if found is None:
                    return 1
                known[_key(mode, row)] = found
                print(_line(row, found), flush=True)
                RECORD.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
                PAGE.write_text(_page(args, known), encoding="utf-8")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("nets", nargs="*", help="only these: the page keeps what it has of the others")
    parser.add_argument("--full", action="store_true", help="all variants of PyTorch, and inference")
    parser.add_argument("--mode", action="append", choices=TABLES, help="only this table")
    parser.add_argument("--target", default="cpu")
    parser.add_argument("--threads", default="2")
    parser.add_argument("--peer-python", default=sys.executable)
    return parser


def _key(mode: str, row: Row) -> str:
    return f"{mode} {row.spec} {row.batch}"


def _measured(args: argparse.Namespace, mode: str, row: Row, before: dict[str, Any] | None) -> dict[str, Any] | None:
    """The answer of netc bench; None where it has said why not."""
    words = [row.spec, "--batch", str(row.batch), "--mode", mode, "--rounds", str(row.rounds), "--target", args.target, "--json"]
    peer = ["--threads", args.threads, "--peer", "torch", "--peer-python", args.peer_python]
    if before and not args.full:
        peer += ["--peer-variant", before["peer"]["variant"]]
    done = subprocess.run([sys.executable, "-m", "netcompiler", "bench", *words, *peer], stdout=subprocess.PIPE, text=True)
    return {**json.loads(done.stdout), "date": str(datetime.date.today())} if done.returncode == 0 else None


def _line(row: Row, found: dict[str, Any]) -> str:
    return "  ".join(_cells(row, found))


def _cells(row: Row, found: dict[str, Any]) -> Sequence[str]:
    ours, peer, ratio = found["netc"], found["peer"], found["ratio"]
    return (
        row.spec,
        str(row.batch),
        f"{ours['ms_min']:,.2f}",
        f"{ours['ms_median']:,.2f}",
        f"{peer['ms_min']:,.2f}",
        f"{peer['ms_median']:,.2f}",
        peer["variant"],
        f"**{ratio['best']:.2f}**",
        f"{ratio['median']:.2f}",
        f"{row.floor:g}",
        f"{row.aim:g}",
        f"{ours['peak_rss_mb']:,.0f}",
        f"{peer['peak_rss_mb']:,.0f}",
        f"{ours['peak_rss_mb'] / peer['peak_rss_mb']:.2f}",
        found["date"],
    )


HEAD = ("net", "batch", "netc ms", "median", "PyTorch ms", "median", "variant", "ratio", "of medians", "floor", "aim")
HEAD += ("netc MiB", "PyTorch MiB", "ratio", "date")


def _page(args: argparse.Namespace, results: Results) -> str:
    parts = ["# netc beside PyTorch on a processor\n", METHOD, f"{_machine(args, results)}\n"]
    for mode, (title, rows) in TABLES.items():
        lines = [_cells(row, results[_key(mode, row)]) for row in rows if _key(mode, row) in results]
        if lines:
            rule = [":--", *["--:"] * 5, ":--", *["--:"] * 7, ":--"]
            parts += [f"## {title}\n", "\n".join(f"| {' | '.join(cells)} |" for cells in (HEAD, rule, *lines)) + "\n"]
    return "\n".join(parts)


def _machine(args: argparse.Namespace, results: Results) -> str:
    peer = next(iter(results.values()))["peer"]["name"]
    versions = f"netc {version('netc')}, Python {platform.python_version()}, NumPy {version('numpy')}, {peer}"
    return f"{processor()}, {args.threads} threads, {memory() / 2**30:.0f} GiB, {platform.system()} {platform.release()}; {versions}."


if __name__ == "__main__":
    sys.exit(main())

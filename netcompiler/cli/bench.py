"""netc bench: how fast and how large a net is, alone or beside PyTorch."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import netcompiler
from netcompiler.cli import FAULTY, FINE, Refusal, arguments, remarks, terminal
from netcompiler.cli.contestants import job_of_peer, noisy, precision_of, threads_of, usual_mode, where
from netcompiler.cli.loading import standard_input
from netcompiler.cli.target import GPU, chosen
from netcompiler.loading import split_variant
from netcompiler.report.columns import Column, as_lines, fit
from netcompiler.targets import AUTO, TARGETS

if TYPE_CHECKING:
    from runtime.bench.contest import Ratio
    from runtime.bench.side import Figures, Side

OURS = [sys.executable, "-m", "netcompiler.cli.bench_side"]
PEERS = {"torch": "peer.torch_side"}
VARIANTS = ("eager", "channels_last", "compile")
ON_GPU = ("eager", "compile", "max_autotune", "graph")
"""Ways to run a peer; on a GPU channels are last in all of them, and a graph holds the whole step."""
SLACK = {"fp32": 1.0, "tf32": 30.0, "bf16": 300.0, "fp16": 300.0}
"""How much further apart first numbers may be."""

Entry = tuple[str, str, "Figures"]
"""A name, a variant, and what was measured."""


def main(words: Sequence[str]) -> int:
    args = _parser().parse_args(words)
    text = standard_input() if split_variant(args.spec)[0] == "-" else None
    try:
        loaded = netcompiler.load(args.spec, args.set, text)
    except netcompiler.UnreadableSpec as error:
        raise Refusal(str(error)) from None
    if loaded.errors or loaded.graph is None:
        remarks.write(loaded.errors)
        return FAULTY
    args.mode = args.mode or usual_mode(loaded.graph)
    args.target = chosen(args.target)
    from runtime.bench.side import SideError

    try:
        entries, ratio = _contest(args, text, loaded)
    except SideError as error:
        print(f"netc: {error}", file=sys.stderr)
        return FAULTY
    _print(args, precision_of(loaded.recipe, args.target), entries, ratio)
    return FINE


def _parser() -> arguments.Parser:
    parser = arguments.Parser("bench", "How long a step or an inference takes, and how much memory; beside PyTorch in alternating rounds.")
    parser.add_spec()
    parser.add_settings()
    parser.add_measured((AUTO, *TARGETS))
    parser.add_argument("--peer", choices=tuple(PEERS), help="whom to compare with, on the same net, weights and pictures")
    parser.add_argument("--peer-python", default=sys.executable, metavar="PATH", help="the interpreter that has it; default: netc's own")
    parser.add_argument(
        "--peer-variant",
        choices=tuple(dict.fromkeys(VARIANTS + ON_GPU)),
        action="append",
        help="only this way of running it, or these; default: the fastest of all",
    )
    parser.add_argument("--rounds", type=arguments.count, default=7, metavar="N", help="of each side, in turn; default: 7")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    return parser


def _contest(args: argparse.Namespace, text: str | None, loaded: netcompiler.Loaded) -> tuple[list[Entry], Ratio | None]:
    from runtime.bench.contest import alternate, disagreement, ratio
    from runtime.bench.side import Side, SideError

    assert loaded.graph
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        common = {
            **{name: getattr(args, name) for name in ("mode", "batch", "target", "threads")},
            "tensors": str(folder / "tensors"),
            "noisy": noisy(loaded.graph),
            "precision": precision_of(loaded.recipe, args.target),
        }
        job = {**common, "spec": args.spec, "settings": args.set, "text": text}
        ours = stack.enter_context(closing(Side(OURS, job, threads_of(args.target, args.threads))))
        if not args.peer:
            alternate([ours], args.rounds)
            return [("netc", args.target, ours.figures(args.batch))], None
        variant, peer = _peer(args, loaded, common, folder)
        stack.enter_context(closing(peer))
        if found := disagreement(args.mode, ours, peer, SLACK[common["precision"]]):
            raise SideError(f"the sides do not compute the same, so their times say nothing: {found}")
        alternate([ours, peer], args.rounds)
        entries = [("netc", args.target, ours.figures(args.batch)), (peer.about["name"], variant, peer.figures(args.batch))]
        return entries, ratio(ours, peer)


def _peer(args: argparse.Namespace, loaded: netcompiler.Loaded, common: dict[str, Any], folder: Path) -> tuple[str, Side]:
    """The fastest of the variants that are asked for. PyTorch has channels last for pictures and volumes."""
    from runtime.bench.contest import fastest
    from runtime.bench.side import Side

    assert loaded.graph
    job = job_of_peer(loaded.graph, loaded.recipe, common)
    command = [_interpreter(args.peer_python), "-m", PEERS[args.peer]]
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(args.threads))
    flat = len(loaded.graph.inputs[0].shape) < 3
    known = ON_GPU if args.target == GPU else VARIANTS
    variants = args.peer_variant or [variant for variant in known if variant != "channels_last" or not flat]
    return fastest(variants, lambda variant: Side(command, {**job, "variant": variant}, threads, folder), _say)


def _interpreter(path: str) -> str:
    """It is started from another folder."""
    found = shutil.which(path)
    if found is None:
        raise Refusal(f"{path} is no interpreter: --peer-python takes the path of a Python that has PyTorch")
    return os.path.abspath(found)


def _say(line: str) -> None:
    if sys.stderr.isatty():
        print(line, file=sys.stderr)


# what comes out


def _print(args: argparse.Namespace, precision: str, entries: Sequence[Entry], ratio: Ratio | None) -> None:
    if args.json:
        print(json.dumps(_record(args, entries, ratio)))
        return
    what = "a training step" if args.mode == "train" else "an inference"
    rounds = f"{args.rounds} round{'s' * (args.rounds != 1)}{' in alternation' if ratio else ''}"
    print(f"{args.spec}, {what}, batch {args.batch}, {where(args.target, precision, args.threads)}, {rounds}\n")
    print("\n".join(as_lines(fit([_columns(entries)], terminal.width(sys.stdout)), terminal.style(sys.stdout))))
    if ratio:
        print(f"\nnetc is {ratio.best:.2f} times as fast by the best rounds, {ratio.median:.2f} times by the medians")


def _columns(entries: Sequence[Entry]) -> list[Column]:
    figures = [entry[2] for entry in entries]
    return [
        Column("", tuple(name for name, _, _ in entries)),
        Column("variant", tuple(variant for _, variant, _ in entries)),
        Column("best ms", tuple(f"{each.ms_min:,.2f}" for each in figures), right=True),
        Column("median ms", tuple(f"{each.ms_median:,.2f}" for each in figures), right=True),
        Column("pictures/s", tuple(f"{each.images_per_s:,.1f}" for each in figures), right=True),
        Column("peak MiB", tuple(f"{each.peak_rss_mb:,.0f}" for each in figures), right=True),
    ]


def _record(args: argparse.Namespace, entries: Sequence[Entry], ratio: Ratio | None) -> dict[str, Any]:
    ours, *others = entries
    peers = [{"name": name, "variant": variant, **figures._asdict()} for name, variant, figures in others]
    return {
        "spec": args.spec,
        "batch": args.batch,
        "target": args.target,
        "mode": args.mode,
        "netc": ours[2]._asdict(),
        "peer": peers[0] if peers else None,
        "ratio": ratio._asdict() if ratio else None,
    }

"""netc train: a net, its recipe and data -> a run's folder with the weights; or a run that goes on."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from netcompiler.cli import FAULTY, FINE, Refusal, arguments, remarks
from netcompiler.cli.opening import Faulty, one_thread
from netcompiler.cli.terminal import say
from netcompiler.recipe import PRECISIONS
from netcompiler.targets import AUTO, TARGETS

if TYPE_CHECKING:
    from netcompiler.cli.beginning import Ready
    from runtime.ending import Outcome


def main(words: Sequence[str]) -> int:
    args = _parser().parse_args(words)
    if (args.spec is None) == (args.resume is None):
        raise Refusal(
            "name a spec to train, or a run with --resume" if args.spec is None else "--resume RUN needs no spec: a run has its own"
        )
    one_thread()
    from runtime.atomic import Unwritten
    from runtime.checkpoint import CheckpointError
    from runtime.data.faults import DataError
    from runtime.metrics import FigureError
    from runtime.runs import RunError
    from runtime.session import InputError

    try:
        return _rehearsed(args) if args.dry_run else _train(args)
    except Faulty as faulty:
        remarks.write(faulty.found)
    except (CheckpointError, DataError, FigureError, InputError, RunError, Unwritten) as error:
        print(f"netc: {error}", file=sys.stderr)
    except BrokenPipeError:
        raise
    except OSError as error:
        print(f"netc: {error.filename or 'the run'} cannot be written: {error.strerror}", file=sys.stderr)
    return FAULTY


def _parser() -> arguments.Parser:
    parser = arguments.Parser("train", "Train a net as its recipe says. Ctrl-C ends after the step in hand, and --resume goes on there.")
    parser.add_argument("spec", nargs="?", metavar="SPEC", help=arguments.SPEC)
    parser.add_settings()
    parser.add_argument("--data", metavar="KIND|PATH", help=arguments.DATA)
    parser.add_argument("--on-bad-data", choices=("stop", "skip"), help="what becomes of rows that cannot be read; default: stop")
    parser.add_argument("--data-threads", type=arguments.count, metavar="N", help="threads that read it; default: all processors")
    parser.add_argument("--epochs", type=arguments.count, metavar="N", help="how often every picture is seen")
    parser.add_argument("--batch", type=arguments.count, metavar="N", help="pictures in a step")
    parser.add_argument("--seed", type=int, metavar="N", help="where all random numbers start")
    parser.add_argument("--weights", metavar="FILE|RUN", help="start from these: safetensors with PyTorch's names, or a run's best")
    parser.add_argument(
        "--precision", choices=PRECISIONS, help="what products are computed and numbers kept in; default: the recipe's own, or the target's"
    )
    parser.add_argument("--target", choices=(AUTO, *TARGETS), default="auto", help="what runs it; default: auto, the best that is here")
    parser.add_device()
    parser.add_argument("--run-dir", type=Path, metavar="DIR", help="the run's folder, which must not be there; default: runs/NAME-n")
    parser.add_argument(
        "--resume",
        metavar="RUN",
        help="go on with a run where its last state was saved; settings beside it are changed where they still can be",
    )
    parser.add_argument(
        "--every",
        type=arguments.every,
        metavar="TIME",
        help="how often all is saved between the ends of epochs: 500 steps, 10 min; default: 10 min",
    )
    parser.add_argument("--keep", type=arguments.count, metavar="N", help="how many states stay; default: 2, so that one may be damaged")
    parser.add_argument("--no-tune", action="store_true", help="choose kernels without timing those that were never timed here")
    parser.add_argument("--tensorboard", action="store_true", help="write TensorBoard's events into the run's folder, too")
    parser.add_argument("--dry-run", action="store_true", help="look at spec, data, memory, disk and time, and stop there")
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument("--quiet", action="store_true", help="print only how it ended")
    shown.add_argument("--json", action="store_true", help="a line of JSON when it begins, every half a minute, an epoch, and when it ends")
    return parser


def _rehearsed(args: argparse.Namespace) -> int:
    from netcompiler.cli import rehearsing

    if args.resume:
        raise Refusal("--dry-run does not go with --resume: a run that goes on has been tried")
    return rehearsing.rehearse(args)


def _train(args: argparse.Namespace) -> int:
    from netcompiler.cli.progress import as_json, display
    from runtime.tensorboard import also

    _check_tensorboard(args)
    with _begun(args) as ready, ExitStack() as open_:
        if not args.quiet:
            say(sys.stdout, as_json("begin", run=str(ready.run.folder), **ready.about) if args.json else ready.heading)
        with display(sys.stdout, args.quiet, args.json) as shown:
            if args.tensorboard:
                shown = open_.enter_context(also(shown, ready.run, ready.trainer.progress.step))
            outcome = ready.trainer.fit(ready.run, shown, ready.about, ready.source)
        if outcome.ended in GOOD:
            _report(ready)
        if left_out := ready.material.faults:
            print(f"netc: {left_out}", file=sys.stderr)
        return _ended(outcome, ready, args.json)


def _check_tensorboard(args: argparse.Namespace) -> None:
    if args.tensorboard and not find_spec("tensorboardX"):
        raise Refusal("--tensorboard takes tensorboardX: pip install 'netc[tensorboard]'")


def _report(ready: Ready) -> None:
    """Training is over and kept: what goes wrong here is a remark."""
    from netcompiler.cli.report import write
    from runtime.atomic import Unwritten

    try:
        write(ready.run, ready.opened, ready.trainer.session, ready.material)
    except Unwritten as error:
        print(f"netc: {error}; `netc report {ready.run.folder}` writes the report when there is room", file=sys.stderr)


@contextmanager
def _begun(args: argparse.Namespace) -> Iterator[Ready]:
    from netcompiler.cli import beginning, resuming
    from runtime.runs import find

    if args.resume is None:
        ready = beginning.ready(args)
        with ready.run.owned():
            yield ready
        return
    run = find(args.resume)
    summary = run.summary()
    with run.owned():
        yield resuming.ready(args, run, summary)


GOOD = ("complete", "early stop")
ENDS = {
    "complete": "",
    "early stop": "it stalled, and the recipe's early_stop ended it. ",
    "interrupted": "interrupted after step {steps:,}, whose weights are the last. ",
    "not finite": "{why}: a smaller rate helps{saved}. ",
    "data lost": "{why}. Training ended after step {steps:,}. ",
    "disk": "{why}. Training ended after step {steps:,}{saved}. ",
}


def _ended(outcome: Outcome, ready: Ready, in_json: bool) -> int:
    from netcompiler.cli.progress import as_json

    run = ready.run
    saved = f"; what is saved is of step {outcome.kept:,}" if outcome.kept >= 0 else ""
    why = ENDS[outcome.ended].format(steps=outcome.steps, saved=saved, why=outcome.why)
    good = outcome.ended in GOOD
    if not good:
        print(f"netc: {why}`netc train --resume {run.folder}{_smaller(outcome, ready)}` goes on from there", file=sys.stderr)
    if in_json:
        print(as_json("end", run=str(run.folder), **outcome.summary()))
    else:
        _say_best(outcome, ready, why if good else "")
    return FINE if good else 128 + outcome.signal if outcome.signal else FAULTY


def _say_best(outcome: Outcome, ready: Ready, why: str) -> None:
    from netcompiler.cli.progress import clock, figure

    run, goal = ready.run, ready.trainer.goal
    if outcome.best:
        names = dict.fromkeys([goal, *outcome.best.tested])
        best = ", ".join(f"{name} {figure(name, outcome.best.tested[name])}" for name in names)
        print(f"{why}best in epoch {outcome.best.moment.epoch}: {best}; {clock(outcome.seconds)} in all")
        page = " and report.html" if outcome.ended in GOOD else ""
        print(f"{run.folder} has the weights{page}; `netc eval {run.folder}` measures them again")
    elif run.weights().exists():
        print(f"{run.folder} has the weights so far, in last.safetensors")


def _smaller(outcome: Outcome, ready: Ready) -> str:
    """The setting that helps against what is not finite."""
    rule = ready.opened.recipe.optimizer
    return f" --set train.optimizer.{rule.kind}.rate={rule.rate / 10:g}" if rule and outcome.ended == "not finite" else ""

"""netc train: a net, its recipe and data -> a run's folder with the weights."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netcompiler.cli import FAULTY, FINE, INTERRUPTED, arguments, remarks, version
from netcompiler.cli.opening import (
    PRECISIONS,
    TARGETS,
    Faulty,
    Opened,
    check_runnable,
    data_setting,
    one_thread,
    open_spec,
    scaling,
    settings_of,
)
from netcompiler.loading import is_path, split_variant
from netcompiler.report import expansion
from netcompiler.source import Mapping, Scalar, Source, parse
from netcompiler.totals import totals

if TYPE_CHECKING:
    from runtime.data.prepare import Material
    from runtime.runs import Run
    from runtime.trainer import Outcome


def main(words: Sequence[str]) -> int:
    args = _parser().parse_args(words)
    one_thread()
    from runtime.data.rows import DataError
    from runtime.metrics import FigureError
    from runtime.runs import RunError
    from runtime.session import InputError

    try:
        return _train(args)
    except Faulty as faulty:
        remarks.write(faulty.found)
    except (DataError, FigureError, InputError, RunError) as error:
        print(f"netc: {error}", file=sys.stderr)
    except OSError as error:
        print(f"netc: {error.filename or 'the run'} cannot be written: {error.strerror}", file=sys.stderr)
    return FAULTY


def _parser() -> arguments.Parser:
    parser = arguments.Parser("train", "Train a net as its recipe says. Ctrl-C ends after the step in hand; the weights so far are kept.")
    parser.add_spec()
    parser.add_settings()
    parser.add_argument(
        "--data", metavar="KIND|PATH", help="digits, fashion_mini, ..., an .npz file, or a folder of MNIST's or CIFAR's files"
    )
    parser.add_argument("--epochs", type=arguments.count, metavar="N", help="how often every picture is seen")
    parser.add_argument("--batch", type=arguments.count, metavar="N", help="pictures in a step")
    parser.add_argument("--seed", type=int, metavar="N", help="where all random numbers start")
    parser.add_argument("--precision", choices=PRECISIONS, help="how numbers are kept; default: the recipe's own, or fp32")
    parser.add_argument("--target", choices=TARGETS, default="auto", help="what runs it; default: auto, the best that is here")
    parser.add_argument("--run-dir", type=Path, metavar="DIR", help="the run's folder, which must not be there; default: runs/NAME-n")
    parser.add_argument("--quiet", action="store_true", help="print only how it ended")
    return parser


def _opened(args: argparse.Namespace) -> Opened:
    """The spec with the options of the command line; pictures that were named there are scaled to the net's size."""
    options = settings_of({"epochs": args.epochs, "batch": args.batch, "seed": args.seed, "precision": args.precision})
    if not args.data:
        return open_spec(args.spec, [*args.set, *options])
    data = data_setting(args.data)
    opened = open_spec(args.spec, [data, *args.set, *options])
    more = scaling(opened, args.data)
    return opened.again([data, more, *args.set, *options]) if more else opened


def _train(args: argparse.Namespace) -> int:
    from netcompiler.cli.progress import display
    from runtime.data.prepare import prepare
    from runtime.runs import create, create_at
    from runtime.session import Session
    from runtime.trainer import Trainer

    opened = _opened(args)
    check_runnable(opened.recipe)
    plan = opened.plan()
    material = prepare(plan, opened.recipe, opened.fields())
    trainer = Trainer(Session(plan, opened.recipe.seed), opened.recipe, material.train, material.test)
    run = create_at(args.run_dir) if args.run_dir else create(Path("runs"), _name(opened))
    _write_specs(run, opened)
    if not args.quiet:
        print(_heading(opened, material, run), flush=True)
    with display(sys.stdout, args.quiet) as shown:
        outcome = trainer.fit(run, shown, _about(opened))
    return _ended(outcome, run, trainer.goal)


def _name(opened: Opened) -> str:
    return "-".join(part for part in (opened.graph.name, opened.graph.variant) if part)


def _write_specs(run: Run, opened: Opened) -> None:
    run.write("spec.yaml", opened.text)
    run.write("resolved.yaml", expansion.as_text(opened.graph, opened.recipe, opened.settings))


def _about(opened: Opened) -> dict[str, Any]:
    """What `netc eval` needs to find the same net again, and what a reader wants to know."""
    return {
        "netc": version(),
        "net": opened.graph.name,
        "spec": _again(opened),
        "variant": opened.graph.variant,
        "settings": list(opened.settings),
        "target": "numpy",
        "precision": "fp32",
        "batch": opened.recipe.batch,
        "seed": opened.recipe.seed,
    }


def _again(opened: Opened) -> str:
    """The run's own copy; a spec that extends another file is read where it lies, beside that file."""
    name, _ = split_variant(opened.spec)
    tree = parse(Source(name, opened.text))
    base = tree.entries.get("extends") if isinstance(tree, Mapping) else None
    beside = isinstance(base, Scalar) and is_path(split_variant(str(base.value))[0])
    return str(Path(name).resolve()) if beside and name != "-" else "spec.yaml"


def _heading(opened: Opened, material: Material, run: Run) -> str:
    assert opened.recipe.data
    have, need = "x".join(map(str, material.shape)), "x".join(map(str, opened.graph.inputs[0].shape))
    size = need if have == need else f"{have} made {need}"
    rows = [
        (_name(opened), f"{totals(opened.graph).params:,} parameters, fp32 on numpy, batch {opened.recipe.batch}"),
        (opened.recipe.data.kind, f"{len(material.train):,} pictures to train on, {len(material.test):,} to validate on, {size}"),
        ("into", str(run.folder)),
    ]
    return "\n".join(f"{name:<{max(len(name) for name, _ in rows)}}  {text}" for name, text in rows) + "\n"


ENDS = {
    "complete": "",
    "early stop": "it stalled, and the recipe's early_stop ended it. ",
    "interrupted": "interrupted after step {steps:,}, whose weights are the last. ",
    "not finite": "the loss or its gradient is not finite in step {step:,}: a smaller rate helps. ",
}


def _ended(outcome: Outcome, run: Run, goal: str) -> int:
    from netcompiler.cli.progress import clock, figure

    why = ENDS[outcome.ended].format(steps=outcome.steps, step=outcome.steps + 1)
    good = outcome.ended in ("complete", "early stop")
    if why and not good:
        print(f"netc: {why.strip()}", file=sys.stderr)
    if outcome.best:
        names = dict.fromkeys([goal, *outcome.best.tested])
        best = ", ".join(f"{name} {figure(name, outcome.best.tested[name])}" for name in names)
        print(f"{why if good else ''}best in epoch {outcome.best.moment.epoch}: {best}; {clock(outcome.seconds)} in all")
        print(f"{run.folder} has the weights; `netc eval {run.folder}` measures them again")
    else:
        print(f"{run.folder} has the weights so far, in last.safetensors")
    return FINE if good else INTERRUPTED if outcome.ended == "interrupted" else FAULTY

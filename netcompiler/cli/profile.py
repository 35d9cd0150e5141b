"""netc profile: where the time of a step or an inference goes, by layer and by instruction."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from netcompiler.cli import FAULTY, FINE, arguments, remarks, terminal
from netcompiler.cli.contestants import job_of, plan_of, precision_of, threads_of, usual_mode
from netcompiler.cli.loading import load
from netcompiler.cli.target import chosen
from netcompiler.cli.tuning import kept
from netcompiler.diagnostics import SpecError
from netcompiler.report.columns import as_lines, fit
from netcompiler.report.profile import Profile, instruction_columns, layer_columns
from netcompiler.targets import AUTO, TARGETS, Chooser

if TYPE_CHECKING:
    from netcompiler.plan import Plan

PROGRAMS = {"train": "step", "infer": "infer"}


def main(words: Sequence[str]) -> int:
    args = _parser().parse_args(words)
    loaded = load(args.spec, args.set)
    if loaded.errors or loaded.graph is None:
        remarks.write(loaded.errors)
        return FAULTY
    args.mode = args.mode or usual_mode(loaded.graph)
    os.environ.update(threads_of(args.target, args.threads))  # before NumPy is there
    args.target = chosen(args.target)
    args.precision = precision_of(loaded.recipe, args.target)
    job = job_of(loaded, args.mode, args.batch, args.target, kept(args.target))
    try:
        plan = plan_of(job)
    except SpecError as error:
        remarks.write(error.diagnostics)
        return FAULTY
    for line in _lines(args, _measured(args, plan, job.chooser)):
        print(line)
    return FINE


def _parser() -> arguments.Parser:
    parser = arguments.Parser("profile", "The time of each layer and instruction, beside what the machine does at best.")
    parser.add_spec()
    parser.add_settings()
    parser.add_measured((AUTO, *TARGETS))
    parser.add_argument("--runs", type=arguments.count, default=5, metavar="N", help="the least of so many counts; default: 5")
    parser.add_argument("--top", type=arguments.count, default=20, metavar="N", help="lines of each table; default: 20")
    return parser


def _measured(args: argparse.Namespace, plan: Plan, chooser: Chooser) -> Profile:
    import numpy as np

    from runtime.ceilings import ceilings
    from runtime.gradcheck import made_up
    from runtime.session import Session

    session, program = Session(plan), plan.programs[PROGRAMS[args.mode]]
    inputs, targets = made_up(session, np.random.default_rng(0))
    if args.mode == "train":
        session.step(inputs, targets)
    else:
        session.run(inputs)
    best = ceilings(plan.target, args.precision)
    return Profile(program, chooser, session.timed(program.name, args.runs), best.flops, best.bytes)


def _lines(args: argparse.Namespace, profile: Profile) -> Iterator[str]:
    width, style = terminal.width(sys.stdout), terminal.style(sys.stdout)
    what = "a training step" if args.mode == "train" else "an inference"
    count = len(profile.timed)
    how = f"{args.precision.replace('fp', 'float')} on {args.target}"
    yield f"{args.spec}, {what}, batch {args.batch}, {how}: {1e3 * profile.seconds:,.2f} ms in {count:,} instructions"
    yield f"the machine's best, measured: {profile.flops / 1e9:,.1f} GF/s multiplying matrices, {profile.bytes / 1e9:,.1f} GB/s copying"
    for columns in (layer_columns(profile, args.top), instruction_columns(profile, args.top)):
        yield ""
        yield from as_lines(fit([columns], width), style)

"""netc tune: how long each kernel takes where there are several for an instruction, kept for all that is compiled later."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace

from netcompiler.cli import FAULTY, FINE, INTERRUPTED, arguments, remarks, terminal
from netcompiler.cli.contestants import job_of, plan_of, precision_of, threads_of, usual_mode, where
from netcompiler.cli.loading import load
from netcompiler.cli.target import chosen
from netcompiler.cli.tuning import TUNED, measured
from netcompiler.compilation import Job
from netcompiler.diagnostics import SpecError
from netcompiler.report.choices import Row, columns
from netcompiler.report.columns import as_lines, fit
from netcompiler.targets import AUTO
from netcompiler.targets.sites import sites


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
    try:
        rows, interrupted = _tuned(job_of(loaded, args.mode, args.batch, args.target, {}))
    except SpecError as error:
        remarks.write(error.diagnostics)
        return FAULTY
    for line in _lines(args, rows):
        print(line)
    return INTERRUPTED if interrupted else FINE


def _parser() -> arguments.Parser:
    parser = arguments.Parser(
        "tune", "Times the kernels that could run an instruction, where there are several. What is compiled later takes the fastest."
    )
    parser.add_spec()
    parser.add_settings()
    parser.add_measured((AUTO, *TUNED))
    return parser


def _tuned(job: Job) -> tuple[list[Row], bool]:
    """All is measured anew. What is not, because it was ended early, has no row."""
    every = sites(plan_of(job), job.chooser)
    found = measured(every, job.target, anew=True)
    chooser = replace(job.chooser, facts=found.facts)
    both = [(each, chooser.choice(each.instruction), job.chooser.choice(each.instruction)) for each in every]
    return [Row(each.instruction, each.times, facts, formula) for each, facts, formula in both if facts.measured], found.interrupted


def _lines(args: argparse.Namespace, rows: Sequence[Row]) -> Iterator[str]:
    what = "a training step" if args.mode == "train" else "an inference"
    head = f"{args.spec}, {what}, batch {args.batch}, {where(args.target, args.precision, args.threads)}"
    if not rows:
        yield f"{head}: there is one kernel for each instruction, and nothing to choose"
        return
    yield f"{head}: {len(rows)} kind{'s' * (len(rows) != 1)} of instruction that several kernels can run\n"
    yield from as_lines(fit([columns(rows)], terminal.width(sys.stdout)), terminal.style(sys.stdout))
    yield f"\nchosen so it takes {1e3 * sum(row.gain for row in rows):,.2f} ms less than chosen by formula"

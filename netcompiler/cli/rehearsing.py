"""netc train --dry-run: spec, data, memory, disk and time are looked at, and nothing is written."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from netcompiler.cli import FAULTY, FINE, room
from netcompiler.cli.beginning import heading_of, old_weights, opened_by
from netcompiler.cli.opening import check_runnable
from netcompiler.cli.starting import begun
from netcompiler.cli.target import GPU, chosen
from netcompiler.cli.tuning import kept
from netcompiler.report.figures import size

if TYPE_CHECKING:
    from netcompiler.plan import Plan
    from runtime.rehearsal import Pace
    from runtime.trainer import Trainer

KEPT = ("parameters", "frozen", "statistics", "slots", "average", "control")
"""Segments that a state holds."""
WEIGHTS = ("parameters", "frozen", "statistics")
COPIES = 2
"""What saving a state takes beside the state: the arrays, and the file that is made of them."""


def rehearse(args: argparse.Namespace) -> int:
    from runtime.data.prepare import prepare
    from runtime.environment import available, resident
    from runtime.trainer import Trainer

    opened = opened_by(args)
    check_runnable(opened.recipe)
    target = chosen(args.target)
    known = kept(target)
    plan = opened.plan(target, known)
    room.check(opened, plan)
    free, before = available(), resident()
    material = prepare(plan, opened.recipe, opened.fields(), args.data_threads)
    rows = [("memory", _memory(plan, resident() - before, free)), ("disk", _disk(plan, args))]
    short = [*_too_little(plan, resident() - before, free, args)]
    if not short:
        session, _ = begun(opened, plan, known)
        rows = [*old_weights(session, opened.recipe), *rows]
        trainer = Trainer(session, opened.recipe, material.train, material.test)
        pace = _pace(trainer)
        rows.append(("time", _time(trainer, pace)))
        short = [] if pace.finite else ["the first steps are not finite: a smaller rate helps"]
    print(heading_of(opened, plan.target, material, rows), end="")
    for complaint in short:
        print(f"netc: {complaint}", file=sys.stderr)
    print("nothing was written" if short else "all is well; nothing was written")
    return FAULTY if short else FINE


def _pace(trainer: Trainer) -> Pace:
    from runtime.rehearsal import rehearse

    return rehearse(trainer.session, trainer.recipe.batch, trainer.train, trainer.test)


def _state(plan: Plan) -> int:
    return _bytes(plan.segments, KEPT)


def _bytes(segments: Mapping[str, int], names: tuple[str, ...]) -> int:
    return sum(segments.get(name, 0) for name in names)


def _all(plan: Plan) -> int:
    """Of this machine's own memory."""
    return (0 if plan.target == GPU else sum(plan.segments.values())) + COPIES * _state(plan)


def _memory(plan: Plan, data: int, free: int) -> str:
    where = "the plan, on the GPU" if plan.target == GPU else "the plan"
    parts = [(where, sum(plan.segments.values())), ("data", data), ("saving a state", COPIES * _state(plan))]
    return ", ".join(f"{size(max(0, count))} for {name}" for name, count in parts) + f"; {size(free)} are free"


def _on_disk(plan: Plan, args: argparse.Namespace) -> int:
    """The states that are kept and the one that is being written; the best weights and the last, likewise."""
    return ((args.keep or 2) + 1) * _state(plan) + 3 * _bytes(plan.segments, WEIGHTS)


def _disk(plan: Plan, args: argparse.Namespace) -> str:
    return f"{size(_on_disk(plan, args))} for weights and {args.keep or 2} states; {size(_free(args))} are free"


def _free(args: argparse.Namespace) -> int:
    folder = (args.run_dir or Path("runs")).resolve()
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    return shutil.disk_usage(there).free


def _too_little(plan: Plan, data: int, free: int, args: argparse.Namespace) -> Iterator[str]:
    if _all(plan) + data > free:
        yield f"training takes {size(_all(plan) + data)} of memory, and {size(free)} are free: take a smaller batch, or set train.memory"
    if _on_disk(plan, args) > _free(args):
        yield f"a run takes {size(_on_disk(plan, args))} on the disk, and {size(_free(args))} are free: make room, or name a --run-dir"


def _time(trainer: Trainer, pace: Pace) -> str:
    from netcompiler.cli.progress import clock

    every = trainer.recipe.validation.every if trainer.recipe.validation else 1
    whole = pace.whole(trainer.total, -(-trainer.epochs // every))
    speed = f"{1000 * pace.step:,.3g} ms a step ({trainer.recipe.batch / pace.step:,.0f} pictures/s), {pace.validation:,.2g} s a validation"
    return f"{speed}: about {clock(whole)} for {trainer.total:,} steps in {trainer.epochs:,} epochs"

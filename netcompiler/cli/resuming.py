"""A run that goes on: from its last good state, with the settings that it has, and those that may still change."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from netcompiler.cli import Refusal, room
from netcompiler.cli.beginning import Ready, about, heading_of, old_weights, options_of, source, with_options, write_resolved
from netcompiler.cli.opening import Opened, reopened
from netcompiler.cli.starting import begun
from netcompiler.cli.target import trained_on
from netcompiler.recipe.differences import Difference, differences, flat

if TYPE_CHECKING:
    from runtime.runs import Run
    from runtime.session import Session
    from runtime.states import Saved


def ready(args: argparse.Namespace, run: Run, summary: Mapping[str, Any]) -> Ready:
    """The run is this process's own by now."""
    from runtime.data.prepare import prepare
    from runtime.facts import from_plain
    from runtime.keeping import Keeping
    from runtime.runs import RESOLVED
    from runtime.trainer import Trainer

    more = _settings(args)
    opened = reopened(run.folder, summary, more=more)
    saved, complaints = run.states().newest()
    for complaint in complaints:
        run.tell("damaged", why=complaint)
        print(f"netc: {complaint}; the state before it is taken", file=sys.stderr)
    changes = _changes(saved.record["recipe"] if saved else flat(reopened(run.folder, summary).recipe), opened)
    done = len(saved.record["progress"]["rows"]) if saved else 0
    if opened.recipe.epochs < done:
        raise Refusal(f"{done} epochs are done, and {opened.recipe.epochs} are fewer: --epochs takes the number of all of them")
    facts = from_plain(saved.record["facts"]) if saved else run.facts()
    plan = opened.plan(trained_on(summary), facts)
    room.check(opened, plan)
    material = prepare(plan, opened.recipe, opened.fields(), args.data_threads)
    keeping = with_options(Keeping(**summary["keeping"]), args)
    session, facts = begun(opened, plan, facts)
    trainer = Trainer(session, opened.recipe, material.train, material.test, keeping)
    origin = source(opened, session.plan, material, facts)
    rows = [("resumed", f"{run.folder}, after step {saved.record['progress']['step'] if saved else 0:,}")]
    if saved:
        _fits(run, saved, origin)
        _keeps(session, saved, changes)
        trainer.resume(saved)
        rows += [("changed", ", ".join(map(str, changes)))] if changes else []
        rows += [("but", why)] if (why := _why_not_the_same(saved.record, origin, changes)) else []
    else:
        rows += old_weights(session, opened.recipe)
    if done == opened.recipe.epochs:
        rows.append(("nothing", f"is left to do: all {done} epochs are done, and --epochs with a larger number goes on"))
    if changes:
        run.tell("changed", settings=[str(change) for change in changes])
        write_resolved(run, opened, RESOLVED)
    known = {**about(opened, plan.target, keeping, material, trainer.goal), "spec": summary["spec"]}
    return Ready(opened, material, trainer, run, known, origin, heading_of(opened, plan.target, material, rows))


def _settings(args: argparse.Namespace) -> list[str]:
    for option in ("data", "run_dir"):
        if getattr(args, option) is not None:
            raise Refusal(f"--{option.replace('_', '-')} does not go with --resume: a run keeps its data and its folder")
    for setting in args.set:
        if not setting.startswith("train."):
            raise Refusal(f"--set {setting} would change the net, and a run that goes on keeps it: begin a new one")
    return [*args.set, *options_of(args)]


def _changes(before: Mapping[str, Any], opened: Opened) -> Sequence[Difference]:
    """What is different now; what cannot be is refused, all of it at once."""
    found = differences(before, flat(opened.recipe))
    if refused := [str(change) for change in found if change.settled]:
        raise Refusal(f"a run that goes on cannot change {', '.join(refused)}: begin a new one")
    return found


def _fits(run: Run, saved: Saved, origin: Mapping[str, Any]) -> None:
    from runtime.runs import RunError

    if saved.record["pictures"] != origin["pictures"]:
        raise RunError(f"{run.folder} was trained on {saved.record['pictures']:,} pictures, and its data has {origin['pictures']:,} now")


def _keeps(session: Session, saved: Saved, changes: Sequence[Difference]) -> None:
    """An average of the weights, or another rule's numbers, cannot begin in the middle."""
    from runtime.session import GIVEN

    if changes and session.keeps() != saved.tensors.keys() - {*GIVEN}:
        raise Refusal(
            f"a run that goes on cannot change {', '.join(map(str, changes))}: it would keep other numbers than it has kept so far"
        )


def _why_not_the_same(record: Mapping[str, Any], origin: Mapping[str, Any], changes: Sequence[Difference]) -> str:
    """Why what follows is not, to the last bit, what would have followed; nothing where it is."""
    from runtime.environment import changed

    others = changed(record["environment"], origin["environment"])
    if others:
        return f"it is not bit for bit what it would have been: {', '.join(others)}"
    if record["plan"] != origin["plan"] and not changes:
        return "it is not bit for bit what it would have been: the plan is another, so the net's own files have changed"
    return ""

"""What training begins with: the net opened, its data read, a run's folder that says what was asked for."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from netcompiler.cli import room, version
from netcompiler.cli.opening import Opened, check_runnable, opened_on, settings_of
from netcompiler.cli.starting import begun
from netcompiler.cli.target import of
from netcompiler.cli.tuning import kept, tuned
from netcompiler.digest import digest
from netcompiler.loading import is_path, split_variant
from netcompiler.recipe import Recipe
from netcompiler.recipe.differences import flat
from netcompiler.report import expansion
from netcompiler.report.expansion import flow
from netcompiler.source import Mapping, Scalar, Source, parse
from netcompiler.totals import totals

if TYPE_CHECKING:
    from netcompiler.plan import Facts, Plan
    from runtime.data.prepare import Material
    from runtime.keeping import Keeping
    from runtime.runs import Run
    from runtime.session import Session
    from runtime.trainer import Trainer


class Ready(NamedTuple):
    """All that training takes. `about` goes into the summary, `source` into each state."""

    opened: Opened
    material: Material
    trainer: Trainer
    run: Run
    about: dict[str, Any]
    source: dict[str, Any]
    heading: str


def ready(args: argparse.Namespace) -> Ready:
    from runtime.data.prepare import prepare
    from runtime.keeping import Keeping
    from runtime.runs import check_free, create, create_at
    from runtime.trainer import Trainer

    if args.run_dir:
        check_free(args.run_dir)
    opened = opened_by(args)
    check_runnable(opened.recipe)
    target, why = of(args.target)
    known = kept(target)
    plan = opened.plan(target, known)
    room.check(opened, plan)
    material = prepare(plan, opened.recipe, opened.fields(), args.data_threads)
    plan, facts, timed = tuned(opened, plan, known, not args.no_tune)
    keeping = with_options(Keeping(), args)
    session, facts = begun(opened, plan, facts)
    rows = [*because(target, why), *kernels(timed), *old_weights(session, opened.recipe)]
    trainer = Trainer(session, opened.recipe, material.train, material.test, keeping)
    said = about(opened, plan.target, keeping, material, trainer.goal)
    origin = source(opened, session.plan, material, facts)
    fill = partial(write, opened=opened, about=said, source=origin)
    run = create_at(args.run_dir, fill) if args.run_dir else create(Path("runs"), name(opened), fill)
    heading = heading_of(opened, plan.target, material, [*rows, ("into", str(run.folder))])
    return Ready(opened, material, trainer, run, said, origin, heading)


def opened_by(args: argparse.Namespace) -> Opened:
    """The spec with the options of the command line; pictures that were named there are scaled to the net's size."""
    return opened_on(args.spec, args.data, [*args.set, *options_of(args)])


def options_of(args: argparse.Namespace) -> list[str]:
    given = {name: getattr(args, name) for name in ("epochs", "batch", "seed", "precision", "on_bad_data")}
    return settings_of({**given, "weights": flow(args.weights) if args.weights else None})


def with_options(keeping: Keeping, args: argparse.Namespace) -> Keeping:
    if args.every:
        keeping = keeping._replace(steps=args.every[0], seconds=args.every[1])
    return keeping._replace(keep=args.keep) if args.keep else keeping


def old_weights(session: Session, recipe: Recipe) -> list[tuple[str, str]]:
    """The weights that the recipe starts from, where it names some; a row about what matched."""
    from runtime import finetune

    return [("weights", str(finetune.load(session, recipe.weights, recipe.fresh or ())))] if recipe.weights else []


def because(target: str, why: str) -> list[tuple[str, str]]:
    """A row about the target, where it was not asked for by name."""
    return [("target", f"{target}: {why}")] if why else []


def kernels(timed: int) -> list[tuple[str, str]]:
    """A row about what was measured before training."""
    return [("kernels", f"timed for {timed} kind{'s' * (timed != 1)} of instruction, and the figures kept")] if timed else []


def name(opened: Opened) -> str:
    return "-".join(part for part in (opened.graph.name, opened.graph.variant) if part)


def write(run: Run, opened: Opened, about: dict[str, Any], source: dict[str, Any]) -> None:
    """What was asked for, as it was given and with every default: all that going on takes."""
    from runtime.ending import BEFORE
    from runtime.runs import ENVIRONMENT, FACTS, RESOLVED, SPEC

    run.write(SPEC, opened.text)
    write_resolved(run, opened, RESOLVED)
    run.write_json(ENVIRONMENT, source["environment"])
    run.write_json(FACTS, source["facts"])
    run.write_summary({**about, **BEFORE.summary()})


def write_resolved(run: Run, opened: Opened, to: str) -> None:
    run.write(to, expansion.as_text(opened.graph, opened.recipe, opened.settings))


def about(opened: Opened, target: str, keeping: Keeping, material: Material, goal: str) -> dict[str, Any]:
    """What is needed to find the same net again, and what a reader wants to know."""
    return {
        "netc": version(),
        "net": opened.graph.name,
        "spec": _again(opened),
        "variant": opened.graph.variant,
        "settings": list(opened.settings),
        "target": target,
        "precision": opened.precision(target),
        "batch": opened.recipe.batch,
        "seed": opened.recipe.seed,
        "parameters": totals(opened.graph).params,
        "data": opened.recipe.data.kind if opened.recipe.data else None,
        "classes": list(material.classes),
        "keeping": keeping._asdict(),
        "goal": goal,
    }


def source(opened: Opened, plan: Plan, material: Material, facts: Facts) -> dict[str, Any]:
    """What a state says of the plan and the settings that it belongs to."""
    from runtime.environment import environment
    from runtime.facts import as_plain

    return {
        "plan": digest(plan),
        "facts": as_plain(facts),
        "recipe": flat(opened.recipe),
        "pictures": len(material.train),
        "environment": environment(version(), plan.target),
    }


def _again(opened: Opened) -> str:
    """The run's own copy; a spec that extends another file is read where it lies, beside that file."""
    name, _ = split_variant(opened.spec)
    tree = parse(Source(name, opened.text))
    base = tree.entries.get("extends") if isinstance(tree, Mapping) else None
    beside = isinstance(base, Scalar) and is_path(split_variant(str(base.value))[0])
    return str(Path(name).resolve()) if beside and name != "-" else "spec.yaml"


def heading_of(opened: Opened, target: str, material: Material, more: list[tuple[str, str]]) -> str:
    assert opened.recipe.data
    have, need = "x".join(map(str, material.shape)), "x".join(map(str, opened.graph.inputs[0].shape))
    size = need if have == need else f"{have} made {need}"
    rows = [
        (name(opened), f"{totals(opened.graph).params:,} parameters, {opened.precision(target)} on {target}, batch {opened.recipe.batch}"),
        (opened.recipe.data.kind, f"{len(material.train):,} pictures to train on, {len(material.test):,} to validate on, {size}"),
        *more,
    ]
    return "\n".join(f"{name:<{max(len(name) for name, _ in rows)}}  {text}" for name, text in rows) + "\n"

"""netc report: the page of a run, with its curves, its mistakes, its filters, its layers and its settings."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netcompiler.cli import FAULTY, FINE, Refusal, arguments, remarks
from netcompiler.cli.opening import Faulty, Opened, one_thread, reopened
from netcompiler.cli.starting import begun
from netcompiler.cli.target import trained_on
from netcompiler.diagnostics import Style
from netcompiler.passes.lower import EVALUATE
from netcompiler.report.chart import chart
from netcompiler.report.page import Page, Wrong
from netcompiler.report.table import text_table

if TYPE_CHECKING:
    from netcompiler.report.chart import Points
    from runtime.data.prepare import Material
    from runtime.review import Mistake
    from runtime.runs import Run
    from runtime.session import Session

WIDTH = 110
VALIDATED = "val_"
BESIDE = ("epoch", "step")
"""Columns of metrics.csv that are no curves."""


def main(words: Sequence[str]) -> int:
    parser = arguments.Parser("report", "Writes report.html into a run's folder, one file that needs nothing else.")
    parser.add_argument("run", metavar="RUN", help="a run's folder, such as runs/lenet-1, or its name")
    args = parser.parse_args(words)
    one_thread()
    from runtime.atomic import Unwritten
    from runtime.checkpoint import CheckpointError
    from runtime.data.faults import DataError
    from runtime.runs import RunError
    from runtime.session import InputError

    try:
        print(_of_run(args.run))
        return FINE
    except Faulty as faulty:
        remarks.write(faulty.found)
    except RunError as error:
        raise Refusal(str(error)) from None
    except (CheckpointError, DataError, InputError, Unwritten) as error:
        print(f"netc: {error}", file=sys.stderr)
    return FAULTY


def _of_run(name: str) -> Path:
    from runtime.data.prepare import prepare
    from runtime.runs import find

    run = find(name)
    summary = run.summary()
    opened = reopened(run.folder, summary)
    facts = run.facts()
    plan = opened.plan(trained_on(summary), facts, EVALUATE)
    session, _ = begun(opened, plan, facts)
    return write(run, opened, session, prepare(plan, opened.recipe, opened.fields()))


def write(run: Run, opened: Opened, session: Session, material: Material) -> Path:
    """The page and the curves; the session gets the run's best weights."""
    from runtime import checkpoint
    from runtime.review import review
    from runtime.runs import PLOTS, REPORT

    tensors, scales = checkpoint.load(run.weights())
    session.load(tensors)
    session.normalize(scales)
    found, summary = review(session, material.test), run.summary()
    names = material.classes or tuple(map(str, range(len(found.confusion))))
    curves = dict(_curves(run.metrics()))
    (run.folder / PLOTS).mkdir(exist_ok=True)
    for name, picture in curves.items():
        run.write(f"{PLOTS}/{name}.svg", picture)
    page = Page(
        f"{opened.graph.name}{f':{opened.graph.variant}' if opened.graph.variant else ''} in {run.folder.name}",
        _facts(summary),
        list(curves.values()),
        names[: len(found.confusion)],
        found.confusion,
        [Wrong(mistake.picture, _caption(mistake, names)) for mistake in found.worst],
        found.filters,
        _texts(run, opened),
    )
    run.write(REPORT, page.html())
    return run.folder / REPORT


def _caption(mistake: Mistake, names: Sequence[str]) -> str:
    shares = f"{mistake.probability:.0%} against {mistake.right:.0%}"
    return f"picture {mistake.place:,}: {names[mistake.label]}, taken for {names[mistake.called]} ({shares})"


def _facts(summary: Mapping[str, Any]) -> dict[str, str]:
    from netcompiler.cli.progress import clock, figure

    def told(row: Mapping[str, Any] | None) -> str:
        figures = [f"{name} {figure(name, value)}" for name, value in (row or {}).items() if name != "epoch"]
        return f"epoch {row['epoch']}: {', '.join(figures)}" if row else ""

    facts = {
        "ended": f"{summary.get('ended')}, after {summary.get('steps', 0):,} steps in {clock(summary.get('seconds', 0))}",
        "best": told(summary["best"]),
        "last": told(summary.get("last")),
        "parameters": f"{summary.get('parameters', 0):,}",
        "data": str(summary.get("data")),
        "batch": str(summary.get("batch")),
        "seed": str(summary.get("seed")),
    }
    return {name: text for name, text in facts.items() if text}


def _curves(rows: Sequence[Mapping[str, str]]) -> Iterator[tuple[str, str]]:
    """A picture for each figure: training and validation together."""
    names = [name for name in rows[0] if name not in BESIDE and not name.startswith(VALIDATED)] if rows else []
    for name in names:
        lines = {"training": _points(rows, name), "validation": _points(rows, VALIDATED + name)}
        yield name, chart(name, {label: points for label, points in lines.items() if points})


def _points(rows: Sequence[Mapping[str, str]], column: str) -> Points:
    return [(float(row["epoch"]), float(row[column])) for row in rows if row.get(column)]


def _texts(run: Run, opened: Opened) -> dict[str, str]:
    from runtime.runs import ENVIRONMENT, RESOLVED

    layers = "\n".join(text_table(opened.graph, 2, WIDTH, Style(False)))
    files = {"Settings": RESOLVED, "Machine": ENVIRONMENT}
    read = {title: run.folder / name for title, name in files.items() if (run.folder / name).exists()}
    return {"Layers": layers, **{title: path.read_text(encoding="utf-8") for title, path in read.items()}}

"""netc runs: the runs of a folder as a table; one of them epoch by epoch; or several side by side."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from netcompiler.cli import FINE, Refusal, arguments, terminal
from netcompiler.cli.opening import Faulty, reopened
from netcompiler.cli.progress import clock, figure
from netcompiler.recipe.differences import flat
from netcompiler.report.columns import Column, as_lines, fit

RUNNING, STOPPED = "running", "stopped"


class Known(NamedTuple):
    """A run by its folder, with its summary."""

    folder: Path
    summary: Mapping[str, Any]

    @property
    def ended(self) -> str:
        """What says that it runs, and has no process, was killed."""
        from runtime.journal import is_written
        from runtime.runs import EVENTS

        ended = str(self.summary.get("ended", ""))
        return STOPPED if ended == RUNNING and not is_written(self.folder / EVENTS) else ended


def main(words: Sequence[str]) -> int:
    parser = arguments.Parser("runs", "The runs that are there; of one its epochs; of several what differs, and how they did.")
    parser.add_argument("runs", nargs="*", metavar="RUN", help="a run's folder, or its name; default: all of --folder")
    parser.add_argument("--folder", type=Path, default=Path("runs"), metavar="DIR", help="where runs are; default: runs")
    parser.add_argument("--json", action="store_true", help="the summaries, a line each")
    args = parser.parse_args(words)
    known = _named(args.runs) if args.runs else _all(args.folder)
    if args.json:
        print("".join(json.dumps({"run": str(run.folder), **run.summary, "ended": run.ended}) + "\n" for run in known), end="")
    elif not known:
        print(f"there are no runs in {args.folder}: `netc train SPEC` begins one")
    else:
        columns = _table(known) if not args.runs else _epochs(known[0]) if len(known) == 1 else _beside(known)
        sys.stdout.write("\n".join(as_lines(fit([columns], terminal.width(sys.stdout)), terminal.style(sys.stdout))) + "\n")
    return FINE


def _named(names: Sequence[str]) -> list[Known]:
    from runtime.runs import RunError, find

    try:
        return [Known(run.folder, run.summary()) for run in map(find, names)]
    except RunError as error:
        raise Refusal(str(error)) from None


def _all(folder: Path) -> list[Known]:
    """The oldest first; folders without a readable summary are no runs."""
    from runtime.runs import SPEC, SUMMARY, Run, RunError

    found = []
    for path in sorted(folder.glob(f"[!.]*/{SUMMARY}"), key=lambda path: (path.parent / SPEC).stat().st_mtime_ns):
        try:
            found.append(Known(path.parent, Run(path.parent).summary()))
        except RunError as error:
            print(f"netc: {error}", file=sys.stderr)
    return found


def _table(known: Sequence[Known]) -> list[Column]:
    return [
        Column("run", tuple(run.folder.name for run in known)),
        Column("net", tuple(":".join(filter(None, (run.summary.get("net"), run.summary["variant"]))) for run in known), least=8),
        Column("parameters", tuple(f"{run.summary.get('parameters', 0):,}" for run in known), right=True),
        Column("data", tuple(str(run.summary.get("data") or "") for run in known), least=6),
        Column("epochs", tuple(str(run.summary.get("epochs", "")) for run in known), right=True),
        Column("best", tuple(_best(run.summary) for run in known), least=10),
        Column("time", tuple(clock(run.summary.get("seconds", 0)) for run in known), right=True),
        Column("ended", tuple(run.ended for run in known), tint="cyan"),
    ]


def _best(summary: Mapping[str, Any]) -> str:
    best, goal = summary["best"], summary.get("goal", "loss")
    return f"{goal} {figure(goal, best[goal])} in epoch {best['epoch']}" if best else ""


def _epochs(run: Known) -> list[Column]:
    from runtime.runs import Run

    rows = Run(run.folder).metrics()
    if not rows:
        raise Refusal(f"no epoch of {run.folder} is over yet")
    return [Column(name, tuple(_cell(name, row[name]) for row in rows), right=True) for name in rows[0]]


def _cell(name: str, text: str) -> str:
    if name in ("epoch", "step") or not text:
        return text
    return f"{float(text):.3g}" if name == "rate" else figure(name.removeprefix("val_"), float(text))


def _beside(known: Sequence[Known]) -> list[Column]:
    """A row for each option that is not the same in all, then the figures of the best weights."""
    settings = [_settings(run) for run in known]
    names = [
        name for name in dict.fromkeys(key for each in settings for key in each) if len({str(each.get(name)) for each in settings}) > 1
    ]
    figures = list(dict.fromkeys(name for run in known for name in run.summary["best"] or ()))
    cells = [
        (
            *(_said(each.get(name)) for name in names),
            *(_figure(name, (run.summary["best"] or {}).get(name)) for name in figures),
            clock(run.summary.get("seconds", 0)),
            run.ended,
        )
        for run, each in zip(known, settings, strict=True)
    ]
    titles = (*names, *(f"best {name}" if name != "epoch" else "best epoch" for name in figures), "time", "ended")
    return [Column("", titles), *(Column(run.folder.name, column, right=True) for run, column in zip(known, cells, strict=True))]


def _settings(run: Known) -> dict[str, Any]:
    """The net's name and size, and its recipe, as far as its spec can still be read."""
    beside = {"net": run.summary.get("net"), "variant": run.summary["variant"], "parameters": run.summary.get("parameters")}
    try:
        return {**beside, **flat(reopened(run.folder, run.summary).recipe)}
    except (Faulty, Refusal):
        return beside


def _said(value: Any) -> str:
    return "" if value is None else f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _figure(name: str, value: float | None) -> str:
    return "" if value is None else str(value) if name == "epoch" else figure(name, value)

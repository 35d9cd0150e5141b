"""netc lr: the learning rate over the time of training, as the recipe plans it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from netcompiler.cli import FAULTY, FINE, Refusal, arguments, remarks, terminal
from netcompiler.cli.loading import load
from netcompiler.recipe import Recipe
from netcompiler.recipe.watch import Watching
from netcompiler.report import curve
from netcompiler.report.chart import chart

if TYPE_CHECKING:
    from netcompiler.report.chart import Points

USUAL = 1000
"""Steps in an epoch, where nothing says how many pictures there are."""
WIDEST = 96
FINE_STEPS = 500
"""Points of a picture."""


def main(words: Sequence[str]) -> int:
    parser = arguments.Parser("lr", "The learning rate over the time of training, drawn; schedule and warm-up together.")
    parser.add_spec()
    parser.add_settings()
    parser.add_argument("--pictures", type=arguments.count, metavar="N", help="to train on; default: as many as the named data has")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="draw it into a picture, too: .svg; .png or .pdf with netc[plot]")
    args = parser.parse_args(words)
    loaded = load(args.spec, args.set)
    if loaded.errors:
        remarks.write(loaded.errors)
        return FAULTY
    recipe = loaded.recipe
    if recipe is None or recipe.optimizer is None:
        raise Refusal("the recipe has no optimizer, and so no rate: add --set 'train.optimizer={sgd: 0.1}'")
    per_epoch = _per_epoch(recipe, args.pictures)
    total = recipe.steps or recipe.epochs * per_epoch
    print("\n".join(_drawn(recipe, per_epoch, total)))
    if args.output:
        _paint(args.output, f"learning rate of {args.spec}", _points(recipe, per_epoch, total, FINE_STEPS))
    return FINE


def _per_epoch(recipe: Recipe, pictures: int | None) -> int:
    known = pictures or getattr(recipe.data, "pictures", None) or getattr(recipe.data, "count", None)
    if known is None:
        return USUAL
    share = recipe.validation.share if recipe.validation else 0
    return int(max(1, -(-known * (1 - share) // recipe.batch)))


def _points(recipe: Recipe, per_epoch: int, total: int, most: int) -> Points:
    """Epoch and rate of some steps, from the first to the last."""
    count = min(most, total)
    steps = [round(n * (total - 1) / max(1, count - 1)) for n in range(count)]
    return [(step / per_epoch, recipe.rate(step, per_epoch)) for step in steps]


def _drawn(recipe: Recipe, per_epoch: int, total: int) -> list[str]:
    width = min(WIDEST, (terminal.width(sys.stdout) or WIDEST) - 1) - curve.MARGIN
    points = _points(recipe, per_epoch, total, FINE_STEPS)
    columns = [points[column * len(points) // width][1] for column in range(width)]
    epochs = total / per_epoch
    lines = curve.curve(columns, "epoch 0", f"{epochs:.4g}")
    rates = [rate for _, rate in points]
    high = points[rates.index(max(rates))]
    return [
        *lines,
        "",
        f"first {rates[0]:.4g}, highest {high[1]:.4g} in epoch {high[0]:.4g}, last {rates[-1]:.4g}",
        f"{total:,} steps, {per_epoch:,} an epoch",
        *_beside(recipe),
    ]


def _beside(recipe: Recipe) -> list[str]:
    """What no curve can show: falls that depend on how training goes, and rates of single layers."""
    lines = []
    schedule = recipe.schedule
    if isinstance(schedule, Watching):
        factor, often = getattr(schedule, "factor", 1), "validation" if schedule.patience == 1 else f"{schedule.patience} validations"
        lines.append(f"times {factor:g} whenever {schedule.watch} has not improved for {often}")
        lines.append("(drawn as if it always did)")
    factors = {name: settings.rate for name, settings in recipe.layers.items() if "rate" in settings.model_fields_set}
    frozen = [name for name, settings in recipe.layers.items() if settings.freeze]
    lines += [f"{name}: times {rate:g}" for name, rate in factors.items()]
    return [*lines, *(f"{name}: frozen" for name in frozen)]


def _paint(path: Path, title: str, points: Points) -> None:
    if path.suffix == ".svg":
        path.write_text(chart(title, {"rate": points}), encoding="utf-8")
        return
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise Refusal(f"{path.suffix or 'this'} takes matplotlib: pip install 'netc[plot]', or name a file that ends in .svg") from None
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot(*zip(*points, strict=True))
    axes.set(title=title, xlabel="epoch", ylabel="rate")
    try:
        figure.savefig(path)
    except (ValueError, OSError) as error:
        raise Refusal(f"{path} cannot be drawn: {error}") from None

"""Figures beside the loss, as instructions: of the batch."""

from __future__ import annotations

from collections.abc import Sequence

from netcompiler.losses import Loss
from netcompiler.losses.classification import LABEL
from netcompiler.lowering import Lowering
from netcompiler.plan import Value
from netcompiler.recipe import Recipe
from netcompiler.recipe.watch import Watching
from netcompiler.scalar import absolute, compare, index, logical, maximum, operand, select, sqrt, wrap

OF_CLASSES = ("top1", "top5", "mean_iou")


def metrics(at: Lowering, recipe: Recipe, loss: Loss, y: Value, target: Value) -> dict[str, Value]:
    """Those that the recipe asks for, or waits for, and that suit the loss."""
    names = recipe.metrics or default(loss, y.shape[-1])
    watched = [rule.watch for rule in (recipe.schedule, recipe.early_stop) if isinstance(rule, Watching)]
    wanted = [name for name in dict.fromkeys([*names, *watched]) if name != "loss" and (name in OF_CLASSES) == loss.picks]
    if loss.picks and target.dtype != LABEL and wanted:
        target = at.b.emit("argmax", target, axis=len(y.shape) - 1)
    found: dict[str, Value] = {}
    for name in wanted:
        if name == "mean_iou":
            found[name] = mean_iou(at, y, target)
        elif loss.picks:
            found[name] = at.mean_of_rows(top(at, y, target, int(name.removeprefix("top"))))
        else:
            found[name] = difference(at, y, target, squared=name == "rmse")
    return found


def default(loss: Loss, classes: int) -> Sequence[str]:
    if loss.picks:
        return ("top1", "top5") if classes > 5 else ("top1",)
    return ("mae",)


def top(at: Lowering, y: Value, target: Value, k: int) -> Value:
    """Whether the right class is among the k largest scores, earlier ones first among equals: (n, 1)."""
    channel = len(y.shape) - 1
    score, label, right = map(operand, range(3))
    picked = at.b.sum(at.map(select(compare("eq", index(channel), label), score, wrap(0)), y, target, shape=y.shape), (channel,))
    equal = logical("and", compare("eq", score, right), compare("lt", index(channel), label))
    above = logical("or", compare("gt", score, right), equal)
    rank = at.b.sum(at.map(select(above, wrap(1), wrap(0)), y, target, picked, shape=y.shape), (channel,))
    return at.mean_of_positions(at.map(select(compare("lt", operand(0), wrap(k)), wrap(1), wrap(0)), rank))


def difference(at: Lowering, y: Value, target: Value, squared: bool) -> Value:
    """The mean absolute difference, or the root of the mean squared one, over all numbers of the batch."""
    e = operand(0) - operand(1)
    each = at.mean_of_rows(at.sum_of_rows(at.map(e * e if squared else absolute(e), y, target)))
    mean = operand(0) / (y.elements // y.shape[0])
    return at.map(sqrt(mean) if squared else mean, each)


def mean_iou(at: Lowering, y: Value, target: Value) -> Value:
    """Positions that are and are called a class, over those that are or are called it; the mean over the classes that occur."""
    channel = len(y.shape) - 1
    chosen = at.b.emit("argmax", y, axis=channel)
    called, right = compare("eq", index(channel), operand(0)), compare("eq", index(channel), operand(1))
    counted = compare("lt", index(0), operand(2))
    overlap, union = (
        at.b.sum(
            at.map(select(logical("and", counted, logical(op, called, right)), wrap(1), wrap(0)), chosen, target, at.valid, shape=y.shape),
            range(channel),
        )
        for op in ("and", "or")
    )
    occurs = compare("gt", operand(1), wrap(0))
    shares = at.map(select(occurs, operand(0) / maximum(operand(1), wrap(1)), wrap(0)), overlap, union)
    classes = at.map(select(compare("gt", operand(0), wrap(0)), wrap(1), wrap(0)), union)
    sums = [at.b.reshape(at.b.sum(x, (channel,)), (1, 1)) for x in (shares, classes)]
    return at.map(operand(0) / maximum(operand(1), wrap(1)), *sums)

"""Limits that a net must keep: each one passed is a diagnostic at the layer that takes most of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from netcompiler.diagnostics import Diagnostic
from netcompiler.footprint import Exact, Footprint
from netcompiler.graph import Graph, Node
from netcompiler.report import figures
from netcompiler.totals import macs, totals


class Budget(NamedTuple):
    params: int | None = None
    macs: int | None = None
    memory: int | None = None
    """Bytes of training."""


class Figure(NamedTuple):
    """What a net has of something, what it may have, how both are shown, and each layer's part."""

    what: str
    have: int
    limit: int | None
    show: Callable[[int], str]
    part: Callable[[Node], int]
    help: str = "`--explain {name}` shows how its figures come about"


SMALLER = "take fewer pictures at once with --batch, or train.batch"


def overruns(graph: Graph, memory: Footprint, budget: Budget, exact: Exact | None = None) -> list[Diagnostic]:
    """By the estimate, or exactly where there are plans."""
    whole = totals(graph)
    training = f"of memory for training at batch {memory.batch}"
    needed = sum(exact.training.values()) if exact else memory.training
    found = (
        _over(graph, Figure("params", whole.params, budget.params, "{:,}".format, lambda node: node.params)),
        _over(graph, Figure("MACs", whole.macs, budget.macs, "{:,}".format, lambda node: macs([node]))),
        _over(graph, Figure(training, needed, budget.memory, figures.size, _share_of_memory(memory), SMALLER)),
    )
    return [diagnostic for diagnostic in found if diagnostic]


def _share_of_memory(memory: Footprint) -> Callable[[Node], int]:
    """A layer's part: its parameters with gradients and state, and its output."""
    copies = 2 * memory.gradients + memory.state
    each = copies / memory.gradients if memory.gradients else 1
    return lambda node: round(4 * each * node.params) + 4 * memory.batch * math.prod(node.shape)


def _over(graph: Graph, figure: Figure) -> Diagnostic | None:
    if figure.limit is None or figure.have <= figure.limit:
        return None
    heaviest = max(graph, key=figure.part)
    return Diagnostic(
        "budget",
        heaviest.place,
        f"{figure.show(figure.have)} {figure.what}, and the budget is {figure.show(figure.limit)}",
        (f"{heaviest.name} takes most: {figure.show(figure.part(heaviest))}",),
        figure.help.format(name=heaviest.name),
        calls=heaviest.calls,
    )
